//! Automation: a program goes through things at a program's pace.
//!
//! **Counts** requests for different paths in one steady run: the time between them varies by less than half of its
//! mean (coefficient of variation), and no pause is longer than six times the mean. **Fires** at the limit (60), at half
//! of it where the agent says that it is a program, and again at each doubling.
//!
//! **Innocent behaviour that looks like it**: people read, so their pauses vary by more than their mean, and a page that
//! loads its parts does so in bursts. What polls asks for the same thing again, which is not counted. Programs of
//! partners are regular by nature and say who they are by a verified claim or an API key: they are not judged. An
//! address without a key is many people, whose mixture looks random; it is judged like one.

use serde::{Deserialize, Serialize};

use super::Suspicion;
use super::tuning::Tuning;
use super::whereabouts::Use;
use crate::session::{Detector, Event, Severity};
use crate::subject::Family;
use crate::verdict::Action;

/// Paths that were asked for last: what is among them is polled.
const MAX_RECENT: usize = 12;
/// A shorter time between two requests is one burst of a page, ms; a longer one a run does not outlast.
const PAUSE_MS: u64 = 600_000;
/// Variation that people stay above.
const STEADY: f64 = 0.5;
/// Intervals before a mean is one.
const FIRST: u32 = 8;

/// What is remembered of one session.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    last_ms: u64,
    run: u32,
    sum_ms: u64,
    /// Sum of squares, in ms².
    squares: u64,
    recent: Vec<u16>,
    next: u32,
}

impl Memory {
    /// Takes in one event; `usage` is `None` where the session may be many people.
    pub fn observe(&mut self, event: &Event<'_>, usage: Option<Use>, tuning: &Tuning) -> Option<Suspicion> {
        if event.action >= Action::Throttle || usage == Some(Use::Program) || event.verified || !self.is_new(event) {
            return None;
        }
        let first = self.last_ms == 0;
        let pause_ms = event.time_ms.saturating_sub(self.last_ms);
        self.last_ms = self.last_ms.max(event.time_ms);
        if first {
            return None;
        }
        let mean_ms = self.sum_ms / u64::from(self.run.max(1));
        let too_long = self.run >= FIRST && pause_ms > mean_ms.saturating_mul(6).max(2_000);
        if pause_ms > PAUSE_MS || too_long {
            (self.run, self.sum_ms, self.squares) = (0, 0, 0);
            return None;
        }
        self.run = self.run.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(pause_ms);
        self.squares = self.squares.saturating_add(pause_ms * pause_ms);
        // A float cast saturates; a limit is at most 10,000.
        let limit = tuning.limit.max(10.0) as u32;
        if self.run < limit / 2 || self.run < self.next {
            return None;
        }
        let declared = is_program(Family::of(event.user_agent).product);
        let limit = if declared { limit / 2 } else { limit };
        if self.run < limit {
            return None;
        }
        let n = f64::from(self.run);
        let mean = self.sum_ms as f64 / n;
        let variation = (self.squares as f64 / n - mean * mean).max(0.0).sqrt() / mean.max(1.0);
        if variation >= STEADY {
            // A run that began unsteadily may go on steadily: half of it is forgotten.
            (self.run, self.sum_ms, self.squares) = (self.run / 2, self.sum_ms / 2, self.squares / 2);
            return None;
        }
        self.next = self.run.saturating_mul(2);
        Some(Suspicion {
            detector: Detector::Automation,
            severity: Severity::Medium,
            confidence: if declared || variation < STEADY / 2.0 { 0.95 } else { 0.9 },
            value: f64::from(self.run),
            baseline: f64::from(limit),
            message: format!(
                "{} different things in a steady run, one every {:.1} s, varying by {:.0} %",
                self.run,
                mean / 1_000.0,
                variation * 100.0
            ),
            evidence: Vec::new(),
            if_idle: false,
        })
    }

    fn is_new(&mut self, event: &Event<'_>) -> bool {
        let hash = event.path.bytes().fold(0x811c_9dc5_u32, |h, byte| (h ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let hash = (hash ^ (hash >> 16)) as u16;
        if self.recent.contains(&hash) {
            return false;
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.remove(0);
        }
        self.recent.push(hash);
        true
    }
}

/// Whether an agent says that it is a library or a tool.
fn is_program(product: &str) -> bool {
    const NAMES: [&str; 14] = [
        "python-requests",
        "Python-urllib",
        "python-httpx",
        "aiohttp",
        "curl",
        "Wget",
        "Go-http-client",
        "HeadlessChrome",
        "axios",
        "node-fetch",
        "Java",
        "Apache-HttpClient",
        "libwww-perl",
        "Scrapy",
    ];
    NAMES.contains(&product)
}
