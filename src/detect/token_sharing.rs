//! Token sharing: one key, many users of it.
//!
//! **Counts** different addresses (v4, v6 /64) a key was used from within the window (1h). **Fires** beyond the limit
//! (5) when they lie in at least three networks; where providers are not known also two countries or two clients have
//! to be among them. Again at twice as many.
//!
//! **Innocent behaviour that looks like it**: a phone on the move has many addresses, of one or two providers; a dual
//! stack has two. A key of programs may be used from five networks, and a person's own identity, where that is the key,
//! is on all of their devices and is not looked at.

use super::Suspicion;
use super::crowd::seconds;
use super::tuning::Tuning;
use super::whereabouts::{Memory, Profile, Use};
use crate::session::{Detector, Severity};

const NETWORKS: usize = 3;
const NETWORKS_OF_PROGRAMS: usize = 5;

/// Judges a profile that is taken into `memory` already.
pub fn judge(memory: &mut Memory, new: &Profile, usage: Use, tuning: &Tuning) -> Option<Suspicion> {
    let ips = memory.ips.within(seconds(tuning.window_ms), seconds(new.last_ms));
    if (ips as f64) <= f64::from(tuning.limit) || usage == Use::Person {
        return None;
    }
    let recent = || memory.profiles.iter().filter(|p| p.last_ms.saturating_add(tuning.window_ms) >= new.last_ms);
    let mut networks: Vec<u32> = recent().map(|profile| profile.network).collect();
    networks.sort_unstable();
    networks.dedup();
    let enough = if usage == Use::Program { NETWORKS_OF_PROGRAMS } else { NETWORKS };
    let named = recent().all(|profile| profile.asn != 0);
    let mixed = recent().any(|profile| profile.abroad(new) || !profile.same_client(new));
    if networks.len() < enough || !(named || mixed) || ips < memory.shared as usize * 2 {
        return None;
    }
    memory.shared = u32::try_from(ips).unwrap_or(u32::MAX);
    Some(Suspicion {
        detector: Detector::TokenSharing,
        severity: Severity::High,
        confidence: if mixed { 0.9 } else { 0.8 },
        value: ips as f64,
        baseline: f64::from(tuning.limit),
        message: format!("one key was used from {ips} addresses in {} networks", networks.len()),
        evidence: Vec::new(),
        if_idle: false,
    })
}
