//! What a shard remembers of those it has seen about accounts: sessions, clients, addresses, users, builds of clients.
//!
//! Beside a session's own memory, because attackers drop their sessions: each guess comes with a new cookie, or none.
//! A function of the stream of events alone, in the order of the journal, so that a replay leaves the same; saved where
//! the shard's other common knowledge is. At most [`MAX_MEMBERS`] are remembered, those of most recent use; a client
//! that is pushed out by a flood of others starts again from nothing; a flood of one kind pushes out none of another, and the builds
//! (few) see the flood.
//!
//! Where there are several shards, each sees the events of its own sessions, and of other shards' those about subjects
//! that fall to it: what an address or a user does everywhere is known in one shard, and in parts in the others. A
//! finding needs a session of the shard that found it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::act::{Act, act};
use super::baseline::Baselines;
use super::familiar::Familiar;
use super::normal::Normal;
use super::reserve::Reservations;
use super::tuning::Behaviours;
use super::whereabouts::half;
use super::{Suspicion, account_takeover, brute_force, credential_stuffing, mass_registration, password_spraying};
use crate::session::{Detector, Event, EventId, Kinds, Marks};
use crate::subject::{Counts, Family, Identity, Kind, SubjectHash, Window, Windows};
use crate::verdict;

/// Members remembered. One takes some two hundred bytes, so all of them about a megabyte.
pub const MAX_MEMBERS: usize = 4_096;
/// Values of a set that are told apart.
const MAX_SET: usize = 32;
/// Events kept as evidence.
const MAX_EVIDENCE: usize = 8;
/// A day, in seconds: how long a value stays in a set.
const DAY_S: u32 = 86_400;
/// Stands for every user.
const ANYBODY: u64 = 0;
/// What tells the counts of codes from those of logins, in a member's key.
const CODES: u64 = 0x5eed_c0de_0000_0001;

/// Who is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Of {
    /// A session that has a key of its own.
    Session,
    /// An address with its agent and TLS fingerprint: one machine, or the same build on several behind one address.
    Client,
    Ip,
    User,
    /// Agent and TLS fingerprint, wherever they come from.
    Build,
    /// The same, of one provider's network.
    Network,
}

impl Of {
    const ALL: [Self; 6] = [Self::Session, Self::Client, Self::Ip, Self::User, Self::Build, Self::Network];

    /// Whether it is more than the one machine that is judged.
    pub fn is_many(self) -> bool {
        !matches!(self, Self::Session | Self::Client)
    }
}

/// What is remembered of one of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Member {
    /// The newest is the greatest.
    used: u64,
    /// Whether it was used more than once.
    again: bool,
    /// Logins; `requests` are new accounts.
    pub counts: Windows,
    /// Tried in vain: of users the networks that did, of builds and networks the addresses, of all others the users.
    pub tried: Set,
    /// When accounts were created, epoch seconds, oldest first.
    pub signups: Vec<u32>,
    /// Failures since the last success, and when the first and the last of them was, epoch ms.
    pub streak: u32,
    pub streak_from_ms: u64,
    pub failed_ms: u64,
    /// When a new password was asked for.
    pub reset_ms: u64,
    /// When a success looked like somebody else's.
    pub taken_ms: u64,
    pub evidence: Vec<EventId>,
}

/// Hashes of values with when they were last seen, epoch seconds; the oldest make room.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Set(Vec<(u32, u32)>);

impl Set {
    /// Takes in a value.
    pub fn see(&mut self, value: u32, now_s: u32) {
        self.0.retain(|(of, at)| *of != value && at.saturating_add(DAY_S) >= now_s);
        if self.0.len() >= MAX_SET {
            self.0.remove(0);
        }
        self.0.push((value, now_s));
    }

    /// Whether the value is in it.
    pub fn has(&self, value: u32) -> bool {
        self.0.iter().any(|(of, _)| *of == value)
    }

    /// Different values seen in the last `window_s` seconds.
    pub fn within(&self, window_s: u32, now_s: u32) -> usize {
        self.0.iter().filter(|(_, at)| at.saturating_add(window_s) >= now_s).count()
    }
}

