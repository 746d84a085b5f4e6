//! BOLA by ownership: somebody gets an object that the origin never handed to them.
//!
//! On routes with `objects = "learn"` the ids in JSON answers are remembered for the session and its user: exactly up to
//! 64, then in a Bloom filter of 4,096 bits (1 % wrong at 400, and wrong to the quiet side). **Fires** for the first
//! request that names an id never handed out to either and is answered 2xx, and again when there are twice as many; with
//! full weight where the object was handed to somebody else before. It is judged ten seconds later by the clock of the events:
//! a client opens what a list named before the list is recorded, which happens behind its answer, perhaps by another isolate. Asking in vain, or for what was never handed out, on
//! twenty different ids within two weeks by one user is [`Detector::BolaEnumeration`], however slow.
//!
//! **Unknown, and never a finding**: before the collection was listed in the session, and completely; once an answer was
//! cut, had another page, or the filter is overfull; when the session's key is nothing but the client's word. **Shared** is
//! an object that was handed to, or opened by, three; **public** an endpoint where of twenty objects opened more than one
//! in ten were not handed out before, over all sessions: ids come from somewhere that is not read.
//!
//! **Innocent behaviour that looks like it**: a link in a mail, a bookmark, an app that kept a list of yesterday. The first
//! object opened so after a complete list is told, with little weight where it is nobody else's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Suspicion;
use super::tuning::Tuning;
use crate::session::{Batch, BatchBuilder, Detector, Event, Objects, Proof, Session, Severity};

const EXACT: usize = 64;
const BLOOM_WORDS: usize = 64;
/// Ids beyond which the filter says yes too often.
const OVERFULL: u16 = 400;
/// Collections whose lists are remembered of one owner.
const MAX_LISTED: usize = 8;
/// Users, objects and endpoints remembered by a shard.
const MAX_USERS: usize = 512;
const MAX_OBJECTS: usize = 8_192;
const MAX_ENDPOINTS: usize = 256;
/// Owners that make an object shared.
const SHARED: u8 = 3;
/// Objects opened at an endpoint from which on it is judged, and one in how many may be foreign.
const JUDGED: u32 = 20;
const PUBLIC: u32 = 10;
/// How many openings of one session count for that.
const MAX_COUNTED: u8 = 3;
/// Different ids one user asked for in vain or without having been given, and for how long they count, days.
const SLOW: usize = 20;
const SLOW_DAYS: u16 = 14;
const DAY_MS: u64 = 86_400_000;
/// How long an opening waits for what may name its object, ms, and how many of one session wait at a time.
pub const WAIT_MS: u64 = 10_000;
const MAX_WAITING: usize = 16;

/// What somebody was handed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Handed {
    ids: Vec<u32>,
    /// Empty until there are too many for the list.
    bloom: Vec<u64>,
    count: u16,
    /// Something was handed out that is not known.
    incomplete: bool,
    /// Collections of which a whole list was seen.
    listed: Vec<u32>,
    /// Foreign objects got.
    foreign: u16,
    /// Openings that counted for their endpoint.
    counted: u8,
    /// Openings that are judged when they have waited, oldest first.
    waiting: Vec<Waiting>,
}

/// An object that was opened and not handed out so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    due_ms: u64,
    id: u32,
    endpoint: u32,
    collection: u32,
    is_anothers: bool,
    /// The event, as a batch of its own.
    event: Vec<u8>,
}

