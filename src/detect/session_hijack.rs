//! Session hijack: a key goes on in somebody else's hands.
//!
//! **Compares** each event with the ways the session was used before (`whereabouts.rs`): program and platform, TLS
//! library, network, country. **Fires** when what calls and where it calls from are both new; when program and TLS
//! library are both new at another address of the same provider; when an older or newer build of the same program turns
//! up in another country; or when the country changes to and fro more often than the limit (4) within the window (1h),
//! each time within ten minutes. Once for each new way.
//!
//! **Innocent behaviour that looks like it**: a phone goes from Wi-Fi to mobile and changes addresses there (same
//! program); a dual stack changes between v4 and v6; QUIC and TCP differ in JA4; an app opens a web view (same network);
//! a browser is updated (same place); a VPN is switched on (same program, once). Keys of programs and of all of a
//! person's devices are not looked at.

use super::Suspicion;
use super::tuning::Tuning;
use super::whereabouts::{Memory, Profile};
use crate::session::{Detector, Severity};

/// Countries that change within this take turns, ms.
const TURN_MS: u64 = 600_000;
/// How recently the other client was there for a thin change to count, ms.
const RECENT_MS: u64 = 1_800_000;

/// Judges a profile that is not yet taken into `memory`.
pub fn judge(memory: &mut Memory, new: &Profile, tuning: &Tuning) -> Option<Suspicion> {
    let turns = turns(memory, new, tuning.window_ms);
    let last = memory.profiles.last()?;
    let knows = |is_so: &dyn Fn(&Profile) -> bool| memory.profiles.iter().any(is_so);
    let known_client = knows(&|known| known.same_client(new));
    let known_network = knows(&|known| known.same_network(new));
    let found = |severity, confidence, message: &str| {
        Some(Suspicion {
            detector: Detector::SessionHijack,
            severity,
            confidence,
            value: f64::from(turns),
            baseline: f64::from(tuning.limit),
            message: message.to_owned(),
            evidence: Vec::new(),
            if_idle: false,
        })
    };
    if !known_client && !known_network {
        let message = if last.agent == new.agent {
            "went on with another TLS library in another network"
        } else {
            "went on in another program in another network"
        };
        return found(Severity::High, if last.abroad(new) { 0.95 } else { 0.85 }, message);
    }
    let thin = !known_client && last.agent != new.agent && !last.same_tls(new) && last.ip != new.ip;
    if thin && new.last_ms.saturating_sub(last.last_ms) < RECENT_MS && !knows(&|known| known.ip == new.ip) {
        return found(Severity::Medium, 0.7, "went on in another program with another TLS library at another address");
    }
    let same_build = knows(&|known| known.agent == new.agent && known.major == new.major);
    if !same_build && !known_network && last.abroad(new) {
        return found(Severity::Medium, 0.9, "went on in another build of the same program in another country");
    }
    if f64::from(turns) >= f64::from(tuning.limit) {
        memory.turns = 0;
        return found(Severity::High, 0.85, "was used from two countries by turns");
    }
    None
}

/// Counts changes of country that follow each other.
fn turns(memory: &mut Memory, new: &Profile, window_ms: u64) -> u32 {
    let Some(last) = memory.profiles.last() else { return 0 };
    let now_ms = new.last_ms;
    if now_ms.saturating_sub(memory.turn_from_ms) > window_ms {
        (memory.turns, memory.turn_from_ms) = (0, now_ms);
    }
    let is_exempt = super::impossible_travel::is_relay(last.asn) && super::impossible_travel::is_relay(new.asn);
    if last.abroad(new) && !is_exempt && now_ms.saturating_sub(last.last_ms) < TURN_MS {
        memory.turns += 1;
        memory.turned_ms = now_ms;
    }
    memory.turns
}
