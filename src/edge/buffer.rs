//! Events on their way to the shards: collected in the isolate, flushed after a second or when there are enough.
//!
//! A batch is sealed with a sequence number before it is sent and keeps it through every repetition, so a shard applies
//! it once. A sealed batch leaves the buffer only when its shard has confirmed it. Whoever records an event or asks the
//! API while nobody owns the timer takes it over; an owner whose request died loses it by lease, and one more request at a time
//! looks after that. `flush.mjs` does the waiting and sending; when a shard in trouble is tried again is decided in
//! `src/backoff.rs`.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use super::clock::real_now_ms;
use super::due::Due;
use super::gateway::Gateway;
use super::isolate::{self, Setup};
use super::object::CallError;
use super::queue::{Queue, SEAL_BYTES, Sealed};
use crate::backlog::Backlog;
use crate::backoff::Trouble;
use crate::detect::attacks::SURE;
use crate::inspect::Attack;
use crate::inventory::Traits;
use crate::policy::{Limits, Policy};
use crate::session::{Arrival, Carried, Event, Issue, Kinds, Objects, SessionId, Stop};
use crate::subject::{SubjectHash, subjects_of};
use crate::verdict::Action;
use crate::wire::{self, Flush, FlushReply, IsolateCounts, Place};

/// What is collected beyond that, while no more batches may be outstanding, bytes: still within a row.
const MAX_BUILDER_BYTES: usize = 3 * SEAL_BYTES;
/// Refused requests in the buffer that make it worth flushing before its time …
const NOTABLE_EVENTS: u32 = 8;
/// … at most this often, ms: a flood of misses must not become a flood of flushes …
const NOTABLE_EVERY_MS: u64 = 100;
/// … though a few in a row may come sooner, so that a fast scan is seen while it lasts.
const NOTABLE_BURST_MS: u64 = 4 * NOTABLE_EVERY_MS;
/// Who has not come back this long after a wait was over, ms, is taken for dead, and another waits instead.
const GRACE_MS: u64 = 2_000;

/// How long after its event a request looks whether it was flushed, ms: whoever owned the timer must be dead by then.
fn watch_ms(limits: &Limits) -> u64 {
    u64::from(limits.flush_ms) + GRACE_MS + MIN_WAIT_MS
}

/// The shortest such wait, ms: a batch may be ready while another is still under way to the same shard.
const MIN_WAIT_MS: u64 = 200;
/// Events beyond the buffer's limit that are still taken if they are notable: benign ones are dropped first.
const NOTABLE_RESERVE: u32 = 4;

/// The buffers of all shards.
pub struct Buffers {
    isolate: u64,
    shards: Vec<Queue>,
    pub counts: IsolateCounts,
    /// Until when somebody waits to flush, platform time.
    timer_until_ms: u64,
    /// Until when somebody looks after whoever waits to flush.
    watch_until_ms: u64,
    /// Until when somebody waits for shards in trouble, platform time.
    vigil_until_ms: u64,
    notable: u32,
    /// Until when the early flushes so far are paid for, platform time.
    notable_paid_ms: u64,
    /// Events in all buffers, sealed ones included.
    held: u32,
}

/// What goes to its session's shard with an event.
#[derive(Debug, Default)]
pub struct Beside {
    pub carried: Vec<Carried>,
    pub objects: Option<Objects>,
    pub traits: Option<Traits>,
}

/// What every flush of a moment says beside its events.
struct Circumstances {
    now_ms: u64,
    blocks_version: u64,
    shards: u32,
    wants_known: bool,
    /// Sessions whose keys the isolate would like to know proven.
    questions: Vec<SessionId>,
}

impl Buffers {
    /// Empty buffers of the isolate with this random number.
    pub fn new(isolate: u64) -> Self {
        Self {
            isolate,
            shards: Vec::new(),
            counts: IsolateCounts::default(),
            timer_until_ms: 0,
            watch_until_ms: 0,
            vigil_until_ms: 0,
            notable: 0,
            notable_paid_ms: 0,
            held: 0,
        }
    }

