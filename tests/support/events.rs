//! Events for tests: an ordinary one, to be changed where a test cares, and flushes made of them.

use throughline::session::{BatchBuilder, Event, EventId, Marks, Params, SessionId};
use throughline::verdict::Action;
use throughline::wire::{Flush, IsolateCounts};

/// 2023-11-14T22:13:20Z.
pub const START_MS: u64 = 1_700_000_000_000;

/// The session numbered `n`.
pub fn session(n: u64) -> SessionId {
    // Spread over the whole range, as the ids of a keyed hash are.
    let spread = u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    SessionId(spread.to_be_bytes())
}

/// A successful GET of session `n`, `at_ms` after the start; `unique` tells events of one moment apart.
pub fn event(n: u64, at_ms: u64, unique: u64) -> Event<'static> {
    let (session, time_ms) = (session(n), START_MS + at_ms);
    Event {
        id: EventId::new(time_ms, session, unique),
        session,
        key_source: "request.cookie.sid",
        verified: false,
        time_ms,
        duration_ms: 12,
        method: "GET",
        host: "shop.test",
        path: "/api/products/42",
        template: "/api/products/{integer}",
        status: 200,
        request_bytes: None,
        response_bytes: Some(512),
        ip: "203.0.113.7".parse().ok(),
        country: "DE",
        asn: 3320,
        colo: "FRA",
        user_agent: "Mozilla/5.0",
        ja4: "t13d1516h2_8daaf6152771_02713d6af862",
        user: "",
        roles: "",
        principal: 0,
        token: 0,
        feedback: "",
        params: Params::default(),
        action: Action::Allow,
        inventory: None,
        marks: Marks::default(),
    }
}

/// The same event answered 404 for a path of its own.
pub fn miss<'a>(n: u64, at_ms: u64, unique: u64, path: &'a str) -> Event<'a> {
    Event { path, template: path, status: 404, ..event(n, at_ms, unique) }
}

/// A flush of these events.
pub fn flush(isolate: u64, sequence: u64, events: &[Event<'_>]) -> Flush {
    let mut builder = BatchBuilder::default();
    events.iter().for_each(|event| builder.push(event));
    let now_ms = events.iter().map(|e| e.time_ms).max().unwrap_or(START_MS);
    let counts = IsolateCounts::default();
    let (questions, wants_known, batch) = (Vec::new(), false, builder.take().encode());
    Flush {
        isolate,
        sequence,
        now_ms,
        blocks_version: 0,
        counts,
        backlog: Default::default(),
        questions,
        wants_known,
        urgent: false,
        layout: 1,
        batch,
    }
}