impl Handed {
    fn has(&self, id: u32) -> bool {
        if self.bloom.is_empty() {
            return self.ids.contains(&id);
        }
        places(id).all(|(word, bit)| self.bloom.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn add(&mut self, id: u32) {
        if self.has(id) {
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.bloom.is_empty() && self.ids.len() < EXACT {
            return self.ids.push(id);
        }
        if self.bloom.is_empty() {
            self.bloom = vec![0; BLOOM_WORDS];
        }
        for id in core::mem::take(&mut self.ids).into_iter().chain([id]) {
            for (word, bit) in places(id) {
                if let Some(bits) = self.bloom.get_mut(word) {
                    *bits |= bit;
                }
            }
        }
    }

    /// Counts an opening for its endpoint, unless the session's have counted enough.
    fn count(&mut self, shared: &mut Ownership, endpoint: u32, is_foreign: bool) {
        if self.counted < MAX_COUNTED {
            self.counted += 1;
            shared.count(endpoint, is_foreign);
        }
    }

    fn is_whole(&self, collection: u32) -> bool {
        !self.incomplete && self.count <= OVERFULL && self.listed.contains(&collection)
    }

    /// Takes in an answer; `strange` is what it was asked for and nobody handed out: that it holds itself is no news.
    fn take(&mut self, objects: &Objects, strange: Option<u32>) {
        let collection = objects.collection;
        objects.issued.iter().filter(|id| Some(**id) != strange).for_each(|id| self.add(*id));
        self.incomplete |= objects.more;
        if objects.asked.is_none() && !objects.more && !self.listed.contains(&collection) {
            if self.listed.len() >= MAX_LISTED {
                self.listed.remove(0);
            }
            self.listed.push(collection);
        }
    }

    /// Whether an opening waits to be judged.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Lets an opening wait, but for one too many.
    fn wait(&mut self, id: u32, objects: &Objects, is_anothers: bool, event: &Event<'_>) {
        if self.waiting.len() < MAX_WAITING && !self.waiting.iter().any(|waiting| waiting.id == id) {
            let mut batch = BatchBuilder::default();
            batch.push(event);
            self.waiting.push(Waiting {
                due_ms: event.time_ms.saturating_add(WAIT_MS),
                id,
                endpoint: objects.endpoint,
                collection: objects.collection,
                is_anothers,
                event: batch.take().encode(),
            });
        }
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|waiting| size_of::<Waiting>() + waiting.event.len()).sum();
        size_of::<Self>() + waiting + self.ids.capacity() * 4 + self.bloom.capacity() * 8 + self.listed.capacity() * 4
    }
}

/// Places of an id in the filter: four parts of a number made of it.
fn places(id: u32) -> impl Iterator<Item = (usize, u64)> {
    let spread = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..4).map(move |part| {
        let place = (spread >> (part * 16)) as usize & (BLOOM_WORDS * 64 - 1);
        (place / 64, 1 << (place % 64))
    })
}

/// What a shard remembers across sessions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ownership {
    users: BTreeMap<u64, OfUser>,
    /// Who was handed an object first, and how many were in all.
    objects: BTreeMap<u32, (u32, u8, u64)>,
    /// Openings of objects by endpoint, and how many were foreign.
    endpoints: BTreeMap<u32, (u32, u32)>,
    clock: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct OfUser {
    used: u64,
    handed: Handed,
    /// Ids asked for that were not handed out, and the day.
    strange: Vec<(u32, u16)>,
}

/// Shows an event of such a route. `user` is a hash of the session's user, 0 where it is not known.
pub fn observe(
    own: &mut Option<Box<Handed>>,
    shared: &mut Ownership,
    event: &Event<'_>,
    objects: &Objects,
    (session, user): (&Session, u64),
) -> Vec<Suspicion> {
    let answered = (200..300).contains(&event.status);
    let own = own.get_or_insert_default();
    let owner = if user == 0 { session.id.prefix() as u32 } else { user as u32 };
    shared.clock += 1;
    let clock = shared.clock;
    let mut found = Vec::new();
    if let Some(id) = objects.asked {
        let created = event.status == 201 && matches!(event.method, "PUT" | "POST");
        let of_user = shared.users.get(&user).filter(|_| user != 0);
        let is_handed = created || own.has(id) || of_user.is_some_and(|known| known.handed.has(id));
        if created {
            own.add(id);
        }
        let is_whole = own.is_whole(objects.collection) && of_user.is_none_or(|known| !known.handed.incomplete);
        let is_refused = matches!(event.status, 403 | 404);
        if !is_handed && user != 0 && is_refused {
            found.extend(shared.strange(user, id, event, clock));
        }
        if answered {
            let known = shared.object(id, owner, clock);
            if is_handed || !is_whole {
                own.count(shared, objects.endpoint, !is_handed);
                // What was got once is known from then on.
                own.add(id);
            } else {
                own.wait(id, objects, known.is_some_and(|(first, _)| first != owner), event);
            }
        }
    }
    if answered {
        let strange = objects.asked.filter(|id| own.waiting.iter().any(|waiting| waiting.id == *id));
        own.take(objects, strange);
        for id in &objects.issued {
            shared.object(*id, owner, clock);
        }
        if user != 0 {
            let of_user = shared.users.entry(user).or_default();
            of_user.used = clock;
            of_user.handed.take(objects, strange);
        }
    }
    shared.shrink();
    found
}

/// Judges the openings whose wait is over at `now_ms`; answers the event of each that is looked at, and what looks wrong.
pub fn settle(
    own: &mut Handed,
    shared: &mut Ownership,
    now_ms: u64,
    (session, user): (&Session, u64),
    tuning: &Tuning,
) -> Vec<(Batch, Vec<Suspicion>)> {
    let due: Vec<Waiting> = own.waiting.extract_if(.., |waiting| waiting.due_ms <= now_ms).collect();
    let judged = due.into_iter().filter_map(|Waiting { id, endpoint, collection, is_anothers, event, .. }| {
        let batch = Batch::decode(&event).ok()?;
        let event = batch.event(0)?;
        let of_user = shared.users.get(&user).filter(|_| user != 0);
        let is_handed = own.has(id) || of_user.is_some_and(|known| known.handed.has(id));
        let is_whole = own.is_whole(collection) && of_user.is_none_or(|known| !known.handed.incomplete);
        let is_public = shared.is_public(endpoint);
        own.count(shared, endpoint, !is_handed);
        own.add(id);
        if is_handed || !is_whole {
            return None;
        }
        let mut found = Vec::new();
        if user != 0 {
            let clock = shared.clock;
            found.extend(shared.strange(user, id, &event, clock));
        }
        let is_shared = shared.objects.get(&id).is_some_and(|(_, owners, _)| *owners > SHARED);
        let is_proven = session.proof > Proof::Unproven && !session.is_address_bound();
        if !is_public && !is_shared && is_proven {
            own.foreign = own.foreign.saturating_add(1);
            found.push(suspicion(&event, own.foreign, is_anothers, tuning));
        }
        Some((batch, found))
    });
    judged.collect()
}

fn suspicion(event: &Event<'_>, foreign: u16, is_anothers: bool, tuning: &Tuning) -> Suspicion {
    let whose = if is_anothers { "was handed to somebody else" } else { "was never handed to them" };
    Suspicion {
        detector: Detector::BolaForeignObject,
        severity: if is_anothers { Severity::High } else { Severity::Medium },
        confidence: if is_anothers { 0.9 } else { 0.6 },
        value: f64::from(foreign),
        baseline: f64::from(tuning.limit),
        message: format!("{} {} answered {} with an object that {whose}", event.method, event.template, event.status),
        evidence: Vec::new(),
        if_idle: false,
    }
}

impl Ownership {
    /// Notes that somebody has an object; answers who had it first and how many have it, before that.
    fn object(&mut self, id: u32, owner: u32, clock: u64) -> Option<(u32, u8)> {
        let before = self.objects.get(&id).map(|(first, owners, _)| (*first, *owners));
        let entry = self.objects.entry(id).or_insert((owner, 1, clock));
        entry.2 = clock;
        // Owners beyond the first are not told apart: one who comes back counts again, which errs to the quiet side.
        if entry.0 != owner {
            entry.1 = entry.1.saturating_add(1).min(SHARED + 1);
        }
        before
    }

