//! Which detectors there are: those that judge a session, and the classes of attack that one request can carry.

use serde::{Deserialize, Serialize};

use crate::inspect::Attack;

/// Which detector speaks. Stored by its number: numbers are never reused or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detector {
    ForcedBrowsing,
    SessionRotation,
    ParamThreshold,
    ParamSpike,
    ParamVelocity,
    IdentityDiscrepancy,
    FlowViolation,
    FlowSpeed,
    RegionSurge,
    ParamDistinct,
    BruteForce,
    CredentialStuffing,
    AccountTakeover,
    MassRegistration,
    TokenSharing,
    SessionHijack,
    ImpossibleTravel,
    BolaEnumeration,
    RateSpike,
    VolumeExfiltration,
    Automation,
    ShadowAccess,
    ZombieAccess,
    BolaForeignObject,
    PasswordSpraying,
    /// A class of attack, in the request itself.
    Attack(Attack),
}

/// Detectors of sessions; attacks have the numbers from [`FIRST_ATTACK`] on.
const OF_SESSIONS: [Detector; 10] = [
    Detector::ForcedBrowsing,
    Detector::SessionRotation,
    Detector::ParamThreshold,
    Detector::ParamSpike,
    Detector::ParamVelocity,
    Detector::IdentityDiscrepancy,
    Detector::FlowViolation,
    Detector::FlowSpeed,
    Detector::RegionSurge,
    Detector::ParamDistinct,
];
/// Detectors of behaviour, in the order of their numbers, which begin with [`FIRST_BEHAVIOUR`].
const BEHAVIOURS: [Detector; 15] = [
    Detector::BruteForce,
    Detector::CredentialStuffing,
    Detector::AccountTakeover,
    Detector::MassRegistration,
    Detector::TokenSharing,
    Detector::SessionHijack,
    Detector::ImpossibleTravel,
    Detector::BolaEnumeration,
    Detector::RateSpike,
    Detector::VolumeExfiltration,
    Detector::Automation,
    Detector::ShadowAccess,
    Detector::ZombieAccess,
    Detector::BolaForeignObject,
    Detector::PasswordSpraying,
];
const FIRST_BEHAVIOUR: u32 = 10;
const FIRST_ATTACK: u32 = 64;

impl Detector {
    /// How many there are.
    pub const COUNT: usize = OF_SESSIONS.len() + Self::BEHAVIOURS + Attack::ALL.len();
    /// How many judge behaviour with one limit over one window.
    pub const BEHAVIOURS: usize = BEHAVIOURS.len();

    /// Every detector, for configuration and filters.
    pub fn all() -> impl Iterator<Item = Self> {
        OF_SESSIONS.into_iter().chain(BEHAVIOURS).chain(Attack::ALL.into_iter().map(Self::Attack))
    }