    /// Takes an event in for the shard that owns its session, and for those that own other subjects of it.
    pub fn record(&mut self, event: &Event<'_>, beside: Beside, policy: &Policy, now_ms: u64) -> Due {
        let Beside { carried, objects, traits } = beside;
        let (shards, limits) = (policy.shards, &policy.limits);
        let severe = carried.iter().any(|carried| carried.confidence >= SURE);
        // What is unlike its document is nobody's attack: an old client would flush with every request.
        let attacks = carried.iter().any(|carried| carried.attack != Attack::SchemaViolation);
        let notable = event.refused() || event.action > Action::Allow || attacks;
        let room = limits.buffer_events + if notable { limits.buffer_events / NOTABLE_RESERVE } else { 0 };
        if self.held >= room {
            self.counts.dropped += 1;
            self.counts.dropped_notable += u64::from(notable);
            return Due::Nothing;
        }
        let Some(buffer) = self.buffer_of(event.session, shards) else { return Due::Nothing };
        if buffer.builder.bytes() >= MAX_BUILDER_BYTES {
            // The shard has not taken anything for long; a batch beyond what a row holds would never be taken.
            self.counts.dropped += 1;
            self.counts.dropped_notable += u64::from(notable);
            return Due::Now;
        }
        buffer.since_ms.get_or_insert(now_ms);
        buffer.builder.push(event);
        carried.into_iter().for_each(|carried| buffer.builder.carry(carried));
        objects.into_iter().for_each(|objects| buffer.builder.hand(objects));
        traits.into_iter().for_each(|traits| buffer.builder.show(traits));
        let full = buffer.is_full(limits);
        self.held += 1;
        self.notable += if severe { NOTABLE_EVENTS } else { u32::from(notable) };
        if shards > 1 {
            self.glimpse(event, shards, &policy.keys.ring().subjects().0);
        }
        self.due(full, limits, now_ms)
    }

    /// Notes what the request recorded last was stopped for.
    pub fn stopped(&mut self, session: SessionId, stops: Vec<Stop>, shards: u32) {
        if !stops.is_empty()
            && let Some(buffer) = self.buffer_of(session, shards)
        {
            stops.into_iter().for_each(|stop| buffer.builder.stop(stop));
        }
    }

    /// Tells the shards that own the event's other subjects. What does not fit there is left out: the event itself is not.
    fn glimpse(&mut self, event: &Event<'_>, shards: u32, hash: &SubjectHash) {
        let (own, mut elsewhere) = (event.session.shard(shards), Vec::<(u32, Kinds)>::new());
        for (key, _) in subjects_of(event, hash) {
            let shard = key.shard(shards);
            match elsewhere.iter_mut().find(|(there, _)| *there == shard) {
                Some((_, kinds)) => kinds.0 |= key.kind.alone().0,
                None if shard != own => elsewhere.push((shard, key.kind.alone())),
                None => {}
            }
        }
        for (shard, kinds) in elsewhere {
            let Some(buffer) = self.buffer_at(shard, shards) else { continue };
            if buffer.builder.bytes() < MAX_BUILDER_BYTES {
                buffer.builder.glimpse(event, kinds);
            } else {
                self.counts.dropped += 1;
            }
        }
    }

    fn due(&mut self, full: bool, limits: &Limits, now: u64) -> Due {
        if full {
            return Due::Now;
        }
        if self.notable >= NOTABLE_EVENTS && self.notable_paid_ms < now + NOTABLE_BURST_MS {
            self.notable_paid_ms = self.notable_paid_ms.max(now) + NOTABLE_EVERY_MS;
            self.notable = 0;
            return Due::Now;
        }
        if self.timer_until_ms <= now {
            self.timer_until_ms = now + u64::from(limits.flush_ms) + GRACE_MS;
            return Due::Later;
        }
        if self.watch_until_ms <= now {
            self.watch_until_ms = now + watch_ms(limits) + GRACE_MS;
            return Due::Watch;
        }
        Due::Nothing
    }

