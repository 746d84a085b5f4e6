//! Labelled traffic of a shop with an API: its customers, and attackers of every class at three strengths.
//!
//! Written from how people and attackers behave, not from what detectors count: think times are log-normal, pages load
//! their parts in bursts, passwords are mistyped, offices share an address, attackers jitter and rotate. The same seed
//! gives the same traffic. `people.rs` has who is innocent, `odd.rs` those of them who look otherwise, `attackers.rs` who is not, `play.rs` runs a store.

#![allow(dead_code, reason = "each user of it needs its own part")]

pub mod attackers;
pub mod odd;
pub mod people;
pub mod play;

use throughline::session::SessionId;

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;

/// Pseudo-random numbers that depend on the seed alone (SplitMix64).
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.next() as usize % of.len()]
    }

    /// Log-normal: how long people take.
    pub fn around(&mut self, median: f64, spread: f64) -> u64 {
        let normal = (-2.0 * self.unit().max(1e-12).ln()).sqrt() * (core::f64::consts::TAU * self.unit()).cos();
        (median * (spread * normal).exp()) as u64
    }

    /// `mean`, give or take a share of it: how long programs take.
    pub fn jitter(&mut self, mean: u64, share: f64) -> u64 {
        (mean as f64 * (1.0 + share * (2.0 * self.unit() - 1.0))) as u64
    }
}

/// Who a session is of: nobody in particular, or an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    Innocent(&'static str),
    Attack(u32),
}

/// One attacker: its class, its strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attacker {
    pub class: &'static str,
    pub strength: Strength,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    Loud,
    Normal,
    Stealthy,
}

impl Strength {
    pub const ALL: [Self; 3] = [Self::Loud, Self::Normal, Self::Stealthy];

    pub fn name(self) -> &'static str {
        ["loud", "normal", "stealthy"][self as usize]
    }

    pub fn of<T: Copy>(self, loud: T, normal: T, stealthy: T) -> T {
        [loud, normal, stealthy][self as usize]
    }
}

/// Where and with what somebody is.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub ip: String,
    pub country: &'static str,
    pub asn: u32,
    pub agent: &'static str,
    pub ja4: &'static str,
}

/// One request with its answer.
#[derive(Debug, Clone)]
pub struct Request {
    pub at_ms: u64,
    pub label: Label,
    /// `None` where it came without a key.
    pub session: Option<u64>,
    pub key: &'static str,
    pub verified: bool,
    pub method: &'static str,
    pub path: String,
    pub status: u16,
    pub bytes: u64,
    pub place: Place,
    pub user: String,
    pub attempted: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Traffic {
    pub requests: Vec<Request>,
    pub attackers: Vec<Attacker>,
    sessions: u64,
}

/// Somebody who acts: a place, a session and a clock.
#[derive(Debug, Clone)]
pub struct Actor {
    pub label: Label,
    pub place: Place,
    pub session: Option<u64>,
    pub key: &'static str,
    pub verified: bool,
    pub at_ms: u64,
    pub user: String,
}

impl Actor {
    pub fn new(label: Label, place: Place, at_ms: u64) -> Self {
        let key = "request.cookie.sid";
        Self { label, place, session: None, key, verified: false, at_ms, user: String::new() }
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.at_ms += ms;
        self
    }
}

impl Traffic {
    pub fn session(&mut self) -> u64 {
        self.sessions += 1;
        self.sessions
    }

    pub fn attacker(&mut self, class: &'static str, strength: Strength) -> Label {
        self.attackers.push(Attacker { class, strength });
        Label::Attack(self.attackers.len() as u32 - 1)
    }

    pub fn send(&mut self, actor: &Actor, method: &'static str, path: impl Into<String>, status: u16, bytes: u64) {
        self.push(actor, method, path.into(), status, bytes, "");
    }

    /// A login as `user`; answered with success it begins a session.
    pub fn login(&mut self, actor: &mut Actor, path: &str, user: &str, succeeds: bool) {
        if succeeds && actor.session.is_none() {
            actor.session = Some(self.session());
        }
        // Who is tried is known where the origin reports it; most do not.
        let told = if path.ends_with("signin") { user } else { "" };
        self.push(actor, "POST", path.to_owned(), if succeeds { 200 } else { 401 }, 180, told);
    }

    fn push(&mut self, actor: &Actor, method: &'static str, path: String, status: u16, bytes: u64, tried: &str) {
        let attempted = !tried.is_empty() && status >= 400;
        self.requests.push(Request {
            at_ms: actor.at_ms,
            label: actor.label,
            session: actor.session,
            key: actor.key,
            verified: actor.verified,
            method,
            path,
            status,
            bytes,
            place: actor.place.clone(),
            user: if tried.is_empty() { actor.user.clone() } else { tried.to_owned() },
            attempted,
        });
    }
}

impl Request {
    /// The session it belongs to: its key's, or that of address, agent and fingerprint.
    pub fn session_id(&self) -> SessionId {
        let number = match self.session {
            Some(number) => number as u128,
            None => {
                let of = [&self.place.ip, " ", self.place.agent, " ", self.place.ja4].concat();
                of.bytes().fold(0x6c62_272e_07bb_0142_u128, |h, b| {
                    (h ^ u128::from(b)).wrapping_mul(0x0000_0100_0000_01b3_9e37_79b9)
                }) | 1 << 127
            }
        };
        SessionId(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes())
    }
}
