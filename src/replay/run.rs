//! One run: exchanges through a store of their own, under one policy.

use std::collections::{BTreeMap, BTreeSet};

use super::exchange::Exchanged;
use super::nowhere::Nowhere;
use crate::backlog::Backlog;
use crate::detect::caller;
use crate::inspect::Attack;
use crate::policy::{Mode, Policy};
use crate::query::{EventQuery, Filter, Order};
use crate::session::{BatchBuilder, Carried, Detector, Event, EventId, Kinds, Params, SessionId, Stop};
use crate::store::{FoldSizes, Settings, Store, StoreError};
use crate::verdict::{Action, Block};
use crate::wire::{Ask, Flush, IsolateCounts};

/// Exchanges of one flush, as an isolate may send them.
const FLUSH_EVENTS: usize = 64;
/// After the last exchange, by then whatever waited is judged, ms.
const SETTLED_MS: u64 = 60_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Played {
    /// Findings by detector: of which session, at which request.
    pub findings: BTreeMap<&'static str, BTreeSet<(SessionId, EventId)>>,
    /// Requests that would have been answered 429 or 403.
    pub stopped: BTreeMap<EventId, Action>,
}

/// Plays exchanges, in the order of their times, as if `policy` had been enforced since `installed_ms`.
///
/// # Errors
///
/// A run that cannot be read, which would be a bug: nothing is stored that could be damaged.
pub fn play(policy: &Policy, exchanges: &[Exchanged], installed_ms: u64) -> Result<Played, StoreError> {
    let mut policy = policy.clone();
    policy.mode = Mode::Enforce;
    let (subjects, former_subjects) = policy.keys.ring().subjects();
    let settings = Settings {
        subjects,
        former_subjects,
        detectors: policy.detectors.clone(),
        business: policy.business(),
        enforce: true,
        allow: policy.allow.clone(),
        retention_ms: policy.retention_ms,
        max_bytes: u64::MAX,
        fold: FoldSizes {
            at_bytes: usize::MAX,
            one_slice_bytes: usize::MAX,
            merged_chunks: usize::MAX,
            slimmed_bytes: u64::MAX,
        },
        newcomers: policy.newcomers(),
    };
    let mut run = Run { store: Store::open(Nowhere, settings, installed_ms)?, sequence: 0, now_ms: installed_ms };
    let mut played = Played::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut builder = BatchBuilder::default();
    for exchange in exchanges {
        let is_judged = policy.inline(&exchange.method, &exchange.path).is_some_and(|inline| inline.judged);
        let stops = if is_judged && exchange.action < Action::Throttle {
            blocks.extend(run.take(&mut builder)?);
            run.ask(exchange)?
        } else {
            Vec::new()
        };
        let action = stops.iter().map(|stop| stop.finding.action).max().unwrap_or(exchange.action);
        exchange.with_event(|event| builder.push(&Event { action, ..*event }));
        if exchange.issued {
            builder.issued(exchange.session);
        }
        for carried in exchange.carried.iter().filter(|carried| !is_excepted(&policy, exchange, carried)) {
            let Some(tuned) = policy.detectors.attacks.get(carried.attack) else { continue };
            // What is unlike its document is told when the request is over.
            let stopped = carried.attack != Attack::SchemaViolation && tuned.stops(carried.confidence);
            if stopped {
                played.stop(exchange.id, tuned.action);
            }
            builder.carry(Carried { stopped, ..carried.clone() });
        }
        if !stops.is_empty() {
            played.stop(exchange.id, action);
            stops.into_iter().for_each(|stop| builder.stop(stop));
        }
        // What was asked about is recorded before the next is asked, as live.
        if is_judged || builder.len() >= FLUSH_EVENTS {
            blocks.extend(run.take(&mut builder)?);
        }
    }
    if let Some(last) = exchanges.last() {
        last.with_event(|event| builder.push(&later(event)));
        blocks.extend(run.take(&mut builder)?);
    }
    let limit = u32::try_from(exchanges.len() + 1).unwrap_or(u32::MAX);
    for (_, _, event) in run.store.events(&EventQuery::first(Filter::default(), Order::Asc, limit))?.items {
        for finding in event.findings {
            let (Some(session), Some(request), Some(detector)) = (
                SessionId::parse(&finding.session),
                EventId::parse(&finding.request),
                Detector::from_name(&finding.detector),
            ) else {
                continue;
            };
            if session != NOBODY {
                played.findings.entry(detector.name()).or_default().insert((session, request));
            }
        }
    }
    played.hold(&blocks, exchanges);
    Ok(played)
}