    /// Notes a key issued in one session, which leads to another.
    pub fn issue(&mut self, issue: Issue, shards: u32) {
        if let Some(buffer) = self.buffer_of(issue.from, shards).filter(|b| b.builder.bytes() < SEAL_BYTES) {
            buffer.builder.issue(issue);
        }
    }

    /// Notes that the origin issued the key of a session.
    pub fn issued(&mut self, session: SessionId, shards: u32) {
        if let Some(buffer) = self.buffer_of(session, shards).filter(|b| b.builder.bytes() < SEAL_BYTES) {
            buffer.builder.issued(session);
        }
    }

    /// Passes on what one shard says to another about a session of that one.
    fn arrive(&mut self, arrival: Arrival, shards: u32) {
        if let Some(buffer) = self.buffer_of(arrival.to, shards)
            && buffer.builder.bytes() < SEAL_BYTES
        {
            buffer.builder.arrive(arrival);
        }
    }

    fn buffer_of(&mut self, session: SessionId, shards: u32) -> Option<&mut Queue> {
        self.buffer_at(session.shard(shards), shards)
    }

    fn buffer_at(&mut self, index: u32, shards: u32) -> Option<&mut Queue> {
        let index = index as usize;
        if self.shards.len() <= index {
            self.shards.resize_with(index + 1, Queue::default);
        }
        let buffer = self.shards.get_mut(index)?;
        buffer.builder.set_layout(shards);
        Some(buffer)
    }

    /// Seals what is collected and hands out every batch that is not under way, with its shard.
    fn take_sendable(&mut self, circumstances: &mut Circumstances) -> Vec<(u32, Flush)> {
        self.notable = 0;
        let now = real_now_ms();
        let mut sendable = Vec::new();
        for (index, buffer) in (0u32..).zip(&mut self.shards) {
            let given_up = buffer.give_up(now);
            self.counts.dropped += u64::from(given_up);
            self.held = self.held.saturating_sub(given_up);
            if buffer.is_to_be_sealed() {
                let batch = buffer.builder.take();
                let since_ms = buffer.since_ms.take().unwrap_or(now);
                let backlog = buffer.backlog(now);
                buffer.sequence += 1;
                let shards = circumstances.shards;
                let questions = circumstances.questions.extract_if(.., |id| id.shard(shards) == index).collect();
                let flush = Flush {
                    isolate: self.isolate,
                    sequence: buffer.sequence,
                    now_ms: circumstances.now_ms,
                    blocks_version: circumstances.blocks_version,
                    counts: core::mem::take(&mut self.counts),
                    backlog,
                    questions,
                    wants_known: circumstances.wants_known,
                    layout: shards,
                    urgent: false,
                    batch: batch.encode(),
                };
                buffer.sealed.push_back(Sealed {
                    flush,
                    events: batch.len() as u32,
                    since_ms,
                    attempts: 0,
                    sent_ms: None,
                });
            }
            sendable.extend(buffer.sendable(now).into_iter().map(|flush| (index, flush)));
        }
        sendable
    }

    /// A queue that a flush of this `isolate` was taken from: not one of an instance that was there before a failure.
    fn sender(&mut self, isolate: u64, shard: u32) -> Option<&mut Queue> {
        self.shards.get_mut(shard as usize).filter(|_| isolate == self.isolate)
    }

    fn confirmed(&mut self, isolate: u64, shard: u32, sequence: u64) {
        let Some(buffer) = self.sender(isolate, shard) else { return };
        buffer.backoff.succeeded(real_now_ms());
        if let Some(at) = buffer.sealed.iter().position(|s| s.flush.sequence == sequence)
            && let Some(sealed) = buffer.sealed.remove(at)
        {
            self.held = self.held.saturating_sub(sealed.events);
        }
    }

