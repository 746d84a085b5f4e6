//! Impossible travel: the next request comes from farther away than anybody gets in that time.
//!
//! **Compares** the country of an event with that of the one before. Events carry no coordinates, so the distance is the
//! least there can be between two countries (`geography.rs`); neighbours are no distance, nor are countries that are not
//! in its table. **Fires** beyond the limit (900 km/h, an airliner). Once for each journey.
//!
//! **Innocent behaviour that looks like it**: relays, VPNs and company gateways move a client's address at once: networks
//! that are known for that count neither as origin nor as destination. A phone abroad keeps its home's address. Where
//! the same program goes on with the same TLS library, a VPN not known here is as likely, so that alone flags nobody;
//! with another program it does. Keys of programs run in several data centres and are not looked at.

use super::Suspicion;
use super::geography::least_km;
use super::tuning::Tuning;
use super::whereabouts::{Memory, Profile};
use crate::session::{Detector, Severity};

/// Networks of relays, VPNs, hosting and company gateways, sorted: Cloudflare, iCloud Private Relay, M247, Datacamp,
/// Zscaler, Netskope, AWS, Google, Microsoft, DigitalOcean, OVH, Hetzner, Vultr, Linode, Contabo, Leaseweb, Tor exits.
const RELAYS: [u32; 34] = [
    3214, 8068, 8075, 9009, 12876, 13335, 14061, 14618, 15169, 16276, 16509, 20473, 20940, 22616, 24940, 28753, 29066,
    36183, 36236, 39351, 51167, 51396, 53813, 54113, 55256, 60068, 60729, 60781, 62044, 62240, 63949, 197540, 208323,
    212238,
];
const HOUR_MS: f64 = 3_600_000.0;

/// Whether addresses of the network say nothing about where somebody is.
pub fn is_relay(asn: u32) -> bool {
    RELAYS.binary_search(&asn).is_ok()
}

/// Judges a profile that is not yet taken into `memory`.
pub fn judge(memory: &mut Memory, new: &Profile, tuning: &Tuning) -> Option<Suspicion> {
    let last = memory.profiles.last()?;
    let is_back = memory.profiles.iter().any(|known| known.country == new.country);
    if !last.abroad(new) || is_relay(last.asn) || is_relay(new.asn) || (is_back && memory.journeys > 0) {
        return None;
    }
    let km = least_km(last.country.as_str(), new.country.as_str())?;
    let ms = new.last_ms.saturating_sub(last.last_ms);
    if ms > tuning.window_ms || km * HOUR_MS <= f64::from(tuning.limit) * ms as f64 {
        return None;
    }
    let (severity, confidence) = if last.same_client(new) { (Severity::Medium, 0.8) } else { (Severity::High, 0.9) };
    let message = format!(
        "from {} to {}, at least {km:.0} km, within {} minutes",
        last.country.as_str(),
        new.country.as_str(),
        ms / 60_000
    );
    memory.journeys += 1;
    // As if it took a second at least: a number that can be shown.
    let value = km * HOUR_MS / (ms.max(1_000) as f64);
    Some(Suspicion {
        detector: Detector::ImpossibleTravel,
        severity,
        confidence,
        value: value.round(),
        baseline: f64::from(tuning.limit),
        message,
        evidence: Vec::new(),
        if_idle: false,
    })
}