    /// The name the API and the configuration use.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForcedBrowsing => "forced_browsing",
            Self::SessionRotation => "session_rotation",
            Self::ParamThreshold => "param_threshold",
            Self::ParamSpike => "param_spike",
            Self::ParamVelocity => "param_velocity",
            Self::IdentityDiscrepancy => "identity_discrepancy",
            Self::FlowViolation => "flow_violation",
            Self::FlowSpeed => "flow_speed",
            Self::RegionSurge => "region_surge",
            Self::ParamDistinct => "param_distinct",
            Self::BruteForce => "brute_force",
            Self::CredentialStuffing => "credential_stuffing",
            Self::AccountTakeover => "account_takeover",
            Self::MassRegistration => "mass_registration",
            Self::TokenSharing => "token_sharing",
            Self::SessionHijack => "session_hijack",
            Self::ImpossibleTravel => "impossible_travel",
            Self::BolaEnumeration => "bola_enumeration",
            Self::RateSpike => "rate_spike",
            Self::VolumeExfiltration => "volume_exfiltration",
            Self::Automation => "automation",
            Self::ShadowAccess => "shadow_access",
            Self::ZombieAccess => "zombie_access",
            Self::BolaForeignObject => "bola_foreign_object",
            Self::PasswordSpraying => "password_spraying",
            Self::Attack(attack) => attack.name(),
        }
    }

    /// The detector of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|d| d.name() == name)
    }

    /// The number it is stored by.
    pub fn number(self) -> u32 {
        match self {
            Self::ForcedBrowsing => 0,
            Self::SessionRotation => 1,
            Self::ParamThreshold => 2,
            Self::ParamSpike => 3,
            Self::ParamVelocity => 4,
            Self::IdentityDiscrepancy => 5,
            Self::FlowViolation => 6,
            Self::FlowSpeed => 7,
            Self::RegionSurge => 8,
            Self::ParamDistinct => 9,
            Self::Attack(attack) => FIRST_ATTACK + attack as u32,
            behaviour => BEHAVIOURS
                .into_iter()
                .zip(FIRST_BEHAVIOUR..)
                .find(|(of, _)| *of == behaviour)
                .map_or(0, |(_, number)| number),
        }
    }

    /// The detector of that number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::all().find(|d| d.number() == number)
    }

    /// Its place among the detectors of behaviour; `None` where it is not one.
    pub fn behaviour(self) -> Option<usize> {
        BEHAVIOURS.iter().position(|of| *of == self)
    }

    /// The class of attack, where it is about one request.
    pub fn attack(self) -> Option<Attack> {
        if let Self::Attack(attack) = self { Some(attack) } else { None }
    }

    /// OWASP API Security Top 10 (2023) entries the behaviour belongs to.
    pub fn owasp(self) -> &'static [&'static str] {
        match self {
            Self::ForcedBrowsing => &["API8:2023", "API9:2023"],
            Self::SessionRotation => &["API2:2023", "API4:2023"],
            Self::IdentityDiscrepancy => &["API2:2023"],
            Self::ParamThreshold
            | Self::ParamSpike
            | Self::ParamVelocity
            | Self::FlowViolation
            | Self::FlowSpeed
            | Self::RegionSurge
            | Self::ParamDistinct => &["API6:2023"],
            Self::BruteForce | Self::CredentialStuffing | Self::PasswordSpraying | Self::AccountTakeover => {
                &["API2:2023"]
            }
            Self::TokenSharing | Self::SessionHijack | Self::ImpossibleTravel => &["API2:2023"],
            Self::BolaEnumeration | Self::BolaForeignObject => &["API1:2023"],
            Self::MassRegistration | Self::Automation => &["API6:2023"],
            Self::ShadowAccess | Self::ZombieAccess => &["API9:2023"],
            Self::RateSpike => &["API4:2023"],
            Self::VolumeExfiltration => &["API4:2023", "API6:2023"],
            Self::Attack(Attack::Ssrf) => &["API7:2023"],
            Self::Attack(Attack::MassAssignment) => &["API3:2023"],
            Self::Attack(Attack::GraphqlAbuse) => &["API4:2023"],
            Self::Attack(Attack::JwtAbuse) => &["API2:2023"],
            Self::Attack(Attack::SchemaViolation) => &["API3:2023", "API8:2023", "API9:2023"],
            Self::Attack(Attack::Scanner) => &["API8:2023", "API9:2023"],
            Self::Attack(_) => &["API8:2023"],
        }
    }
}

impl Serialize for Detector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.number())
    }
}

impl<'de> Deserialize<'de> for Detector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unknown = || serde::de::Error::custom("no detector has this number");
        Self::from_number(u32::deserialize(deserializer)?).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_is_found_by_its_name_and_its_number() {
        assert_eq!(Detector::all().count(), Detector::COUNT);
        for detector in Detector::all() {
            assert_eq!(Detector::from_name(detector.name()), Some(detector));
            assert_eq!(Detector::from_number(detector.number()), Some(detector));
        }
        assert_eq!(Detector::from_number(63), None);
        assert_eq!(Detector::from_name("magic"), None);
    }
}