    fn failed(&mut self, isolate: u64, shard: u32, sequence: u64, trouble: Trouble) {
        self.counts.flush_failures += 1;
        self.counts.overloaded += u64::from(trouble == Trouble::Overloaded);
        let Some(buffer) = self.sender(isolate, shard) else { return };
        buffer.backoff.failed(trouble, real_now_ms(), js_sys::Math::random());
        if let Some(sealed) = buffer.sealed.iter_mut().find(|s| s.flush.sequence == sequence) {
            sealed.sent_ms = None;
        }
    }

    /// How long until what is held back may be sent, ms; `None` while nothing is.
    fn waits_ms(&self, now_ms: u64) -> Option<u64> {
        let waiting = self.shards.iter().filter(|buffer| {
            // What is collected for a shard that takes everything has its own timer, once more has come.
            let has_timer = !buffer.backoff.is_recovering() && self.timer_until_ms > now_ms;
            (!has_timer && !buffer.builder.is_empty())
                || buffer.sealed.iter().any(|sealed| !sealed.is_under_way(now_ms))
        });
        waiting.map(|buffer| buffer.backoff.left_ms(now_ms)).min()
    }

    /// Whether the caller is to wait for shards in trouble this long, ms, because nobody else does.
    fn keep_vigil(&mut self, wait_ms: u64, now_ms: u64) -> bool {
        let free = self.vigil_until_ms <= now_ms;
        if free {
            self.vigil_until_ms = now_ms + wait_ms + GRACE_MS;
        }
        free
    }

    /// Whether events wait for which nobody will come: the request that owned the timer or waited for a shard in trouble
    /// has ended before its time.
    pub fn is_abandoned(&self, now_ms: u64) -> bool {
        self.held > 0 && self.timer_until_ms <= now_ms && self.vigil_until_ms <= now_ms
    }

    /// What is held, for the log of whoever watches.
    pub fn backlog(&self) -> Backlog {
        let now_ms = real_now_ms();
        self.shards.iter().fold(Backlog::default(), |all, queue| all.with(queue.backlog(now_ms)))
    }

    /// The more urgent of two. Whoever gives up waiting for something sooner gives the timer back.
    pub fn more_urgent(&mut self, one: Due, other: Due) -> Due {
        let due = one.max(other);
        if due > Due::Later && one.min(other) == Due::Later {
            self.timer_until_ms = 0;
        }
        due
    }
}

/// What `flush.mjs` hands over and takes back. All of it runs to its end without an await.
#[wasm_bindgen]
impl Gateway {
    /// How long whoever owns the timer waits, ms.
    #[wasm_bindgen(js_name = flushMs)]
    pub fn flush_ms() -> u32 {
        policy().map_or(0, |policy| policy.limits.flush_ms)
    }

    /// … and whoever looks whether that was done.
    #[wasm_bindgen(js_name = watchMs)]
    pub fn watch_ms() -> u32 {
        policy().map_or(0, |policy| watch_ms(&policy.limits) as u32)
    }

    /// A flush that was to come later comes now.
    #[wasm_bindgen(js_name = timerOver)]
    pub fn timer_over() {
        isolate::with(|isolate| isolate.buffers.timer_until_ms = 0);
    }

    /// The watch is over; true if what was collected lies there still.
    pub fn watched() -> bool {
        isolate::with(|isolate| {
            isolate.buffers.watch_until_ms = 0;
            isolate.buffers.is_abandoned(real_now_ms())
        })
    }