/// One event as detectors of accounts judge it: a member before it, and what it was.
pub struct Judged<'a> {
    pub of: Of,
    /// With the event taken in; the streak as it was before.
    pub member: &'a Member,
    /// What the client behind the event did in the last day, itself included.
    pub client: Counts,
    /// The user who is tried was let in with this machine before.
    pub is_own: bool,
    /// Somebody was let in with the client before.
    pub is_known: bool,
    pub act: Act,
    pub time_ms: u64,
}

impl Judged<'_> {
    /// Whether what many did is not held against this one: the machine is the user's own, or somebody was let in with it
    /// and few failures came from it since.
    pub fn is_spared(&self) -> bool {
        let is_let_in = self.is_known && self.client.failed <= self.client.succeeded.max(1).saturating_mul(3);
        self.of.is_many() && (self.is_own || is_let_in)
    }
}

/// All who are remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Crowd {
    members: BTreeMap<(Of, u64), Member>,
    familiar: Familiar,
    clock: u64,
    baselines: Baselines,
    /// Attack-like text that is ordinary where it stands.
    pub normal: Normal,
}

/// Epoch seconds in 32 bits: until 2106.
pub fn seconds(time_ms: u64) -> u32 {
    u32::try_from(time_ms / 1_000).unwrap_or(u32::MAX)
}

