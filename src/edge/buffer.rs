//! Events on their way to the shards: collected in the isolate, flushed after a second or when there are enough.
//!
//! A batch is sealed with a sequence number before it is sent and keeps it through every repetition, so a shard applies
//! it once. A sealed batch leaves the buffer only when its shard has confirmed it. Whoever records an event or asks the
//! API while nobody owns the timer takes it over; an owner whose request died loses it by lease. When a shard in trouble is tried
//! again is decided in `src/backoff.rs`.

use worker::Env;

use super::clock::real_now_ms;
use super::due::Due;
use super::queue::{Queue, SEAL_BYTES, Sealed};
use super::{glue, isolate, object};
use crate::backoff::Trouble;
use crate::detect::attacks::SURE;
use crate::policy::{Limits, Policy};
use crate::session::{Arrival, Carried, Event, Issue, Kinds, Objects, SessionId};
use crate::subject::{SubjectHash, subjects_of};
use crate::verdict::Action;
use crate::wire::{Flush, FlushReply, IsolateCounts, Place, operation};

/// What is collected beyond that, while no more batches may be outstanding, bytes: still within a row.
const MAX_BUILDER_BYTES: usize = 3 * SEAL_BYTES;
/// Refused requests in the buffer that make it worth flushing before its time …
const NOTABLE_EVENTS: u32 = 8;
/// … at most this often, ms: a flood of misses must not become a flood of flushes …
const NOTABLE_EVERY_MS: u64 = 100;
/// … though a few in a row may come sooner, so that a fast scan is seen while it lasts.
const NOTABLE_BURST_MS: u64 = 4 * NOTABLE_EVERY_MS;
/// How long the shard may take to a flush, ms.
const FLUSH_TIMEOUT_MS: u32 = 10_000;
/// How long one request goes on waiting for shards in trouble, ms; after that the next flush takes it along. What runs
/// on in the background of a request is ended by the platform after 30 s.
const PATIENCE_MS: u64 = 20_000;
/// Who has not come back this long after a wait was over, ms, is taken for dead, and another waits instead.
const GRACE_MS: u64 = 2_000;
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
            vigil_until_ms: 0,
            notable: 0,
            notable_paid_ms: 0,
            held: 0,
        }
    }

    /// Takes an event in for the shard that owns its session, and for those that own other subjects of it.
    pub fn record(&mut self, event: &Event<'_>, beside: Beside, policy: &Policy, now_ms: u64) -> Due {
        let Beside { carried, objects } = beside;
        let (shards, limits) = (policy.shards, &policy.limits);
        let severe = carried.iter().any(|carried| carried.confidence >= SURE);
        let notable = event.refused() || event.action > Action::Allow || !carried.is_empty();
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
        carried.into_iter().for_each(|carried| buffer.builder.carry(carried));
        objects.into_iter().for_each(|objects| buffer.builder.hand(objects));
        let full = buffer.is_full(limits);
        self.held += 1;
        self.notable += if severe { NOTABLE_EVENTS } else { u32::from(notable) };
        if shards > 1 {
            self.glimpse(event, shards, &policy.keys.ring().subjects().0);
        }
        self.due(full, limits, now_ms)
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
        if self.timer_until_ms > now {
            return Due::Nothing;
        }
        self.timer_until_ms = now + u64::from(limits.flush_ms) + GRACE_MS;
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
                    layout: shards,
                    urgent: false,
                    batch: batch.encode(),
                };
                buffer.sealed.push_back(Sealed { flush, events: batch.len() as u32, attempts: 0, sent_ms: None });
            }
            sendable.extend(buffer.sendable(now).into_iter().map(|flush| (index, flush)));
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
        buffer.backoff.succeeded(real_now_ms());
    }

    fn failed(&mut self, shard: u32, sequence: u64, trouble: Trouble) {
        self.counts.flush_failures += 1;
        self.counts.overloaded += u64::from(trouble == Trouble::Overloaded);
        let Some(buffer) = self.shards.get_mut(shard as usize) else { return };
        buffer.backoff.failed(trouble, real_now_ms(), js_sys::Math::random());
        if let Some(sealed) = buffer.sealed.iter_mut().find(|s| s.flush.sequence == sequence) {
            sealed.sent_ms = None;
        }
    }

    /// How long until what is held back may be sent, ms; `None` while nothing is.
    fn waits_ms(&self, now_ms: u64) -> Option<u64> {
        let waiting = self.shards.iter().filter(|buffer| {
            // What is collected for a shard that takes everything has its own timer.
            (buffer.backoff.is_recovering() && !buffer.builder.is_empty())
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
        Due::BeforeAnswer => flush(env, policy, true).await,
        Due::Now => flush_until_confirmed(env, policy).await,
        Due::Later => {
            pause(policy.limits.flush_ms).await;
            isolate::with(|isolate| isolate.buffers.release_timer());
            flush_until_confirmed(env, policy).await
        }
    }
}

/// Flushes, and waits for shards in trouble as long as patience lasts, unless another request does already.
async fn flush_until_confirmed(env: &Env, policy: &Policy) -> bool {
    let until_ms = real_now_ms() + PATIENCE_MS;
    loop {
        let confirmed = flush(env, policy, false).await;
        let now_ms = real_now_ms();
        let wait_ms = isolate::with(|i| {
            let wait_ms = i.buffers.waits_ms(now_ms)?.max(MIN_WAIT_MS);
            (now_ms + wait_ms <= until_ms && i.buffers.keep_vigil(wait_ms, now_ms)).then_some(wait_ms)
        });
        let Some(wait_ms) = wait_ms.and_then(|wait_ms| u32::try_from(wait_ms).ok()) else { return confirmed };
        pause(wait_ms).await;
        isolate::with(|i| i.buffers.vigil_until_ms = 0);
    }
}

/// Sends every batch that may be sent, side by side, and then what the answers are to tell other shards; true if all
/// were confirmed and none waits.
async fn flush(env: &Env, policy: &Policy, urgent: bool) -> bool {
    let (confirmed, more) = flush_once(env, policy, urgent).await;
    let confirmed = if more { confirmed && flush_once(env, policy, urgent).await.0 } else { confirmed };
    confirmed && isolate::with(|i| i.buffers.waits_ms(real_now_ms())).is_none()
}

async fn flush_once(env: &Env, policy: &Policy, urgent: bool) -> (bool, bool) {
    let now_ms = super::clock::now_ms(policy.development.clock);
    let sendable = isolate::with(|i| {
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
        sendable
    });
    let sent = sendable.into_iter().map(|(shard, flush)| send(env, policy, shard, Flush { urgent, ..flush }));
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
    let place = Place { layout: policy.shards, index: shard };
    let reply: Result<FlushReply, _> = object::tell_shard(env, place, operation::FLUSH, &flush, FLUSH_TIMEOUT_MS).await;
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
            isolate.buffers.failed(shard, flush.sequence, error.trouble);
            worker::console_error!("flush {} to {} failed, kept: {}", flush.sequence, place.name(), error.text);
            Sent { confirmed: false, arrivals: false }
        }
    })
}

async fn pause(ms: u32) {
    // A timer cannot fail; should it, the flush merely comes early.
    let _ = wasm_bindgen_futures::JsFuture::from(glue::sleep(ms)).await;
}