    fn is_public(&self, endpoint: u32) -> bool {
        let (opened, foreign) = self.endpoints.get(&endpoint).copied().unwrap_or_default();
        opened >= JUDGED && foreign * PUBLIC > opened
    }

    fn count(&mut self, endpoint: u32, is_foreign: bool) {
        if self.endpoints.len() >= MAX_ENDPOINTS && !self.endpoints.contains_key(&endpoint) {
            return;
        }
        let (opened, foreign) = self.endpoints.entry(endpoint).or_default();
        *opened += 1;
        *foreign += u32::from(is_foreign);
        // Halved, so that an application may change.
        if *opened >= 10_000 {
            (*opened, *foreign) = (*opened / 2, *foreign / 2);
        }
    }

    /// Notes an id that a user asked for without having been given it.
    fn strange(&mut self, user: u64, id: u32, event: &Event<'_>, clock: u64) -> Option<Suspicion> {
        let today = u16::try_from(event.time_ms / DAY_MS).unwrap_or(u16::MAX);
        let known = self.users.entry(user).or_default();
        known.used = clock;
        known.strange.retain(|(of, day)| *of != id && day.saturating_add(SLOW_DAYS) >= today);
        if known.strange.len() >= SLOW * 2 {
            known.strange.remove(0);
        }
        known.strange.push((id, today));
        let (asked, first) = (known.strange.len(), known.strange.first().map_or(today, |(_, day)| *day));
        (asked >= SLOW).then(|| Suspicion {
            detector: Detector::BolaEnumeration,
            severity: Severity::High,
            confidence: 0.85,
            value: asked as f64,
            baseline: SLOW as f64,
            message: format!(
                "one user asked for {asked} objects never handed to them, over {} days",
                u32::from(today.saturating_sub(first)) + 1
            ),
            evidence: Vec::new(),
            if_idle: false,
        })
    }

