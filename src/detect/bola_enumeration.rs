//! BOLA enumeration: somebody goes through the ids of other people's objects.
//!
//! **Counts** different ids (integers, UUIDs, hex) in the path of one endpoint. **Fires** in any of four cases, and again
//! when a count has doubled:
//! - at the limit (30) within the window (1 min), where no list led there;
//! - at half of it, where most were refused (403, 404): guesses miss;
//! - when thirty ids in a row follow each other (each within three of the one before, in one direction), or half of that
//!   where most were refused;
//! - at ten times the limit within an hour, or at the limit within a day where most were refused: patience.
//!
//! **Innocent behaviour that looks like it**: a page loads the forty things of a list one by one. Whatever is answered
//! without an id leads to eighty ids of any kind in the next ten seconds, in any order. A list that was answered (the
//! same path without the id, a search, a feed) leads to as many ids of its collection as its bytes can hold, at most a
//! hundred, for ten minutes; but who then goes from one number to the next is not led by it. A person who pages through a gallery is slow and stops; a
//! program with an API key or a verified claim that keeps up with many objects may ask for ten times as many, and go through
//! its own in their order, every night: of its rows only those count in which more than one in five was refused, which happens
//! to who counts up and not to who knows what there is. Session keys that are an
//! address belong to many people and may have four times as many. Products, articles and the like are nobody's own: five times
//! as many before it is told, and with little weight, because to copy a catalogue harms less than to read other people's orders.

use serde::{Deserialize, Serialize};

use super::Suspicion;
use super::tuning::Tuning;
use super::whereabouts::Use;
use crate::inventory::Shape;
use crate::session::{Detector, Event, Severity};
use crate::verdict::Action;

/// Endpoints followed in one session; the one used longest ago makes room.
const MAX_ENDPOINTS: usize = 4;
/// Ids told apart within a window.
const MAX_IDS: usize = 256;
/// Ids a list leads to, and for how long, ms.
const LISTED: u32 = 100;
const LISTED_MS: u64 = 600_000;
/// Bytes an entry of a list takes at the least.
const ENTRY_BYTES: u64 = 40;
/// Ids one page loads, and how long that takes, ms.
const OF_PAGE: u32 = 80;
const PAGE_MS: u64 = 10_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// A program's row of ids is one where one in so many at the least was refused.
const MISSES: u32 = 5;
const RUN: u32 = 30;
/// Collections that are there for everybody to go through.
const CATALOGUE: [&str; 22] = [
    "product", "item", "article", "post", "news", "categor", "catalog", "page", "image", "photo", "media", "video",
    "song", "book", "movie", "recipe", "listing", "event", "hotel", "flight", "store", "stock",
];
/// How much further one may go through those.
const CATALOGUE_SCALE: u32 = 5;

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Used last, last.
    endpoints: Vec<Walk>,
    /// Collections that were listed: hash, when, and how many ids may still follow.
    lists: Vec<(u32, u64, u32)>,
    /// When something without an id was answered last, and how many ids of its page may still follow.
    page_ms: u64,
    page_left: u32,
}

/// One endpoint, as one session goes through its objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Walk {
    endpoint: u32,
    from_ms: u64,
    /// Hashes of the ids within the window. Two of 30 fall together once in 150 times, and one is not counted.
    ids: Vec<u16>,
    refused: u32,
    /// Of them, those that a list led to.
    listed: u32,
    hour_ms: u64,
    hour_ids: u32,
    hour_listed: u32,
    /// The day, and the ids of it that were asked for and those that were refused.
    day: u32,
    day_ids: u32,
    day_refused: u32,
    last: i64,
    run: u32,
    run_refused: u32,
    up: bool,
    /// Count at which it fires next.
    next: u32,
}

