//! Places where text that looks like an attack is normal: a parameter that takes SQL, a field for code.
//!
//! **Counts** the sessions whose request carried a class of attack at a place of an endpoint and was answered. Where they are
//! five, the next one weighs less ([`super::correlate`]); it is told all the same. Only sessions that are proven and clear
//! count, each once, and of one address one: who attacks would have to be five customers first. A place is forgotten
//! after a week without any.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::crowd::seconds;
use crate::session::{Event, FLAGGED, Finding, Proof, Session};
use crate::subject::SubjectHash;
use crate::verdict::Action;

/// Sessions that make it usual.
const USUAL: usize = 5;
/// Places remembered, and sessions of each.
const MAX_PLACES: usize = 512;
const MAX_SESSIONS: usize = 16;
const WEEK_S: u32 = 7 * 86_400;

/// What is usual where.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Habits(BTreeMap<u64, Place>);

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Place {
    last_s: u32,
    /// Sessions with their addresses, each as a part of its hash.
    seen: Vec<(u32, u32)>,
}

impl Habits {
    /// Takes in a finding about an attack, before its session does; answers how many others had the same answered there,
    /// where those are many.
    pub fn meet(
        &mut self,
        finding: &Finding,
        event: &Event<'_>,
        session: &Session,
        hash: &SubjectHash,
    ) -> Option<usize> {
        finding.detector.attack()?;
        let name = finding.detector.name();
        let key = hash.of_texts(&[event.method, event.host, event.template, &finding.place, name]);
        let (now_s, id) = (seconds(event.time_ms), session.id.prefix() as u32);
        let ip = event.ip.map_or(0, |ip| hash.of_texts(&[&crate::verdict::Subject::ip(ip).value()]) as u32);
        let known = self.0.get(&key).filter(|place| place.last_s.saturating_add(WEEK_S) >= now_s);
        let others = known.map_or(0, |place| place.seen.iter().filter(|(of, at)| *of != id && *at != ip).count());
        let counts = session.proof > Proof::Unproven
            && session.risk.score(event.time_ms) < FLAGGED
            && event.action < Action::Throttle
            && (200..400).contains(&event.status);
        if counts {
            if self.0.len() >= MAX_PLACES && !self.0.contains_key(&key) {
                let oldest = self.0.iter().min_by_key(|(_, place)| place.last_s).map(|(key, _)| *key);
                oldest.map(|key| self.0.remove(&key));
            }
            let place = self.0.entry(key).or_default();
            if place.last_s.saturating_add(WEEK_S) < now_s {
                place.seen.clear();
            }
            place.last_s = place.last_s.max(now_s);
            if place.seen.len() < MAX_SESSIONS && !place.seen.iter().any(|(of, at)| *of == id || *at == ip) {
                place.seen.push((id, ip));
            }
        }
        (others >= USUAL).then_some(others)
    }
}
