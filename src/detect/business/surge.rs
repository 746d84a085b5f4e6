//! Region surge: far more orders, or money, from one country or network than it is used to, and than the others see.
//!
//! **Counts** amounts that successful writing requests carry, by parameter and currency, for each country and each AS
//! number, minute by minute. What is usual is the average of the past, which fades with a half-life of a day; the last
//! ten minutes are not part of it. **Fires** when a region brought 20 within a minute, three, or ten, and more than
//! four times what is usual for it, or ten whose sum, the largest left out, is that and worth 20; when that is beyond chance; and
//! with the first amount three seconds later, because flushes of other places may still be on their way. In the first hour
//! little is known of what is usual: from its twentieth minute on a surge has to be twice as much, before that there is none.
//!
//! **Innocent behaviour that looks like it**: a flash sale. What is usual is multiplied by how much more the rest of
//! the world brings at the same time, so that customers from everywhere are no surge of any region.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::parameter::Decimal;
use crate::session::{Event, EventId, Evidence};
use crate::subject::{SubjectHash, Value as Hashable};

const MINUTE_MS: u64 = 60_000;
/// Minutes that are counted apart.
const RECENT: u32 = 10;
/// Within how many minutes a surge may show.
const WINDOWS: [u32; 3] = [1, 3, RECENT];
/// 2^(−1/1440): what is left after a minute, so that a day halves it.
const FADE: f64 = 0.999_518_770_6;
/// Minutes before which nothing is usual, and up to which it takes twice as much.
const LEARNS: u32 = 20;
const KNOWS: u32 = 60;
/// How many are enough to speak of a surge, by number and by sum.
const MIN_COUNT: u32 = 20;
const MIN_OF_SUM: u32 = 10;
const FACTOR: f64 = 4.0;
/// Standard deviations of a Poisson process.
const BEYOND_CHANCE: f64 = 5.0;
const HOLD_MS: u64 = 3_000;
/// How often one region is raised, ms.
const AGAIN_MS: u64 = 3_600_000;
/// Parameters, and regions of each, that are watched; of too many regions the one heard of longest ago goes.
const MAX_SERIES: usize = 4;
const MAX_REGIONS: usize = 64;
const MAX_EVIDENCE: usize = 10;
/// Different sessions, users, addresses, networks and devices told apart.
const MAX_DIFFERENT: usize = 32;