    /// Forgets a user.
    pub fn forget_user(&mut self, user: u64) {
        self.users.remove(&user);
    }

    fn shrink(&mut self) {
        if self.users.len() > MAX_USERS {
            let horizon = quarter(self.users.values().map(|known| known.used));
            self.users.retain(|_, known| known.used >= horizon);
        }
        if self.objects.len() > MAX_OBJECTS {
            let horizon = quarter(self.objects.values().map(|(.., used)| *used));
            self.objects.retain(|_, (.., used)| *used >= horizon);
        }
    }
}

/// What a quarter was used before.
fn quarter(used: impl Iterator<Item = u64>) -> u64 {
    let mut used: Vec<u64> = used.collect();
    used.sort_unstable();
    used.get(used.len() / 4).map_or(0, |at| at.saturating_add(1).min(used.last().copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_never_foreign_and_little_else_is_taken_for_it() {
        let mut handed = Handed::default();
        (0..u32::from(OVERFULL)).for_each(|n| handed.add(n.wrapping_mul(0x0100_0193)));
        assert!((0..u32::from(OVERFULL)).all(|n| handed.has(n.wrapping_mul(0x0100_0193))));
        let wrong = (1_000_000..1_010_000u32).filter(|n| handed.has(n.wrapping_mul(0x9e37_79b1))).count();
        assert!(wrong < 300, "{wrong} of 10,000");
        assert!(handed.bytes() < 1_024, "{}", handed.bytes());
    }

    #[test]
    fn no_number_of_users_and_objects_grows_the_memory_of_a_shard() {
        let mut shared = Ownership::default();
        for n in 0..20_000u32 {
            shared.object(n, n, u64::from(n));
            shared.users.entry(u64::from(n)).or_default().used = u64::from(n);
            shared.count(n, false);
            shared.shrink();
        }
        assert!(shared.objects.len() <= MAX_OBJECTS && shared.users.len() <= MAX_USERS);
        assert!(shared.endpoints.len() <= MAX_ENDPOINTS);
        assert!(shared.objects.contains_key(&19_999));
    }
}