impl Memory {
    /// Takes in one event; `usage` is `None` where the session may be many people.
    pub fn observe(&mut self, event: &Event<'_>, usage: Option<Use>, tuning: &Tuning) -> Option<Suspicion> {
        if event.action >= Action::Throttle || event.status >= 500 {
            return None;
        }
        let Some((parent, id)) = object_of(event.template, event.path) else {
            self.list(event);
            return None;
        };
        let parent = path_hash(parent);
        let is_refused = matches!(event.status, 401 | 403 | 404 | 410);
        // What nobody may see for lack of a login says nothing about ids.
        if event.status == 401 || (event.refused() && !is_refused) {
            return None;
        }
        let endpoint = fnv(fnv(FNV, event.method.as_bytes()), event.template.as_bytes());
        let at = self.endpoints.iter().position(|walk| walk.endpoint == endpoint);
        let walk = match at {
            Some(at) => self.endpoints.remove(at),
            None if self.endpoints.len() >= MAX_ENDPOINTS => {
                self.endpoints.remove(0);
                Walk { endpoint, ..Walk::default() }
            }
            None => {
                self.endpoints.reserve_exact(1);
                Walk { endpoint, ..Walk::default() }
            }
        };
        self.endpoints.push(walk);
        let walk = self.endpoints.last_mut()?;
        if !walk.is_new(id, event.time_ms, tuning.window_ms) {
            return None;
        }
        let now_ms = event.time_ms;
        let list = self.lists.iter_mut().find(|(of, at_ms, left)| {
            (*of == parent || *of == ANYTHING) && *left > 0 && at_ms.saturating_add(LISTED_MS) >= now_ms
        });
        let is_listed = list.is_some();
        if let Some((_, _, left)) = list {
            *left -= 1;
        }
        let of_page = self.page_left > 0 && now_ms.saturating_sub(self.page_ms) <= PAGE_MS;
        self.page_left -= u32::from(of_page);
        walk.count(id, is_refused, is_listed || of_page, of_page);
        walk.judge(event, usage, tuning)
    }

    /// Notes a list that was answered.
    fn list(&mut self, event: &Event<'_>) {
        if !(200..300).contains(&event.status) || !matches!(event.method, "GET" | "POST" | "QUERY") {
            return;
        }
        let last = event.template.trim_end_matches('/').rsplit('/').next().unwrap_or("");
        let leads_anywhere =
            ["search", "feed", "graphql", "home", "catalog", "browse", "list", "recommend", "dashboard"]
                .iter()
                .any(|word| last.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
        let of = if leads_anywhere || last.is_empty() { ANYTHING } else { path_hash(event.template) };
        if event.method == "POST" && of != ANYTHING {
            return;
        }
        (self.page_ms, self.page_left) = (event.time_ms, OF_PAGE);
        let entries = event.response_bytes.map_or(LISTED, |bytes| (bytes / ENTRY_BYTES).min(LISTED.into()) as u32);
        // What is said again leads on from there.
        let left = self.lists.iter().find(|(known, ..)| *known == of).map_or(0, |(_, _, left)| *left);
        self.lists.retain(|(known, ..)| *known != of);
        if self.lists.len() >= MAX_ENDPOINTS {
            self.lists.remove(0);
        }
        self.lists.push((of, event.time_ms, entries.max(left)));
    }
}

/// Stands for every collection.
const ANYTHING: u32 = 0;

impl Walk {
    /// Whether the id was not asked for within the window; begins a new one where it is over.
    fn is_new(&mut self, id: &str, now_ms: u64, window_ms: u64) -> bool {
        if now_ms.saturating_sub(self.from_ms) >= window_ms {
            (self.from_ms, self.refused, self.listed) = (now_ms, 0, 0);
            // The last few stay, so that what is polled is not new in each window.
            let old = self.ids.len().saturating_sub(8);
            self.ids.drain(..old);
        }
        if now_ms.saturating_sub(self.hour_ms) >= HOUR_MS {
            (self.hour_ms, self.hour_ids, self.hour_listed, self.next) = (now_ms, 0, 0, 0);
        }
        let day = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        if self.day != day {
            (self.day, self.day_ids, self.day_refused) = (day, 0, 0);
        }
        let hash = fnv(FNV, id.as_bytes());
        let hash = (hash ^ (hash >> 16)) as u16;
        if self.ids.contains(&hash) {
            return false;
        }
        if self.ids.len() >= MAX_IDS {
            self.ids.remove(0);
        }
        self.ids.push(hash);
        true
    }

    fn count(&mut self, id: &str, is_refused: bool, is_listed: bool, of_page: bool) {
        self.refused += u32::from(is_refused);
        self.listed += u32::from(is_listed);
        self.hour_ids += 1;
        self.day_ids = self.day_ids.saturating_add(1);
        self.day_refused = self.day_refused.saturating_add(u32::from(is_refused));
        self.hour_listed += u32::from(is_listed);
        let Ok(number) = id.parse::<i64>() else { return };
        let step = number.saturating_sub(self.last);
        let goes_on = step != 0 && step.unsigned_abs() <= 3 && (self.run <= 1 || self.up == (step > 0));
        if of_page {
            // Neither goes on nor ends.
        } else if goes_on {
            self.run += 1;
        } else {
            (self.run, self.run_refused) = (1, 0);
        }
        self.up = step > 0;
        self.run_refused += u32::from(is_refused);
        self.last = number;
    }

