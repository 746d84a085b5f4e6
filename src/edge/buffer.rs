//! Events on their way to the shards: collected in the isolate, flushed after a second or when there are enough.
//!
//! A batch is sealed with a sequence number before it is sent and keeps it through every repetition, so a shard applies
//! it once. A sealed batch leaves the buffer only when its shard has confirmed it. Whoever records an event while
//! nobody owns the timer takes it over; an owner whose request died loses it by lease.

use std::collections::VecDeque;

use worker::Env;

use super::clock::real_now_ms;
use super::{glue, isolate, object};
use crate::policy::{Limits, Policy};
use crate::session::{Arrival, BatchBuilder, Event, Issue, SessionId};
use crate::store::FLUSH_WINDOW;
use crate::verdict::Action;
use crate::wire::{Flush, FlushReply, IsolateCounts, operation};

/// A batch is sealed at this size, bytes, whatever its number of events: well within a row of two megabytes.
const SEAL_BYTES: usize = 512 * 1024;
/// What is collected beyond that, while no more batches may be outstanding, bytes: still within a row.
const MAX_BUILDER_BYTES: usize = 3 * SEAL_BYTES;
/// Sealed batches one shard may have outstanding: below the window in which it recognises repetitions.
const MAX_SEALED: usize = FLUSH_WINDOW as usize - 28;
/// Refused requests in the buffer that make it worth flushing before its time …
const NOTABLE_EVENTS: u32 = 8;
/// … at most this often, ms: a flood of misses must not become a flood of flushes …
const NOTABLE_EVERY_MS: u64 = 100;
/// … though a few in a row may come sooner, so that a fast scan is seen while it lasts.
const NOTABLE_BURST_MS: u64 = 4 * NOTABLE_EVERY_MS;
/// A flush that has not come back after this long is taken for lost and repeated, ms.
const IN_FLIGHT_MS: u64 = 20_000;
/// How long the shard may take to a flush, ms.
const FLUSH_TIMEOUT_MS: u32 = 10_000;
/// Waits before a failed flush is repeated by the same request, ms; after that the next flush takes it along.
const BACKOFF_MS: [u32; 3] = [200, 1_000, 3_000];
/// Events beyond the buffer's limit that are still taken if they are notable: benign ones are dropped first.
const NOTABLE_RESERVE: u32 = 4;

/// The buffers of all shards.
pub struct Buffers {
    isolate: u64,
    shards: Vec<Buffer>,
    pub counts: IsolateCounts,
    /// Until when somebody waits to flush, platform time.
    timer_until_ms: u64,
    notable: u32,
    /// Until when the early flushes so far are paid for, platform time.
    notable_paid_ms: u64,
    /// Events in all buffers, sealed ones included.
    held: u32,
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

#[derive(Default)]
struct Buffer {
    builder: BatchBuilder,
    sealed: VecDeque<Sealed>,
    sequence: u64,
}

struct Sealed {
    flush: Flush,
    events: u32,
    sent_ms: Option<u64>,
}

/// What recording an event calls for, the most urgent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Nothing,
    /// Wait, then flush: this request owns the timer now.
    Later,
    Now,
    /// Flush, and only then let the answer go: parallel attempts must find each other's outcome.
    BeforeAnswer,
}

impl Due {
    /// The number `entry.mjs` knows it by.
    pub fn code(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Later => 1,
            Self::Now => 2,
            Self::BeforeAnswer => 3,
        }
    }

    /// What [`Due::code`] numbered.
    pub fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Later,
            2 => Self::Now,
            3 => Self::BeforeAnswer,
            _ => Self::Nothing,
        }
    }
}

impl Buffers {
    /// Empty buffers of the isolate with this random number.
    pub fn new(isolate: u64) -> Self {
        Self {
            isolate,
            shards: Vec::new(),
            counts: IsolateCounts::default(),
            timer_until_ms: 0,
            notable: 0,
            notable_paid_ms: 0,
            held: 0,
        }
    }

