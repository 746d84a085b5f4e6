//! Forced browsing: one session asks for many things that are not there or not its own.
//!
//! **Counts** distinct paths answered 404, 405, 410, 403 or 401, in a bucket that leaks one every ten seconds.
//! **Fires** when the bucket holds 10, and again each time it has doubled. The numbers are those of published practice
//! for forced-browsing triggers: tens of misses within a minute or two, never a handful. A second bucket is for patience: it
//! holds twice as much, leaks ten times as slowly, and speaks only of a session most of whose requests are refused.
//!
//! **Innocent behaviour that looks like it**, and how it is told apart:
//! - a dead link or two, a polled path that is gone: distinct paths count, repeats do not, and two are not ten;
//! - a list of favourites whose items were deleted: a miss below a template that answers for others is not a guess;
//! - a page that loads after the login ran out and earns a dozen 401s: known endpoints answering 401 do not count,
//!   unknown ones count half;
//! - a page with missing images or scripts after a bad release: static files count a quarter;
//! - what browsers and crawlers ask for by themselves (`/favicon.ico`, `/.well-known/…`): does not count.

use serde::{Deserialize, Serialize};

use super::{Action, Detector, Event, Finding, Response};
use crate::session::{Evidence, Session, Severity};

/// Paths remembered as already counted; a longer walk repeats none of them by chance.
const MAX_PATHS: usize = 128;
/// Requests shown with a finding: enough to see the pattern.
const MAX_EVIDENCE: usize = 10;
const DEFAULT_LIMIT: f32 = 10.0;
const DEFAULT_LEAK_MS: u64 = 10_000;
/// How much more the bucket for patience holds, and how much more slowly it leaks.
const PATIENCE: f32 = 2.0;
const SLOWER: f32 = 10.0;
const DEFAULT_BLOCK_MS: u64 = 10 * 60 * 1000;

/// How the detector is tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Bucket level that fires.
    pub limit: f32,
    /// Time in which the bucket leaks one, ms.
    pub leak_ms: u64,
    pub response: Response,
}

impl Default for Settings {
    fn default() -> Self {
        let response = Response::of_session(Action::Block, DEFAULT_BLOCK_MS);
        Self { limit: DEFAULT_LIMIT, leak_ms: DEFAULT_LEAK_MS, response }
    }
}

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    level: f32,
    at_ms: u64,
    /// Level at which it fires next; 0 stands for the configured limit.
    next: f32,
    /// The bucket for patience, and its level that fires next.
    slow: f32,
    slow_next: f32,
    /// Hashes of the paths in the bucket, oldest first.
    paths: Vec<u32>,
    evidence: Vec<Evidence>,
}

impl Memory {
    /// Takes in one event, whose endpoint is known to exist or not.
    pub fn observe(
        &mut self,
        settings: &Settings,
        is_known: bool,
        event: &Event<'_>,
        session: &Session,
    ) -> Option<Finding> {
        let weight = weight(event, is_known);
        if weight == 0.0 || !self.is_new(event) {
            return None;
        }
        self.leak(settings, event.time_ms);
        self.level += weight;
        self.slow += weight;
        self.keep_evidence(event);

        let (threshold, patience) = (self.next.max(settings.limit), self.slow_next.max(settings.limit * PATIENCE));
        // What leaked during a fast walk is less than one path: the tenth path fires, not the eleventh.
        let fired = if self.level.round() >= threshold {
            self.next = threshold * 2.0;
            (self.level, settings.limit)
        } else if session.refused * 2 > session.requests && self.slow.round() >= patience {
            (self.slow, settings.limit * PATIENCE)
        } else {
            return None;
        };
        // Who was told of haste is not told of patience for the same.
        self.slow_next = (self.slow * 2.0).max(patience);
        Some(self.finding(fired, event))
    }

    fn leak(&mut self, settings: &Settings, now_ms: u64) {
        let elapsed = now_ms.saturating_sub(self.at_ms);
        let leaked = elapsed as f32 / settings.leak_ms.max(1) as f32;
        self.level = (self.level - leaked).max(0.0);
        self.slow = (self.slow - leaked / SLOWER).max(0.0);
        self.at_ms = self.at_ms.max(now_ms);
        if self.level == 0.0 {
            self.next = 0.0;
        }
        if self.slow == 0.0 {
            self.slow_next = 0.0;
            self.paths.clear();
            self.evidence.clear();
        }
    }

    fn is_new(&mut self, event: &Event<'_>) -> bool {
        let hash = path_hash(event);
        if self.paths.contains(&hash) {
            return false;
        }
        if self.paths.len() >= MAX_PATHS {
            self.paths.remove(0);
        }
        self.paths.push(hash);
        true
    }

    fn keep_evidence(&mut self, event: &Event<'_>) {
        if self.evidence.len() >= MAX_EVIDENCE {
            self.evidence.remove(0);
        }
        self.evidence.push(Evidence::of(event));
    }

    fn finding(&self, (level, limit): (f32, f32), event: &Event<'_>) -> Finding {
        let value = f64::from(level);
        Finding {
            request: event.id,
            session: event.session,
            time_ms: event.time_ms,
            detector: Detector::ForcedBrowsing,
            severity: Severity::Medium,
            confidence: 0.95,
            risk_added: 0,
            // What leaked during the walk is no news to whoever reads it.
            value: (value * 10.0).round() / 10.0,
            baseline: f64::from(limit),
            place: String::new(),
            message: format!(
                "asked for {level:.0} distinct paths that do not exist or are not open to it, where {limit:.0} are suspicious"
            ),
            evidence: self.evidence.clone(),
            reasons: Vec::new(),
            action: Action::Tag,
            would: Action::Tag,
        }
    }
}

/// How much a refused request says, 0–1.
fn weight(event: &Event<'_>, known: bool) -> f32 {
    let base = match (event.status, known) {
        (404 | 405 | 410, false) | (403, false) => 1.0,
        (403, true) | (401, false) => 0.5,
        _ => return 0.0,
    };
    if is_ambient(event.path) {
        0.0
    } else if is_static_file(event.path) {
        base * 0.25
    } else {
        base
    }
}

/// What browsers, phones and crawlers fetch unasked.
fn is_ambient(path: &str) -> bool {
    const EXACT: [&str; 7] = [
        "/favicon.ico",
        "/robots.txt",
        "/sitemap.xml",
        "/ads.txt",
        "/browserconfig.xml",
        "/manifest.json",
        "/site.webmanifest",
    ];
    EXACT.contains(&path) || path.starts_with("/apple-touch-icon") || path.starts_with("/.well-known/")
}

/// Files a page refers to and that go missing together.
fn is_static_file(path: &str) -> bool {
    const EXTENSIONS: [&str; 16] = [
        "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "css", "js", "mjs", "map", "woff", "woff2", "ttf",
        "mp4",
    ];
    let name = path.rsplit('/').next().unwrap_or("");
    name.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.iter().any(|e| ext.eq_ignore_ascii_case(e)))
}

/// FNV-1a over method and path: small, stable across versions, and a collision costs one uncounted miss.
fn path_hash(event: &Event<'_>) -> u32 {
    let bytes = event.method.bytes().chain([b' ']).chain(event.path.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