    fn judge(&mut self, event: &Event<'_>, usage: Option<Use>, tuning: &Tuning) -> Option<Suspicion> {
        let scale = match usage {
            Some(Use::Program) => 10,
            Some(Use::Client | Use::Person) => 1,
            None => 4,
        };
        // A float cast saturates; a limit is at most 10,000.
        let is_catalogue = is_catalogue(event.template);
        let scale = scale * if is_catalogue { CATALOGUE_SCALE } else { 1 };
        let limit = (tuning.limit.max(2.0) as u32).saturating_mul(scale);
        // Programs know what there is: they have no more misses than people.
        let guesses = if usage == Some(Use::Program) { limit / scale } else { limit }.div_ceil(2);
        let in_window = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let unlisted = in_window.saturating_sub(self.listed);
        let mostly_refused = self.refused * 2 >= in_window && in_window > 0;
        let run = if self.run_refused * 2 >= self.run { RUN / 2 } else { RUN }
            * if usage.is_none() { 2 } else { 1 }
            * if is_catalogue { CATALOGUE_SCALE } else { 1 };
        let hour = self.hour_ids.saturating_sub(self.hour_listed);
        let is_row = usage != Some(Use::Program) || self.run_refused * MISSES >= self.run;
        let (value, baseline, message) = if self.run >= run && is_row {
            (self.run, run, "ids that follow each other")
        } else if mostly_refused && self.refused >= guesses {
            (self.refused, guesses, "ids that are mostly refused")
        } else if unlisted >= limit {
            (unlisted, limit, "different ids within the window, that no list led to")
        } else if hour >= limit.saturating_mul(10) {
            (hour, limit.saturating_mul(10), "different ids within an hour, that no list led to")
        } else if self.day_refused >= guesses.saturating_mul(2) && self.day_refused * 2 >= self.day_ids {
            (self.day_refused, guesses * 2, "ids within a day that are mostly refused")
        } else {
            return None;
        };
        if value < self.next {
            return None;
        }
        self.next = value.saturating_mul(2);
        Some(Suspicion {
            detector: Detector::BolaEnumeration,
            severity: if is_catalogue { Severity::Low } else { Severity::High },
            confidence: if is_catalogue { 0.5 } else { 0.85 },
            value: f64::from(value),
            baseline: f64::from(baseline),
            message: format!("asked {} {} for {value} {message}", event.method, event.template),
            evidence: Vec::new(),
            if_idle: false,
        })
    }
}

/// By its form: the template up to the object's id, and the id: the last placeholder, where it is the last segment or the one before.
/// What only a list has (a date, an address of mail) is no object, and neither are files.
pub fn object_of<'t, 'p>(template: &'t str, path: &'p str) -> Option<(&'t str, &'p str)> {
    let is_id = |placeholder: &str, value: &str| {
        placeholder.starts_with('{')
            && placeholder.ends_with('}')
            && matches!(Shape::of(value), Shape::Integer | Shape::Uuid | Shape::Hex | Shape::Ulid)
    };
    let (mut before_id, mut path) = (template.trim_end_matches('/'), path.trim_end_matches('/'));
    for _ in 0..2 {
        let (start, last) = before_id.rsplit_once('/')?;
        let (path_start, id) = path.rsplit_once('/')?;
        if is_id(last, id) {
            return Some((start, id));
        }
        (before_id, path) = (start, path_start);
    }
    None
}

/// Whether the collection that an object's id follows is one of things for everybody.
fn is_catalogue(template: &str) -> bool {
    let before_id = template.rsplit('/').find(|segment| !segment.starts_with('{')).unwrap_or("");
    CATALOGUE.iter().any(|word| before_id.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

fn path_hash(path: &str) -> u32 {
    fnv(FNV, path.trim_end_matches('/').as_bytes()).max(1)
}

const FNV: u32 = 0x811c_9dc5;

/// FNV-1a; whoever makes two of their own ids collide hides one from themselves.
fn fnv(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