    /// Takes an event in for the shard that owns its session.
    pub fn record(&mut self, event: &Event<'_>, shards: u32, limits: &Limits, now_ms: u64) -> Due {
        let notable = event.refused() || event.action > Action::Allow;
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
        buffer.builder.push(event);
        let full = buffer.builder.len() >= limits.flush_events as usize || buffer.builder.bytes() >= SEAL_BYTES;
        self.held += 1;
        self.notable += u32::from(notable);
        self.due(full, limits, now_ms)
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
        if self.timer_until_ms > now {
            return Due::Nothing;
        }
        // The lease outlives the wait by enough for the flush itself.
        self.timer_until_ms = now + u64::from(limits.flush_ms) + u64::from(FLUSH_TIMEOUT_MS);
        Due::Later
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

    fn buffer_of(&mut self, session: SessionId, shards: u32) -> Option<&mut Buffer> {
        let index = session.shard(shards) as usize;
        if self.shards.len() <= index {
            self.shards.resize_with(index + 1, Buffer::default);
        }
        self.shards.get_mut(index)
    }

    /// Seals what is collected and hands out every batch that is not under way, with its shard.
    fn take_sendable(&mut self, circumstances: &mut Circumstances) -> Vec<(u32, Flush)> {
        self.notable = 0;
        let now = real_now_ms();
        let mut sendable = Vec::new();
        for (index, buffer) in (0u32..).zip(&mut self.shards) {
            if !buffer.builder.is_empty() && buffer.sealed.len() < MAX_SEALED {
                let batch = buffer.builder.take();
                buffer.sequence += 1;
                let shards = circumstances.shards;
                let questions = circumstances.questions.extract_if(.., |id| id.shard(shards) == index).collect();
                let flush = Flush {
                    isolate: self.isolate,
                    sequence: buffer.sequence,
                    now_ms: circumstances.now_ms,
                    blocks_version: circumstances.blocks_version,
                    counts: core::mem::take(&mut self.counts),
                    questions,
                    wants_known: circumstances.wants_known,
                    batch: batch.encode(),
                };
                buffer.sealed.push_back(Sealed { flush, events: batch.len() as u32, sent_ms: None });
            }
            for sealed in &mut buffer.sealed {
                if sealed.sent_ms.is_none_or(|sent| now.saturating_sub(sent) >= IN_FLIGHT_MS) {
                    sealed.sent_ms = Some(now);
                    sendable.push((index, sealed.flush.clone()));
                }
            }
        }
        sendable
    }

    fn confirmed(&mut self, shard: u32, sequence: u64) {
        let Some(buffer) = self.shards.get_mut(shard as usize) else { return };
        if let Some(at) = buffer.sealed.iter().position(|s| s.flush.sequence == sequence)
            && let Some(sealed) = buffer.sealed.remove(at)
        {
            self.held = self.held.saturating_sub(sealed.events);
        }
    }

    fn failed(&mut self, shard: u32, sequence: u64) {
        self.counts.flush_failures += 1;
        let Some(buffer) = self.shards.get_mut(shard as usize) else { return };
        if let Some(sealed) = buffer.sealed.iter_mut().find(|s| s.flush.sequence == sequence) {
            sealed.sent_ms = None;
        }
    }

    fn release_timer(&mut self) {
        self.timer_until_ms = 0;
    }

    /// The more urgent of two. Whoever gives up waiting for something sooner gives the timer back.
    pub fn more_urgent(&mut self, one: Due, other: Due) -> Due {
        let due = one.max(other);
        if due > Due::Later && one.min(other) == Due::Later {
            self.release_timer();
        }
        due
    }
}

/// Does what recording called for; true if everything that was to be sent is confirmed.
pub async fn carry_out(due: Due, env: &Env, policy: &Policy) -> bool {
    match due {
        Due::Nothing => true,
        Due::BeforeAnswer => flush(env, policy).await,
        Due::Now => flush_until_confirmed(env, policy).await,
        Due::Later => {
            pause(policy.limits.flush_ms).await;
            isolate::with(|isolate| isolate.buffers.release_timer());
            flush_until_confirmed(env, policy).await
        }
    }
}

/// Flushes, and repeats what failed a few times with growing, scattered pauses.
async fn flush_until_confirmed(env: &Env, policy: &Policy) -> bool {
    for backoff in BACKOFF_MS {
        if flush(env, policy).await {
            return true;
        }
        let scatter = (js_sys::Math::random() * f64::from(backoff)) as u32;
        pause(backoff + scatter).await;
    }
    flush(env, policy).await
}

/// Sends every batch that is not under way, side by side, and then what the answers are to tell other shards; true if
/// all were confirmed.
async fn flush(env: &Env, policy: &Policy) -> bool {
    let (confirmed, more) = flush_once(env, policy).await;
    if more { confirmed && flush_once(env, policy).await.0 } else { confirmed }
}

async fn flush_once(env: &Env, policy: &Policy) -> (bool, bool) {
    let now_ms = super::clock::now_ms(policy.development.clock);
    let sendable = isolate::with(|i| {
        let mut circumstances = Circumstances {
            now_ms,
            blocks_version: i.blocks.version(),
            shards: policy.shards,
            wants_known: policy.signer.is_some(),
            questions: i.standings.questions(),
        };
        let sendable = i.buffers.take_sendable(&mut circumstances);
        i.standings.reopen(circumstances.questions);
        sendable
    });
    let sent = sendable.into_iter().map(|(shard, flush)| send(env, policy, shard, flush));
    let results = futures_util::future::join_all(sent).await;
    (results.iter().all(|sent| sent.confirmed), results.iter().any(|sent| sent.arrivals))
}

/// What became of a flush.
struct Sent {
    confirmed: bool,
    /// Whether there is something to tell other shards.
    arrivals: bool,
}

async fn send(env: &Env, policy: &Policy, shard: u32, flush: Flush) -> Sent {
    let reply: Result<FlushReply, _> = object::tell_shard(env, shard, operation::FLUSH, &flush, FLUSH_TIMEOUT_MS).await;
    isolate::with(|isolate| match reply {
        Ok(reply) => {
            isolate.buffers.confirmed(shard, flush.sequence);
            isolate.blocks.take(reply.blocks);
            isolate.blocks_heard_ms = real_now_ms();
            isolate.heard_installed(reply.installed_ms);
            reply.proven.into_iter().for_each(|session| isolate.standings.prove(session));
            let window_ms = policy.allowances().window_ms;
            for (client, until_ms) in reply.rotating {
                isolate.standings.is_rotating(client, until_ms, flush.now_ms, window_ms);
            }
            for known in reply.known {
                isolate.known.insert(known.session, known);
            }
            let arrivals = !reply.arrivals.is_empty();
            reply.arrivals.into_iter().for_each(|arrival| isolate.buffers.arrive(arrival, policy.shards));
            Sent { confirmed: true, arrivals }
        }
        Err(error) => {
            isolate.buffers.failed(shard, flush.sequence);
            worker::console_error!("flush {} to shard {shard} failed, kept: {}", flush.sequence, error.0);
            Sent { confirmed: false, arrivals: false }
        }
    })
}

async fn pause(ms: u32) {
    // A timer cannot fail; should it, the flush merely comes early.
    let _ = wasm_bindgen_futures::JsFuture::from(glue::sleep(ms)).await;
}
