//! The live tail without the platform: where a client is, what it was told, how it is written.

use std::collections::{BTreeSet, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Refusal, bad};
use crate::query::{EventAnswer, Filter, ParameterError, Positions, parse_events};
use crate::wire::Place;

/// Events remembered, so that none is told twice.
const REMEMBERED: usize = 4_096;
/// What was folded before it was told is looked for this far back, ms.
const LOOK_BACK_MS: u64 = 120_000;
/// Longest `Last-Event-ID`, bytes.
const MAX_ID: usize = 16_384;

/// The filter of a stream: that of `GET events`, without a range or pages.
pub fn parse_stream(query: &str, now_ms: u64) -> Result<Filter, ParameterError> {
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if matches!(name.as_ref(), "from" | "to" | "limit" | "cursor" | "sort" | "order") {
            let reason = "is not known here; a stream begins now and has no pages".to_owned();
            return Err(ParameterError { name: name.into_owned(), reason });
        }
    }
    Ok(parse_events(query, now_ms, None)?.query.filter)
}

/// How far a client was told.
#[derive(Debug)]
pub struct Tail {
    positions: Positions,
    /// Since when, epoch ms: nothing older is told.
    since_ms: u64,
    /// When shards were last asked.
    looked_ms: u64,
    told: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Tail {
    /// Goes on behind the message of this id; from now on where there is none.
    pub fn read(id: &str, now_ms: u64) -> Result<Self, Refusal> {
        let (positions, since_ms) = match id {
            "" => (Positions::new(), now_ms),
            id if id.len() > MAX_ID => return Err(bad("Last-Event-ID", "is none of this stream's")),
            id => {
                let bytes = URL_SAFE_NO_PAD.decode(id).ok();
                let read = bytes.and_then(|bytes| postcard::from_bytes::<(u64, Positions)>(&bytes).ok());
                let (since_ms, positions) = read.ok_or_else(|| bad("Last-Event-ID", "is none of this stream's"))?;
                (positions, since_ms)
            }
        };
        Ok(Self { positions, since_ms, looked_ms: since_ms, told: BTreeSet::new(), order: VecDeque::new() })
    }

    /// How far each shard was.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Takes in how far a shard is.
    pub fn heard(&mut self, place: Place, position: u64) {
        self.positions.insert(place, position);
    }

    /// From when on is looked for what was folded meanwhile.
    pub fn looked_ms(&self) -> u64 {
        self.looked_ms.saturating_sub(LOOK_BACK_MS).max(self.since_ms)
    }

    /// Of these events those that were not told yet, in the order of their time.
    pub fn new_of(&mut self, events: Vec<EventAnswer>, now_ms: u64) -> Vec<EventAnswer> {
        let mut fresh: Vec<EventAnswer> =
            events.into_iter().filter(|event| self.told.insert(event.id.clone())).collect();
        fresh.sort_by(|a, b| a.id.cmp(&b.id));
        self.order.extend(fresh.iter().map(|event| event.id.clone()));
        while self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
        }
        self.looked_ms = now_ms;
        fresh
    }

    /// The id of a message that tells everything up to here.
    fn id(&self) -> String {
        let bytes = postcard::to_allocvec(&(self.looked_ms, &self.positions)).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Writes messages (WHATWG HTML, server-sent events). JSON has no line breaks, so nothing in it ends a message.
#[derive(Debug)]
pub struct Message;

impl Message {
    /// What stands first: how long to wait before coming again, and where the stream is.
    pub fn opening(told: &[EventAnswer], tail: &Tail) -> String {
        format!("retry: 2000\nid: {}\nevent: open\ndata: {{}}\n\n{}", tail.id(), Self::all(told, tail))
    }

    /// Events and, behind each, its findings. Only the last message has an id: with an earlier one, the others would be
    /// missing. A comment where there is nothing.
    pub fn all(told: &[EventAnswer], tail: &Tail) -> String {
        if told.is_empty() {
            return ": alive\n\n".to_owned();
        }
        let mut out = String::new();
        for event in told {
            write(&mut out, "event", event);
            event.findings.iter().for_each(|finding| write(&mut out, "finding", finding));
        }
        out.push_str(&format!("id: {}\nevent: position\ndata: {{}}\n\n", tail.id()));
        out
    }
}

fn write(out: &mut String, kind: &str, item: &impl serde::Serialize) {
    let json = crate::export::calmed(&serde_json::to_string(item).unwrap_or_default());
    out.push_str(&format!("event: {kind}\ndata: {json}\n\n"));
}