/// The session of the event that lets time pass.
const NOBODY: SessionId = SessionId([0; 16]);

fn later<'a>(event: &Event<'a>) -> Event<'a> {
    let time_ms = event.time_ms.saturating_add(SETTLED_MS);
    Event {
        id: EventId::new(time_ms, NOBODY, 0),
        session: NOBODY,
        time_ms,
        method: "GET",
        user: "",
        params: Params::default(),
        ip: None,
        country: "",
        asn: 0,
        ..*event
    }
}

struct Run {
    store: Store<Nowhere>,
    sequence: u64,
    /// Stands still, so that nothing is folded: there is nowhere to fold it to.
    now_ms: u64,
}

impl Run {
    /// Takes in what the builder holds; answers the blocks that follow.
    fn take(&mut self, builder: &mut BatchBuilder) -> Result<Vec<Block>, StoreError> {
        if builder.is_empty() {
            return Ok(Vec::new());
        }
        self.sequence += 1;
        let flush = Flush {
            isolate: 0,
            sequence: self.sequence,
            now_ms: self.now_ms,
            blocks_version: 0,
            counts: IsolateCounts::default(),
            questions: Vec::new(),
            wants_known: false,
            urgent: false,
            backlog: Backlog::default(),
            layout: 1,
            batch: builder.take().encode(),
        };
        Ok(self.store.apply(&flush, self.now_ms)?.imposed)
    }

    /// What the exchange would be stopped for before it is sent on.
    fn ask(&mut self, exchange: &Exchanged) -> Result<Vec<Stop>, StoreError> {
        let mut builder = BatchBuilder::default();
        // Of what was recorded it is not known what came with the response; that is taken for asked too.
        exchange.with_event(|event| builder.push(&Event { status: 200, ..*event }));
        let ask = Ask {
            session: exchange.session,
            ip: exchange.ip,
            now_ms: exchange.id.time_ms(),
            attempt: builder.take().encode(),
            kinds: Kinds(u8::MAX),
            ..Ask::default()
        };
        Ok(self.store.ask(&ask)?.stops)
    }
}

fn is_excepted(policy: &Policy, exchange: &Exchanged, carried: &Carried) -> bool {
    let name = carried.place.split_once(['.', '#']).map_or("", |(_, name)| name);
    policy.exceptions(&exchange.method, &exchange.path).any(|exception| {
        exception.detector.is_none_or(|excepted| excepted == Detector::Attack(carried.attack))
            && exception.parameter.as_deref().is_none_or(|excepted| excepted == name)
    })
}

impl Played {
    fn stop(&mut self, request: EventId, action: Action) {
        let stopped = self.stopped.entry(request).or_insert(action);
        *stopped = (*stopped).max(action);
    }

    /// Stops the requests that came while a block held.
    fn hold(&mut self, blocks: &[Block], exchanges: &[Exchanged]) {
        for block in blocks {
            let held = exchanges.iter().filter(|exchange| {
                let is_of = exchange
                    .with_event(|event| caller(event, event.user).subjects().any(|subject| subject == block.subject));
                let time_ms = exchange.id.time_ms();
                is_of && time_ms > block.created_ms && time_ms < block.until_ms
            });
            for exchange in held {
                self.stop(exchange.id, block.action);
            }
        }
    }
}
