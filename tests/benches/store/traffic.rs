//! The traffic a store is measured with: the same for the same shape, and made as it is asked for, so that twenty
//! million events need no memory.
//!
//! What is typical: sixty endpoints of which the first are asked for most, half of the paths with ids in them, twenty
//! agents, a dozen countries of very different size, answers that are nearly all 200, a user for every fifth session. One
//! session in two thousand is a scanner that asks for paths nobody else asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use throughline::session::{BatchBuilder, Event, EventId};
use throughline::wire::{Flush, IsolateCounts};

use crate::support::events::{START_MS, event, session};

pub const COUNTRIES: [&str; 12] = ["DE", "US", "FR", "GB", "IN", "BR", "JP", "NL", "PL", "SE", "IS", "MT"];
pub const RESOURCES: [&str; 12] = [
    "products",
    "orders",
    "carts",
    "customers",
    "reviews",
    "search",
    "payments",
    "shipments",
    "vouchers",
    "returns",
    "invoices",
    "reports",
];
/// Method, rest of the template, and how many requests in a hundred.
pub const OPERATIONS: [(&str, &str, u64); 5] = [
    ("GET", "", 35),
    ("GET", "/{integer}", 33),
    ("POST", "", 14),
    ("PUT", "/{uuid}", 15),
    ("DELETE", "/{integer}/items", 3),
];
/// Status, and how many requests in a thousand.
pub const STATUSES: [(u16, u64); 8] =
    [(200, 942), (304, 20), (404, 15), (401, 10), (500, 6), (403, 4), (429, 2), (503, 1)];
pub const HOSTS: [&str; 2] = ["api.shop.test", "admin.shop.test"];
pub const ROLES: [&str; 3] = ["customer", "partner", "admin"];
pub const USERS: u64 = 50_000;
pub const NETWORKS: u64 = 50;

const AGENTS: usize = 20;
const ISOLATES: u64 = 8;
const SCANNER_EVERY: u64 = 2_000;
const USER_EVERY: u64 = 5;

/// What there is to be of it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub requests_per_session: u32,
    /// Sessions that are under way at any time; their number makes a session as long as it is.
    pub at_once: usize,
    /// Requests a second.
    pub rate: u64,
    /// Sessions in all; `u64::MAX` for no end.
    pub sessions: u64,
    /// When it begins, epoch ms.
    pub from_ms: u64,
}

impl Shape {
    /// Sessions of so many requests over ten minutes each, at so many requests a second.
    pub fn ten_minutes(requests_per_session: u32, rate: u64) -> Self {
        let at_once = (rate * 600 / u64::from(requests_per_session)).max(1) as usize;
        Self { requests_per_session, at_once, rate, sessions: u64::MAX, from_ms: START_MS }
    }
}

/// Flushes, one after the other.
pub struct Traffic {
    shape: Shape,
    random: Random,
    agents: Vec<String>,
    /// Sessions under way with the requests each has left.
    visitors: Vec<(u64, u32)>,
    /// The scanner at work, by its place: it asks without a pause.
    scanner: Option<usize>,
    started: u64,
    events: u64,
    flushes: u64,
}

impl Traffic {
    pub fn new(shape: Shape) -> Self {
        let mut random = Random(1);
        let agent =
            |i| format!("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{}.0.0.0 Safari/537.36", 100 + i);
        let at_once = shape.at_once.min(usize::try_from(shape.sessions).unwrap_or(usize::MAX));
        // Where there is no end, those under way at the start are at any place in their course.
        let steady = shape.sessions == u64::MAX;
        let left = |random: &mut Random| match steady {
            true => 1 + random.below(u64::from(shape.requests_per_session)) as u32,
            false => shape.requests_per_session,
        };
        let visitors: Vec<_> = (0..at_once as u64).map(|n| (n, left(&mut random))).collect();
        let agents = (0..AGENTS).map(agent).collect();
        Self { shape, random, agents, started: visitors.len() as u64, visitors, scanner: None, events: 0, flushes: 0 }
    }

    /// Time of the last event, epoch ms.
    pub fn now_ms(&self) -> u64 {
        self.shape.from_ms + self.events * 1_000 / self.shape.rate
    }

    /// Sessions begun so far.
    pub fn sessions(&self) -> u64 {
        self.started
    }

    /// Whether every request has been made.
    pub fn is_over(&self) -> bool {
        self.visitors.is_empty()
    }

    /// The next flush of `events` events, fewer at the end, `None` after it.
    pub fn flush(&mut self, events: usize) -> Option<Flush> {
        let mut builder = BatchBuilder::default();
        while builder.len() < events && !self.visitors.is_empty() {
            self.push(&mut builder);
        }
        if builder.is_empty() {
            return None;
        }
        self.flushes += 1;
        let (isolate, sequence) = (1 + self.flushes % ISOLATES, 1 + self.flushes / ISOLATES);
        let counts = IsolateCounts::default();
        let (questions, wants_known, batch) = (Vec::new(), false, builder.take().encode());
        Some(Flush {
            layout: 1,
            urgent: false,
            isolate,
            sequence,
            now_ms: self.now_ms(),
            blocks_version: 0,
            counts,
            backlog: Default::default(),
            questions,
            wants_known,
            batch,
        })
    }