impl Crowd {
    /// Takes in an event of a session of this shard, whose endpoint has the key `endpoint`; answers what looks wrong about
    /// those it is of.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        endpoint: &str,
        hash: &SubjectHash,
        tuned: &Behaviours,
    ) -> Vec<Suspicion> {
        let mut found = Vec::new();
        self.baselines.observe(event, endpoint, hash, tuned, &mut found);
        if let Some(act) = act(event) {
            self.take(event, act, Kinds(u8::MAX), hash, tuned, &mut found);
        }
        found
    }

    /// Takes in what an event of another shard's session says of subjects of this one.
    pub fn glimpse(&mut self, event: &Event<'_>, kinds: Kinds, hash: &SubjectHash, tuned: &Behaviours) {
        if let Some(act) = act(event) {
            self.take(event, act, kinds, hash, tuned, &mut Vec::new());
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Forgets a user.
    pub fn forget_user(&mut self, user: &str, hash: &SubjectHash) {
        self.members.remove(&(Of::User, Identity::User(user).key(hash).prefix()));
    }

    fn take(
        &mut self,
        event: &Event<'_>,
        act: Act,
        kinds: Kinds,
        hash: &SubjectHash,
        tuned: &Behaviours,
        found: &mut Vec<Suspicion>,
    ) {
        let keyed = keyed(event, kinds, hash);
        let is_own = self.is_own(&keyed);
        let is_known = keyed.client().is_some_and(|client| self.familiar.has(ANYBODY, client));
        let is_code = matches!(act, Act::CodeRefused | Act::CodeAccepted);
        let (mut client, mut was_taken) = (Counts::default(), false);
        for (of, key) in keyed.of {
            let Some(key) = key else { continue };
            if is_code && matches!(of, Of::User | Of::Build | Of::Network) {
                continue;
            }
            let key = if is_code { key ^ CODES } else { key };
            self.clock += 1;
            let clock = self.clock;
            let member = self.members.entry((of, key)).or_default();
            member.again = member.used > 0;
            member.used = clock;
            // A success is judged by the failures before it, and ends them.
            member.note(event, act, keyed.tried(of));
            if of == Of::Client {
                client = member.counts.sum(Window::Day, event.time_ms);
            }
            let judged = Judged { of, member, client, is_own, is_known, act, time_ms: event.time_ms };
            brute_force::judge(&judged, tuned, found);
            credential_stuffing::judge(&judged, tuned, found);
            password_spraying::judge(&judged, tuned, found);
            mass_registration::judge(&judged, tuned, found);
            let taken = account_takeover::judge(&judged, tuned, found);
            was_taken |= taken;
            member.settle(act, taken, event.time_ms);
        }
        if act == Act::LoginSucceeded && !was_taken {
            for machine in keyed.machines() {
                self.familiar.let_in(keyed.user.unwrap_or(ANYBODY), machine);
            }
            keyed.client().into_iter().for_each(|client| self.familiar.let_in(ANYBODY, client));
        }
        if self.members.len() > MAX_MEMBERS {
            self.shrink();
        }
    }

    /// Whether the user who is tried was let in with this machine before.
    fn is_own(&self, keyed: &Keyed) -> bool {
        keyed.user.is_some_and(|user| keyed.machines().any(|machine| self.familiar.has(user, machine)))
    }

    /// Whether a login that is about to be tried would, should it fail as those under way, be one too many: which
    /// detector says so. If not, it is under way from here on. An event that is no login is nothing.
    pub fn presume(
        &self,
        event: &Event<'_>,
        kinds: Kinds,
        under_way: &mut Reservations,
        hash: &SubjectHash,
        tuned: &Behaviours,
    ) -> Option<Detector> {
        under_way.expire(event.time_ms);
        let failed = Event { status: 401, marks: Marks::USER_ATTEMPTED, ..*event };
        if act(&failed) != Some(Act::LoginFailed) {
            return None;
        }
        let keyed = keyed(event, kinds, hash);
        let is_own = self.is_own(&keyed);
        let mut keys = Vec::new();
        for (of, key) in keyed.of {
            let Some(key) = key.map(|key| (of, key)) else { continue };
            let tried = keyed.tried(of).map(|tried| tried as u32);
            let (member, pending) = (self.members.get(&key), under_way.of(key));
            // What others do to an account does not keep its owner out.
            if !(is_own && of.is_many())
                && let Some(detector) = one_too_many(of, member, pending, tried, event.time_ms, tuned)
            {
                return Some(detector);
            }
            keys.push((key, tried));
        }
        under_way.reserve(event.id, keys, event.time_ms);
        None
    }

    /// Of the kind there is most of drops a half, those first who did one thing and that longest ago: a flood of addresses makes
    /// no user forgotten, and nobody who comes back.
    fn shrink(&mut self) {
        let of_kind = |kind: Of| self.members.range((kind, 0)..=(kind, u64::MAX)).map(|(_, member)| member.worth());
        let Some(most) = Of::ALL.into_iter().max_by_key(|kind| of_kind(*kind).count()) else { return };
        let mut used: Vec<(bool, u64)> = of_kind(most).collect();
        used.sort_unstable();
        let Some(horizon) = used.get(used.len() / 2).copied() else { return };
        self.members.retain(|(of, _), member| *of != most || member.worth() >= horizon);
    }
}

/// Whom an event is about, in the crowd.
struct Keyed {
    of: [(Of, Option<u64>); 6],
    user: Option<u64>,
    ip: Option<u64>,
    network: u64,
    /// The build in its network.
    within: u64,
}

impl Keyed {
    /// The client as itself.
    fn client(&self) -> Option<u64> {
        self.of.iter().find(|(of, _)| *of == Of::Client).and_then(|(_, key)| *key)
    }

    /// What a user's machine is known by: as itself, and, where its address has changed, as its build in its network.
    fn machines(&self) -> impl Iterator<Item = u64> {
        self.client().into_iter().chain([self.within])
    }

    /// What a failure adds to the set of what was tried.
    fn tried(&self, of: Of) -> Option<u64> {
        match of {
            Of::User => Some(self.network),
            Of::Build | Of::Network => self.ip,
            Of::Session | Of::Client | Of::Ip => self.user,
        }
    }
}

fn keyed(event: &Event<'_>, kinds: Kinds, hash: &SubjectHash) -> Keyed {
    let all = kinds == Kinds(u8::MAX);
    let of_text = |text: &str| Identity::User(text).key(hash).prefix();
    let user = (!event.user.is_empty()).then(|| of_text(event.user));
    let ip = event.ip.map(|ip| Identity::ip(ip).key(hash).prefix());
    let family = Family::of(event.user_agent);
    let name = [family.product, " ", event.ja4].concat();
    let build = of_text(&name);
    let network = match (event.asn, event.ip) {
        (0, None) => 0,
        // Without its provider's number a network is what begins alike.
        (0, Some(ip)) => u64::from(half(ip)),
        (asn, _) => u64::from(asn),
    };
    // Beside the agent as it was shown: of a build in a network there may be many.
    let within = build.rotate_left(17) ^ network.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let client = event.ip.map(|ip| {
        of_text(&[&verdict::Subject::client(ip).to_string(), " ", event.user_agent, " ", event.ja4].concat())
    });
    let keyed = all && !crate::identity::is_address_bound(event.key_source);
    let of = [
        (Of::Session, keyed.then(|| event.session.prefix())),
        (Of::Client, client.filter(|_| Kind::Device.is_in(kinds))),
        (Of::Ip, ip.filter(|_| Kind::Ip.is_in(kinds))),
        (Of::User, user.filter(|_| Kind::User.is_in(kinds))),
        (Of::Build, all.then_some(build)),
        (Of::Network, (all && event.asn != 0).then_some(within)),
    ];
    Keyed { of, user, ip, network, within }
}

/// Whether one failure more, beside those under way, is more than a detector lets be.
fn one_too_many(
    of: Of,
    member: Option<&Member>,
    pending: &[Option<u32>],
    tried: Option<u32>,
    now_ms: u64,
    tuned: &Behaviours,
) -> Option<Detector> {
    let sum = |window| member.map_or_else(Counts::default, |member| member.counts.sum(window, now_ms));
    let under_way = u32::try_from(pending.len()).unwrap_or(u32::MAX);
    let outnumber = |failed: u32, succeeded: u32| failed > succeeded.saturating_mul(3);
    let scale = match of {
        Of::Session | Of::Client | Of::User => 1.0,
        Of::Ip => 2.0,
        Of::Build | Of::Network => return None,
    };
    if let Some(tuning) = tuned.get(Detector::BruteForce) {
        let sum = sum(brute_force::at_least(tuning.window_ms));
        let failed = sum.failed.saturating_add(under_way).saturating_add(1);
        if f64::from(failed) > f64::from(tuning.limit) * scale && outnumber(failed, sum.succeeded) {
            return Some(Detector::BruteForce);
        }
    }
    if let Some(tuning) = tuned.get(Detector::CredentialStuffing).filter(|_| of != Of::User) {
        let sum = sum(brute_force::at_least(tuning.window_ms));
        let window_s = seconds(tuning.window_ms);
        let (now_s, none) = (seconds(now_ms), Set::default());
        let known = member.map_or(&none, |member| &member.tried);
        let mut new: Vec<u32> = pending.iter().copied().chain([tried]).flatten().collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|value| !known.has(*value));
        let users = known.within(window_s, now_s) + new.len();
        let failed = sum.failed.saturating_add(under_way).saturating_add(1);
        if users as f64 > f64::from(tuning.limit) * scale + 1.0 && outnumber(failed, sum.succeeded) {
            return Some(Detector::CredentialStuffing);
        }
    }
    None
}

