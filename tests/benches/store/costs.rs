//! What a million requests make the platform count: rows, requests to objects, bytes. The prices stand in
//! `scripts/support/prices.mjs`, the arithmetic in `scripts/support/bench-store.mjs`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::output::{counts, ms, note, timed};
use crate::subject::{Detectors, Subject};
use crate::traffic::{Shape, Traffic};

/// Requests a second: what one shard of a middling API sees. Decides how long the objects are awake.
const RATE: u64 = 100;
/// A run that takes longer is cut short, which is said; what is counted is per request anyway.
const PATIENCE: Duration = Duration::from_secs(10);
const MONTH_MS: u64 = 31 * 86_400_000;
/// An active shard asks the fleet this often, ms (`src/edge/shard.rs`).
const SYNC_EVERY_MS: u64 = 1_500;

/// The figure's name, events a flush, requests a session.
const SCENARIOS: [(&str, usize, u32); 5] = [
    ("usd_per_million", 20, 50),
    ("usd_per_million_5", 5, 50),
    ("usd_per_million_1", 1, 50),
    ("usd_per_million_sessions_of_5", 20, 5),
    ("usd_per_million_sessions_of_500", 20, 500),
];

/// Runs every scenario with so many events and prints its counts.
pub fn count(scratch: &Path, events: u64) {
    for (name, per_flush, per_session) in SCENARIOS {
        let mut traffic = Traffic::new(Shape::ten_minutes(per_session, RATE));
        let began_ms = traffic.now_ms();
        let mut subject = Subject::open(&scratch.join(name), began_ms, Detectors::All);
        let opened = subject.usage();
        let (mut flushes, mut taken, mut cpu) = (0, 0, Duration::ZERO);
        while taken < events {
            if cpu > PATIENCE {
                note(&format!("{name}: cut short after {taken} of {events} events"));
                break;
            }
            let Some(flush) = traffic.flush(per_flush) else { break };
            cpu += timed(|| subject.apply(&flush)).1;
            flushes += 1;
            taken += per_flush as u64;
        }
        let traffic_ms = traffic.now_ms() - began_ms;
        cpu += timed(|| subject.fold(traffic.now_ms())).1;
        let bytes = subject.bytes();
        let alarms = subject.alarms;
        // Retention is part of the price: what was written is deleted one day.
        subject.ring(traffic.now_ms() + 2 * MONTH_MS);
        let used = subject.usage();
        note(&format!("{name}: {taken} events in {flushes} flushes, {alarms} alarms, {} folds", subject.folds()));
        let counted = json!({
            "requests": taken,
            "flushes": flushes,
            "asks": 0, // only inline routes and clients that make keys up are asked about
            "alarms": alarms,
            "fleet_syncs": flushes.min(traffic_ms / SYNC_EVERY_MS + 1),
            "rows_written": used.rows_written - opened.rows_written,
            "rows_read": used.rows_read - opened.rows_read,
            "bytes": bytes,
            "traffic_s": traffic_ms as f64 / 1_000.0,
            "shard_cpu_ms": ms(cpu),
        });
        counts(name, &counted);
    }
}