/// What is usual, and what is going on, of every parameter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Surges(BTreeMap<String, Series>);

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Series {
    begun: u32,
    world: Region,
    regions: BTreeMap<String, Region>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Region {
    /// Minute of the newest amount, since 1970.
    minute: u32,
    recent: Vec<Minute>,
    /// Number and sum of what came before, faded up to `minute`.
    count: f64,
    sum: f64,
    /// Since when it is more than usual, and when that was told last; epoch ms, 0 for not at all.
    since_ms: u64,
    raised_ms: u64,
    latest: Vec<(EventId, Decimal)>,
    sessions: Vec<u32>,
    users: Vec<u32>,
    addresses: Vec<u32>,
    networks: Vec<u32>,
    devices: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Minute {
    number: u32,
    count: u32,
    sum: Decimal,
    largest: Decimal,
}

/// More than usual comes from a region.
#[derive(Debug, Clone, PartialEq)]
pub struct Surge {
    /// Whether it is told for the first time; later events of it only belong to it.
    pub is_new: bool,
    pub value: f64,
    pub baseline: f64,
    pub message: String,
    pub evidence: Vec<Evidence>,
}

/// How much a region brought, and what would be usual.
struct Measured {
    minutes: u32,
    value: f64,
    usual: f64,
    /// Whether it is about sums.
    of_sums: bool,
}

impl Surges {
    /// Takes in an amount of the series `name`; answers the surge it belongs to, of the country before that of the
    /// network. `user` is who made it, empty where that is not known.
    pub fn see(
        &mut self,
        name: &str,
        amount: Decimal,
        event: &Event<'_>,
        user: &str,
        hash: &SubjectHash,
    ) -> Option<Surge> {
        if !self.0.contains_key(name) && self.0.len() >= MAX_SERIES {
            return None;
        }
        let minute = u32::try_from(event.time_ms / MINUTE_MS).unwrap_or(u32::MAX);
        let series = self.0.entry(name.to_owned()).or_default();
        if series.begun == 0 {
            series.begun = minute;
        }
        series.world.add(minute, amount);
        let network = if event.asn == 0 { String::new() } else { format!("AS{}", event.asn) };
        let mut surge = None;
        for place in [event.country, network.as_str()].into_iter().filter(|place| !place.is_empty()) {
            if !series.regions.contains_key(place) {
                series.make_room();
            }
            let region = series.regions.entry(place.to_owned()).or_default();
            region.add(minute, amount);
            region.note(event, user, amount, hash);
            let known = region.minute.saturating_sub(series.begun);
            let measured = if known < LEARNS { None } else { region.measure(&series.world, known) };
            let told = region.tell(measured.as_ref(), name, place, event.time_ms);
            surge = surge.or(told);
        }
        surge
    }
}

impl Series {
    fn make_room(&mut self) {
        if self.regions.len() < MAX_REGIONS {
            return;
        }
        let oldest = self.regions.iter().min_by_key(|(_, region)| region.minute).map(|(place, _)| place.clone());
        oldest.and_then(|place| self.regions.remove(&place));
    }
}

impl Region {
    /// Takes in an amount; one that comes later than ten minutes counts for what was usual.
    fn add(&mut self, minute: u32, amount: Decimal) {
        if minute > self.minute {
            self.advance(minute);
        }
        if minute + RECENT <= self.minute {
            self.count += 1.0;
            self.sum += amount.to_f64();
            return;
        }
        let at = match self.recent.binary_search_by_key(&minute, |known| known.number) {
            Ok(at) => at,
            Err(at) => {
                self.recent.insert(at, Minute { number: minute, ..Minute::default() });
                at
            }
        };
        if let Some(known) = self.recent.get_mut(at) {
            known.count = known.count.saturating_add(1);
            known.sum = known.sum.plus(amount);
            known.largest = known.largest.max(amount);
        }
    }

    fn advance(&mut self, minute: u32) {
        let passed = minute - self.minute;
        let fade = |minutes: u32| FADE.powi(minutes.min(100_000).cast_signed());
        (self.count, self.sum) = (self.count * fade(passed), self.sum * fade(passed));
        let over = self.recent.partition_point(|known| known.number + RECENT <= minute);
        for known in self.recent.drain(..over) {
            let left = fade(minute - known.number - RECENT);
            self.count += f64::from(known.count) * left;
            self.sum += known.sum.to_f64() * left;
        }
        self.minute = minute;
    }

    /// Notes who it came from: of several amounts of one session the newest.
    fn note(&mut self, event: &Event<'_>, user: &str, amount: Decimal, hash: &SubjectHash) {
        self.latest.retain(|(id, _)| id.session_prefix() != event.id.session_prefix());
        if self.latest.len() >= MAX_EVIDENCE {
            self.latest.remove(0);
        }
        self.latest.push((event.id, amount));
        if self.since_ms == 0 {
            return;
        }
        let digest = |text: String| text.into_boxed_str().digest(hash) as u32;
        let put = |set: &mut Vec<u32>, digest: u32| {
            if let Err(at) = set.binary_search(&digest)
                && set.len() < MAX_DIFFERENT
            {
                set.insert(at, digest);
            }
        };
        put(&mut self.sessions, event.session.prefix() as u32);
        if !user.is_empty() {
            put(&mut self.users, digest(user.to_owned()));
        }
        put(&mut self.networks, event.asn);
        put(&mut self.addresses, digest(event.ip.map_or_else(String::new, |ip| ip.to_string())));
        put(&mut self.devices, digest([event.ja4, " ", event.user_agent].concat()));
    }

    /// Number, sum and the largest of the last `minutes`.
    fn last(&self, minutes: u32, now: u32) -> (u32, f64, f64) {
        let within = self.recent.iter().filter(|known| known.number + minutes > now);
        within.fold((0, 0.0, 0.0), |(count, sum, largest): (u32, f64, f64), known| {
            (count + known.count, sum + known.sum.to_f64(), largest.max(known.largest.to_f64()))
        })
    }

    /// What is more than usual, if anything is. `known` is for how many minutes the series is known.
    fn measure(&self, world: &Self, known: u32) -> Option<Measured> {
        let weight = (1.0 - FADE.powi(known.saturating_sub(RECENT).min(100_000).cast_signed())) / (1.0 - FADE);
        // The region was brought up to the same minute as the world by this very amount, or lags behind by as much as
        // flushes do.
        let now = world.minute;
        let factor = if known < KNOWS { 2.0 * FACTOR } else { FACTOR };
        WINDOWS.into_iter().find_map(|minutes| {
            let ((count, sum, largest), (all, all_sum, _)) = (self.last(minutes, now), world.last(minutes, now));
            let usual = |past: f64| past / weight.max(1.0) * f64::from(minutes);
            // Three more on either side: little says little.
            let growth = |now: f64, before: f64, little: f64| ((now + little) / (before + little).max(0.001)).max(1.0);
            let rest = usual((world.count - self.count).max(0.0));
            let expected = usual(self.count) * growth(f64::from(all.saturating_sub(count)), rest, 3.0);
            let (value, least) = (f64::from(count), expected.max(1.0));
            let is_more = value > factor * expected && value - expected > BEYOND_CHANCE * least.sqrt();
            if count >= MIN_COUNT && is_more {
                return Some(Measured { minutes, value, usual: expected, of_sums: false });
            }
            let mean = if world.count > 0.0 { world.sum / world.count } else { 0.0 };
            let rest = usual((world.sum - self.sum).max(0.0));
            let expected = usual(self.sum) * growth((all_sum - sum).max(0.0), rest, 3.0 * mean.max(0.0));
            let is_more = expected > 0.0 && sum - largest > (factor * expected).max(mean * f64::from(MIN_COUNT));
            (count >= MIN_OF_SUM && is_more).then_some(Measured { minutes, value: sum, usual: expected, of_sums: true })
        })
    }

    /// Who it came from.
    fn sets(&mut self) -> [&mut Vec<u32>; 5] {
        [&mut self.sessions, &mut self.users, &mut self.addresses, &mut self.networks, &mut self.devices]
    }

    fn tell(&mut self, measured: Option<&Measured>, name: &str, place: &str, now_ms: u64) -> Option<Surge> {
        let Some(&Measured { minutes, value, usual, of_sums }) = measured else {
            self.since_ms = 0;
            return None;
        };
        if self.since_ms == 0 {
            self.since_ms = now_ms;
            for set in self.sets() {
                set.clear();
            }
        }
        if now_ms.saturating_sub(self.since_ms) < HOLD_MS {
            return None;
        }
        let is_new = self.raised_ms == 0 || now_ms.saturating_sub(self.raised_ms) >= AGAIN_MS;
        if is_new {
            self.raised_ms = now_ms;
        }
        let shown = |set: &Vec<u32>| {
            let more = if set.len() < MAX_DIFFERENT { "" } else { " or more" };
            [&set.len().to_string(), more].concat()
        };
        let [sessions, users, addresses, networks, devices] = self.sets().map(|set| shown(set));
        let what = if of_sums { "adds up to" } else { "came" };
        let times = if of_sums { "" } else { " times" };
        let message = format!(
            "{name} from {place} {what} {value}{times} within {minutes} min, usual is {usual:.1}; since then from \
             {sessions} sessions, {users} known users, {addresses} addresses, {networks} networks, {devices} devices"
        );
        let evidence = self.latest.iter().map(|(id, amount)| Evidence {
            request: *id,
            time_ms: id.time_ms(),
            what: format!("{name} {amount}"),
        });
        Some(Surge { is_new, value, baseline: usual, message, evidence: evidence.collect() })
    }
}
