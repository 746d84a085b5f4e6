//! Plays traffic through a store and holds its findings against the labels.

use std::collections::{BTreeMap, BTreeSet};

use throughline::inventory::templated;
use throughline::session::{BatchBuilder, Event, EventId, Marks, SessionId};
use throughline::store::Store;
use throughline::verdict::Action;
use throughline::wire::{Flush, IsolateCounts};

use super::{Attacker, Label, Request, Rng, Strength, Traffic, attackers, people};
use crate::support::events::START_MS;
use crate::support::{shard, sqlite::Sqlite};

/// Events a flush.
const FLUSH: usize = 50;
/// A fold is done every so many flushes.
const FOLD: u64 = 800;

/// Of one class: attackers, those found, those flagged, and the requests until each was found.
pub type Tally = (u32, u32, u32, Vec<u32>);

#[derive(Debug, Default)]
pub struct Score {
    /// By class and strength: attackers, those found, those of whom a session was flagged, requests until found.
    pub attacks: BTreeMap<(&'static str, Strength), Tally>,
    pub innocent: u32,
    /// Innocent sessions with a finding: whose, and which.
    pub wrong: Vec<(&'static str, String, u8)>,
    pub attack_sessions: u32,
    /// The highest risk any session of each attacker had, and of each innocent session; 0 without a finding.
    pub peaks: (Vec<u8>, Vec<u8>),
    pub events: u64,
    pub ms: u128,
}

/// Traffic of a population of this many visits with this many attackers of each class and strength.
pub fn traffic(seed: u64, visits: u64, each: u64) -> Traffic {
    let mut rng = Rng(seed);
    let mut t = Traffic::default();
    people::population(&mut t, &mut rng, visits);
    for class in attackers::CLASSES {
        for strength in Strength::ALL {
            for _ in 0..each {
                let start = super::HOUR + rng.within(0, 4 * super::HOUR);
                attackers::attack(&mut t, &mut rng, class, strength, start);
            }
        }
    }
    t.requests.sort_by_key(|request| request.at_ms);
    t
}

/// Runs it all through one shard.
pub fn play(t: &Traffic, now: impl Fn() -> u128) -> Score {
    let sql = Sqlite::new();
    let mut settings = shard::settings(false);
    settings.fold.at_bytes = usize::MAX;
    let mut store = Store::open(sql, settings, START_MS).unwrap();
    let mut score = Score { events: t.requests.len() as u64, ..Score::default() };
    let mut labels: BTreeMap<SessionId, BTreeSet<Label>> = BTreeMap::new();
    let mut sent = vec![0u32; t.attackers.len()];
    let mut found_at: Vec<Option<u32>> = vec![None; t.attackers.len()];
    let mut flagged = vec![false; t.attackers.len()];
    let mut peaks: BTreeMap<SessionId, u8> = BTreeMap::new();
    score.peaks.0 = vec![0; t.attackers.len()];
    for (n, requests) in (1u64..).zip(t.requests.chunks(FLUSH)) {
        let mut builder = BatchBuilder::default();
        let mut touched: BTreeSet<(u32, SessionId)> = BTreeSet::new();
        let (mut now_ms, mut unique) = (0, n * FLUSH as u64);
        for request in requests {
            let session = request.session_id();
            labels.entry(session).or_default().insert(request.label);
            if let Label::Attack(of) = request.label {
                sent[of as usize] += 1;
                touched.insert((of, session));
            }
            let path = templated(&request.path, 1_024);
            now_ms = START_MS + request.at_ms;
            unique += 1;
            builder.push(&Event {
                id: EventId::new(now_ms, session, unique),
                session,
                key_source: if request.session.is_some() { request.key } else { "client.ip+ua+ja4" },
                verified: request.verified,
                time_ms: now_ms,
                duration_ms: 30,
                method: request.method,
                host: "api.shop.test",
                path: &path.path,
                template: &path.template,
                status: request.status,
                request_bytes: None,
                response_bytes: Some(request.bytes),
                ip: request.place.ip.parse().ok(),
                country: request.place.country,
                asn: request.place.asn,
                colo: "FRA",
                user_agent: request.place.agent,
                ja4: request.place.ja4,
                user: &request.user,
                roles: "",
                principal: 0,
                token: 0,
                feedback: "",
                params: Default::default(),
                action: Action::Allow,
                inventory: None,
                marks: if request.attempted { Marks::USER_ATTEMPTED } else { Marks::default() },
            });
        }
        let flush = Flush {
            isolate: 1,
            sequence: n,
            now_ms,
            blocks_version: 0,
            counts: IsolateCounts::default(),
            backlog: Default::default(),
            questions: Vec::new(),
            wants_known: false,
            urgent: false,
            layout: 1,
            batch: builder.take().encode(),
        };
        let before = now();
        store.apply(&flush, now_ms).unwrap();
        if n % FOLD == 0 {
            store.fold(now_ms).unwrap();
        }
        score.ms += now() - before;
        for id in requests.iter().map(Request::session_id).collect::<BTreeSet<_>>() {
            let Some(session) = store.session(id, now_ms).unwrap() else { continue };
            if !session.findings.is_empty() {
                let peak = peaks.entry(id).or_default();
                *peak = (*peak).max(session.risk.max(1));
            }
        }
        for (of, id) in touched {
            let of = of as usize;
            let Some(risk) = peaks.get(&id).copied().filter(|_| sent[of] > 0) else { continue };
            found_at[of].get_or_insert(sent[of]);
            flagged[of] |= risk >= 50;
            score.peaks.0[of] = score.peaks.0[of].max(risk);
        }
    }
    for (of, Attacker { class, strength }) in t.attackers.iter().enumerate() {
        let (all, found, flags, times) = score.attacks.entry((class, *strength)).or_default();
        *all += 1;
        *found += u32::from(found_at[of].is_some());
        *flags += u32::from(flagged[of]);
        times.extend(found_at[of]);
    }
    let end = START_MS + t.requests.last().map_or(0, |request| request.at_ms);
    for (id, of) in labels {
        if of.iter().any(|label| matches!(label, Label::Attack(_))) {
            score.attack_sessions += 1;
            continue;
        }
        score.innocent += 1;
        score.peaks.1.push(peaks.get(&id).copied().unwrap_or(0));
        let Some(session) = store.session(id, end).unwrap() else { continue };
        if let (false, Some(Label::Innocent(who))) = (session.findings.is_empty(), of.first()) {
            let what: Vec<String> = session.findings.keys().cloned().collect();
            score.wrong.push((who, what.join(" "), session.risk));
        }
    }
    score
}

impl Score {
    /// The share of attackers of these strengths that were found.
    pub fn recall(&self, of: &[Strength]) -> f64 {
        let (mut all, mut found) = (0, 0);
        for ((_, strength), (a, f, ..)) in &self.attacks {
            if of.contains(strength) {
                (all, found) = (all + a, found + f);
            }
        }
        f64::from(found) / f64::from(all.max(1))
    }

    /// The share of innocent sessions with a finding.
    pub fn false_positives(&self) -> f64 {
        self.wrong.len() as f64 / f64::from(self.innocent.max(1))
    }

    /// The shares of attackers and of innocent sessions that ever had this risk or more: a point of the ROC curve.
    pub fn reached(&self, risk: u8) -> (f64, f64) {
        let share = |of: &[u8]| of.iter().filter(|peak| **peak >= risk).count() as f64 / of.len().max(1) as f64;
        (share(&self.peaks.0), share(&self.peaks.1))
    }

    pub fn attackers(&self) -> (u32, u32) {
        self.attacks.values().fold((0, 0), |(all, found), (a, f, ..)| (all + a, found + f))
    }
}