impl Member {
    /// What it is worth to be remembered.
    fn worth(&self) -> (bool, u64) {
        (self.again, self.used)
    }

    fn note(&mut self, event: &Event<'_>, act: Act, tried: Option<u64>) {
        let now_s = seconds(event.time_ms);
        let mut counts = Counts::default();
        match act {
            Act::LoginFailed | Act::CodeRefused => {
                counts.failed = 1;
                if let Some(tried) = tried {
                    self.tried.see(tried as u32, now_s);
                }
                if self.evidence.len() >= MAX_EVIDENCE {
                    self.evidence.remove(0);
                }
                self.evidence.push(event.id);
            }
            Act::LoginSucceeded | Act::CodeAccepted => counts.succeeded = 1,
            Act::SignedUp => {
                counts.requests = 1;
                if self.signups.len() >= MAX_SET {
                    self.signups.remove(0);
                }
                self.signups.push(now_s);
            }
            Act::ResetAsked => self.reset_ms = self.reset_ms.max(event.time_ms),
            Act::Changed => return,
        }
        self.counts.count(event.time_ms, &counts);
    }

    /// Brings the streak up to date once the event is judged.
    fn settle(&mut self, act: Act, taken: bool, time_ms: u64) {
        const HOUR_MS: u64 = 3_600_000;
        if taken {
            self.taken_ms = time_ms;
        }
        match act {
            Act::LoginFailed => {
                if self.streak == 0 || time_ms.saturating_sub(self.failed_ms) > HOUR_MS {
                    (self.streak, self.streak_from_ms) = (0, time_ms);
                }
                self.streak = self.streak.saturating_add(1);
                self.failed_ms = self.failed_ms.max(time_ms);
            }
            Act::LoginSucceeded => self.streak = 0,
            _ => {}
        }
    }

    /// Accounts created in the last `window_ms`.
    pub fn signups_within(&self, window_ms: u64, now_ms: u64) -> usize {
        self.signups.iter().filter(|at| (u64::from(**at) * 1_000).saturating_add(window_ms) >= now_ms).count()
    }
}