    fn push(&mut self, builder: &mut BatchBuilder) {
        let at = self.scanner.unwrap_or_else(|| self.random.below(self.visitors.len() as u64) as usize);
        let (n, left) = self.visitors[at];
        self.request(n, builder);
        self.scanner = (left > 1 && is_scanner(n)).then_some(at);
        if left > 1 {
            self.visitors[at].1 -= 1;
        } else if self.started < self.shape.sessions {
            self.visitors[at] = (self.started, self.shape.requests_per_session);
            self.started += 1;
        } else {
            self.visitors.swap_remove(at);
        }
    }

    fn request(&mut self, n: u64, builder: &mut BatchBuilder) {
        self.events += 1;
        let (time_ms, unique, random) = (self.now_ms(), self.events, &mut self.random);
        let Client { country, asn, ip, agent, user, roles } = Client::of(n);

        let resource = random.skewed(RESOURCES.len());
        let operation = random.weighted(OPERATIONS.iter().map(|(_, _, weight)| *weight));
        let (method, rest, _) = OPERATIONS[operation];
        let status = STATUSES[random.weighted(STATUSES.iter().map(|(_, weight)| *weight))].0;
        let host = HOSTS[usize::from(resource + 1 == RESOURCES.len())];
        let mut template = format!("/api/{}{rest}", RESOURCES[resource]);
        let mut path = template.replace("{integer}", &(10_000 + random.below(1_000_000)).to_string());
        if rest == "/{uuid}" {
            let (high, low) = (random.next(), random.next());
            let uuid = format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            );
            path = template.replace("{uuid}", &uuid);
        }
        let (mut method, mut status) = (method, status);
        if is_scanner(n) {
            path = format!("/wp-{:x}", random.below(1 << 32));
            template.clone_from(&path);
            (method, status) = ("GET", 404);
        }
        let base = event(n, 0, unique);
        builder.push(&Event {
            id: EventId::new(time_ms, session(n), unique),
            time_ms,
            key_source: if n.is_multiple_of(4) { "request.header.authorization" } else { "request.cookie.sid" },
            duration_ms: 5 + random.below(200) as u32,
            method,
            host,
            path: &path,
            template: &template,
            status,
            request_bytes: (method != "GET").then(|| 100 + random.below(2_000)),
            response_bytes: Some(200 + random.below(20_000)),
            ip: Some(ip),
            country: COUNTRIES[country],
            asn,
            colo: ["FRA", "IAD", "CDG", "LHR"][country % 4],
            user_agent: &self.agents[agent],
            user: &user,
            roles,
            ..base
        });
    }
}

fn is_scanner(n: u64) -> bool {
    n % SCANNER_EVERY == SCANNER_EVERY - 1
}

/// Whose session number `n` is.
pub struct Client {
    country: usize,
    asn: u32,
    pub ip: IpAddr,
    agent: usize,
    pub user: String,
    roles: &'static str,
}

impl Client {
    pub fn of(n: u64) -> Self {
        let mut random = Random(n);
        let country = random.skewed(COUNTRIES.len());
        let asn = 64_500 + random.skewed(NETWORKS as usize) as u32;
        let ip = address(country, &mut random);
        let agent = random.skewed(AGENTS);
        let user =
            if n.is_multiple_of(USER_EVERY) { format!("user-{}", n / USER_EVERY % USERS) } else { String::new() };
        let roles = if user.is_empty() { "" } else { ROLES[random.skewed(ROLES.len())] };
        Self { country, asn, ip, agent, user, roles }
    }
}

/// `81.0.0.0/8` is the first country, `82.0.0.0/8` the second; every tenth client has a v6 address.
fn address(country: usize, who: &mut Random) -> IpAddr {
    let host = who.next();
    if host.is_multiple_of(10) {
        let part = |shift: u32| (host >> shift & 0xffff) as u16;
        return Ipv6Addr::new(0x2001, 0xdb8, country as u16, part(16), part(32), 0, 0, part(48)).into();
    }
    let part = |shift: u32| (host >> shift & 0xff) as u8;
    // Most of a country's clients are in few networks.
    Ipv4Addr::new(81 + country as u8, part(16) % 64 * part(24).is_multiple_of(4) as u8, part(32), part(40)).into()
}

/// `SplitMix64`: any seed is good, and a value of it can be had without the ones before.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// An index below `n`; the last of twelve comes about once in forty times, the first ten times as often.
    pub fn skewed(&mut self, n: usize) -> usize {
        let unit = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (n as f64 * unit * unit * unit.sqrt()) as usize
    }

    fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut at = self.below(weights.clone().sum());
        weights
            .into_iter()
            .position(|weight| {
                let here = at < weight;
                at = at.saturating_sub(weight);
                here
            })
            .unwrap_or(0)
    }
}
