//! Correlation: what a finding weighs in the context of its session.
//!
//! A detector says how sure it is of what it saw. What else the session did, and what became of the request, makes that
//! weigh more or less: each reason multiplies the evidence (`src/session/risk.rs`), all of them together by a quarter at
//! the least and by two at the most, and each stands with the finding in words.
//!
//! | reason | evidence times | when |
//! |---|---|---|
//! | `refused` | 0.8 | an attack in a request that the origin answered 4xx |
//! | `stopped` | 0.8 | an attack in a request that was stopped here |
//! | `mature_session` | 0.7 | attacks, probing and pace, in a session that is proven, half an hour old, has fifty requests of which hardly any was refused, and no finding before |
//! | `usual_here` | 0.4 | an attack where five other proven, clear sessions had the same answered in the same place ([`super::habits`]) |
//! | `corroborated` | 1.25, from a third kind on 1.5 | within half an hour, on other requests, another kind of detector spoke |
//! | `several_classes` | 1.25 | within half an hour, on other requests, two other classes of attack |
//! | `breakthrough` | 1.5 | an attack that was answered 2xx after three that were refused |
//!
//! Only what speaks of hostility corroborates: a business rule or a pace is no reason to believe an attack, but an attack is one
//! to believe them. The discount of a mature session is not for what is done with stolen or lent sessions, or with
//! one's own: hijacks, takeovers, other people's objects.

use crate::inspect::Attack;
use crate::session::{Cause, Detector, Event, Finding, Proof, Session, Severity, Weight};

/// How far back a session's own findings are looked at, ms: half of their evidence is left then.
const LATELY_MS: u64 = 1_800_000;
/// Age and requests from which on a session is mature, and one of how many may have been refused.
const MATURE_MS: u64 = 1_800_000;
const MATURE_REQUESTS: u64 = 50;
const MATURE_REFUSED: u64 = 20;
/// Attacks that were refused before one that was not.
const ATTEMPTS: usize = 3;

/// What a detector speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An attack carried by a request.
    Attack,
    /// Looking for what is there.
    Probing,
    /// Logins and accounts.
    Accounts,
    /// Whose session it is.
    Identity,
    /// Other people's objects.
    Objects,
    /// How fast and how much.
    Pace,
    /// A rule of the business.
    Business,
}

impl Kind {
    /// What a detector speaks of.
    pub fn of(detector: Detector) -> Self {
        match detector {
            Detector::ForcedBrowsing | Detector::Attack(Attack::Scanner) => Self::Probing,
            Detector::Attack(Attack::SchemaViolation) => Self::Business,
            Detector::Attack(_) => Self::Attack,
            Detector::BruteForce
            | Detector::CredentialStuffing
            | Detector::PasswordSpraying
            | Detector::AccountTakeover
            | Detector::MassRegistration => Self::Accounts,
            Detector::SessionRotation
            | Detector::TokenSharing
            | Detector::SessionHijack
            | Detector::ImpossibleTravel => Self::Identity,
            Detector::BolaEnumeration | Detector::BolaForeignObject => Self::Objects,
            Detector::RateSpike | Detector::VolumeExfiltration | Detector::Automation => Self::Pace,
            _ => Self::Business,
        }
    }

    fn corroborates(self) -> bool {
        !matches!(self, Self::Pace | Self::Business)
    }
}

/// What makes the finding weigh more or less; `event` completed it, and its session has taken it in. `usual` says how many
/// others had the same answered there, where those are many.
pub fn weigh(finding: &Finding, event: &Event<'_>, session: &Session, usual: Option<usize>) -> Vec<Weight> {
    let kind = Kind::of(finding.detector);
    let is_attack = finding.detector.attack().is_some();
    let mut weights = Vec::new();
    let mut add = |cause, percent, what: String| weights.push(Weight { cause, percent, what });
    let lately = || {
        let from_ms = event.time_ms.saturating_sub(LATELY_MS);
        session.findings.iter().filter(move |f| f.time_ms >= from_ms && f.request != finding.request)
    };
    let is_refused = |f: &&Finding| f.reasons.iter().any(|r| matches!(r.cause, Cause::Refused | Cause::Stopped));
    if is_attack && finding.action >= crate::verdict::Action::Throttle {
        add(Cause::Stopped, 80, "stopped before it reached the origin".to_owned());
    } else if is_attack && event.refused() {
        add(Cause::Refused, 80, format!("the origin refused it ({})", event.status));
    } else if is_attack
        && (200..300).contains(&event.status)
        && lately().filter(|f| f.detector.attack().is_some()).filter(is_refused).count() >= ATTEMPTS
    {
        add(Cause::Breakthrough, 150, format!("answered {} after attempts that were refused", event.status));
    }
    if matches!(kind, Kind::Attack | Kind::Probing | Kind::Pace) && is_mature(session) {
        let minutes = session.last_seen_ms.saturating_sub(session.first_seen_ms) / 60_000;
        add(Cause::Mature, 70, format!("{} requests in {minutes} minutes, hardly any refused", session.requests));
    }
    if let Some(others) = usual.filter(|_| is_attack) {
        add(Cause::Usual, 40, format!("{others} other sessions sent such a thing there, and were answered"));
    }
    let mut kinds: Vec<(Kind, &'static str)> = Vec::new();
    for other in lately() {
        let of = Kind::of(other.detector);
        if of != kind && of.corroborates() && !kinds.iter().any(|(known, _)| *known == of) {
            kinds.push((of, other.detector.name()));
        }
    }
    if !kinds.is_empty() {
        let names: Vec<&str> = kinds.iter().map(|(_, name)| *name).collect();
        add(Cause::Corroborated, if kinds.len() > 1 { 150 } else { 125 }, format!("beside {}", names.join(", ")));
    }
    if is_attack {
        let mut classes: Vec<&'static str> = Vec::new();
        let is_class = |f: &&Finding| f.detector.attack().is_some_and(|attack| attack != Attack::SchemaViolation);
        for other in lately().filter(is_class).filter(|f| f.detector != finding.detector) {
            if !classes.contains(&other.detector.name()) {
                classes.push(other.detector.name());
            }
        }
        if classes.len() >= 2 {
            add(Cause::Varied, 125, format!("beside {}", classes.join(", ")));
        }
    }
    weights
}

/// Whether the session has long been like any other.
fn is_mature(session: &Session) -> bool {
    session.proof > Proof::Unproven
        && !session.is_address_bound()
        && session.requests >= MATURE_REQUESTS
        && session.last_seen_ms.saturating_sub(session.first_seen_ms) >= MATURE_MS
        && session.refused * MATURE_REFUSED < session.requests
        && session.findings.iter().all(|finding| finding.severity < Severity::Medium)
}