    /// Everything that may be sent now: isolate, shard, sequence, name of the object, message.
    pub fn sendable(urgent: bool) -> Vec<js_sys::Array> {
        let Some(policy) = policy() else { return Vec::new() };
        let now_ms = super::clock::now_ms(policy.development.clock);
        isolate::with(|i| {
            let mut circumstances = Circumstances {
                now_ms,
                blocks_version: i.blocks.version(),
                shards: policy.shards,
                // Whoever looks for blocked users has to know whose sessions are whose.
                wants_known: policy.signer.is_some() || i.blocks.has_users(),
                questions: i.standings.questions(),
            };
            let sendable = i.buffers.take_sendable(&mut circumstances);
            i.standings.reopen(circumstances.questions);
            let parcel = |(shard, flush): (u32, Flush)| {
                let (isolate, sequence) = (flush.isolate as f64, flush.sequence as f64);
                let place = Place { layout: policy.shards, index: shard };
                let message = wire::encode(&Flush { urgent, ..flush });
                let message = js_sys::Uint8Array::from(message.as_slice());
                let parts: [JsValue; 5] =
                    [isolate.into(), shard.into(), sequence.into(), place.name().into(), message.into()];
                parts.iter().collect()
            };
            sendable.into_iter().map(parcel).collect()
        })
    }

    /// Takes in a shard's answer to a flush; whether it has something to tell other shards. An answer that cannot be read
    /// is none.
    pub fn flushed(isolate: f64, shard: u32, sequence: f64, answer: &[u8]) -> Result<bool, JsValue> {
        let reply: FlushReply =
            wire::decode(answer).ok_or_else(|| js_sys::Error::new("the shard's answer cannot be read"))?;
        let Some(policy) = policy() else { return Ok(false) };
        Ok(isolate::with(|i| {
            i.buffers.confirmed(isolate as u64, shard, sequence as u64);
            i.blocks.take(reply.blocks);
            i.blocks_heard_ms = real_now_ms();
            i.heard_installed(reply.installed_ms);
            i.heard_normal(shard, reply.normal);
            i.documents.heard(reply.inventory);
            reply.proven.into_iter().for_each(|session| i.standings.prove(session));
            let now_ms = super::clock::now_ms(policy.development.clock);
            for (client, until_ms) in reply.rotating {
                i.standings.is_rotating(client, until_ms, now_ms, policy.allowances().window_ms);
            }
            for known in reply.known {
                i.known.insert(known.session, known);
            }
            let any = !reply.arrivals.is_empty();
            reply.arrivals.into_iter().for_each(|arrival| i.buffers.arrive(arrival, policy.shards));
            any
        }))
    }

    /// Takes in that a flush was not answered; it is kept.
    pub fn unflushed(isolate: f64, shard: u32, sequence: f64, error: JsValue) {
        let error = CallError::from(error);
        isolate::with(|i| i.buffers.failed(isolate as u64, shard, sequence as u64, error.trouble));
        worker::console_error!("flush {sequence} to shard {shard} failed, kept: {}", error.text);
    }

    /// How long to wait for shards in trouble before the next flush, ms; negative if nothing waits, another request does,
    /// or it would be later than `until`, epoch ms.
    #[wasm_bindgen(js_name = keepVigil)]
    pub fn keep_vigil(until: f64) -> i32 {
        let now_ms = real_now_ms();
        isolate::with(|i| {
            let wait_ms = i.buffers.waits_ms(now_ms)?.max(MIN_WAIT_MS);
            let kept = now_ms + wait_ms <= until as u64 && i.buffers.keep_vigil(wait_ms, now_ms);
            kept.then(|| i32::try_from(wait_ms).ok()).flatten()
        })
        .unwrap_or(-1)
    }

    /// The wait is over.
    #[wasm_bindgen(js_name = vigilOver)]
    pub fn vigil_over() {
        isolate::with(|i| i.buffers.vigil_until_ms = 0);
    }

    /// Whether nothing waits for a shard in trouble.
    #[wasm_bindgen(js_name = isIdle)]
    pub fn is_idle() -> bool {
        isolate::with(|i| i.buffers.waits_ms(real_now_ms())).is_none()
    }
}

fn policy() -> Option<Rc<Policy>> {
    isolate::with(|isolate| match &isolate.setup {
        Setup::Ready(policy) => Some(policy.clone()),
        Setup::Refused { .. } | Setup::Unloaded => None,
    })
}
