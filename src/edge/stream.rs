//! Live tail: events and their findings as server-sent events, asked for at the shards while somebody listens.
//!
//! Each shard is asked for what came after a journal position, so that nothing is told twice and nothing is left out; the
//! positions are the id of each message, with which a client that lost its connection goes on. What was folded before it
//! was told is looked for by time. No shard is asked when the client does not read, and none knows of the client.

use super::admin::{Answer, Api};
use super::parts::{Asker, Next, Source};
use super::{clock, glue, isolate};
use crate::api::Refusal;
use crate::api::stream::{Message, Tail, parse_stream};
use crate::query::{EventAnswer, EventQuery, Filter, Order, Positions, Question, Tailed};

/// How often shards are asked, ms: soon after something came, more rarely while nothing does.
const SOON_MS: u32 = 1_000;
const IDLE_MS: u32 = 3_000;
/// A stream ends then, and the client comes again where it was, ms.
const LONGEST_MS: u64 = 15 * 60_000;
/// Streams one isolate serves at the same time; one that was not read for longer than this, ms, does not count.
const MAX_STREAMS: usize = 64;
const UNREAD_MS: u64 = 10_000;

struct Stream {
    asker: Asker,
    id: u64,
    filter: Filter,
    tail: Tail,
    began_ms: u64,
    /// Whether the first part was made, and whether the last one told nothing.
    opened: bool,
    idle: bool,
}

impl Api<'_> {
    pub async fn stream(&self) -> Answer {
        let mut filter = parse_stream(self.query, self.now_ms)?;
        self.resolve_users(&mut filter);
        let last = self.request.headers().get("last-event-id").ok().flatten().unwrap_or_default();
        let tail = Tail::read(&last, self.now_ms)?;
        let began_ms = clock::real_now_ms();
        let id = isolate::with(|isolate| {
            isolate.streams.retain(|_, read_ms| began_ms.saturating_sub(*read_ms) < UNREAD_MS);
            let id = isolate.streams.keys().next_back().map_or(0, |last| last + 1);
            (isolate.streams.len() < MAX_STREAMS).then(|| {
                isolate.streams.insert(id, began_ms);
                id
            })
        });
        let id = id.ok_or(Refusal::TooManyStreams)?;
        let source = Stream { asker: self.asker(), id, filter, tail, began_ms, opened: false, idle: false };
        self.streamed(Box::new(source), &[("content-type", "text/event-stream; charset=utf-8")])
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        isolate::with(|isolate| isolate.streams.remove(&self.id));
    }
}

impl Source for Stream {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async move {
            let now_ms = clock::real_now_ms();
            if now_ms.saturating_sub(self.began_ms) >= LONGEST_MS {
                return Ok(None);
            }
            isolate::with(|isolate| isolate.streams.insert(self.id, now_ms));
            if !core::mem::replace(&mut self.opened, true) {
                // Learns where the shards are, unless the client says so.
                let told = self.poll().await;
                return Ok(Some(Message::opening(&told, &self.tail).into_bytes()));
            }
            let wait_ms = if self.idle { IDLE_MS } else { SOON_MS };
            let _ = wasm_bindgen_futures::JsFuture::from(glue::sleep(wait_ms)).await;
            let told = self.poll().await;
            self.idle = told.is_empty();
            // Also where there is nothing to tell: only who writes notices that nobody reads any more.
            Ok(Some(Message::all(&told, &self.tail).into_bytes()))
        })
    }
}

impl Stream {
    /// What came since, from every shard that answers; one that does not is asked again next time.
    async fn poll(&mut self) -> Vec<EventAnswer> {
        let api = self.asker.api();
        let spread = api.spread().await;
        let since: Positions = self.tail.positions().clone();
        let filter = &self.filter;
        let (api_ref, since_ref) = (&api, &since);
        let asked = api.ask_each(&spread, spread.all(), |place| async move {
            let question = Question::Tail(filter.clone(), since_ref.get(&place).copied());
            api_ref.ask_one::<Tailed>(place, &question).await
        });
        let Ok(asked) = asked.await else { return Vec::new() };
        let mut told = Vec::new();
        let mut folded = false;
        for (place, tailed) in asked.answers {
            folded |= tailed.folded;
            self.tail.heard(place, tailed.position);
            told.extend(tailed.events);
        }
        if folded {
            let from_ms = Some(self.tail.looked_ms());
            let query = EventQuery::first(Filter { from_ms, ..self.filter.clone() }, Order::Asc, 500);
            if let Ok((page, _)) = api.events_page(&spread, query).await {
                told.extend(page.items.into_iter().map(|(.., event)| event));
            }
        }
        let mask = api.mask();
        self.tail.new_of(told, api.now_ms).into_iter().map(|event| mask.event(event)).collect()
    }
}
