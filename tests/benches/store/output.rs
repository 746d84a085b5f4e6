//! Figures on standard output, everything else on standard error, and the clock of both.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark has a console and a clock"
)]

use std::time::{Duration, Instant};

/// Prints `figure NAME VALUE UNIT`.
pub fn figure(name: &str, value: f64, unit: &str) {
    let digits = if value.abs() >= 100.0 { 0 } else { 2 };
    println!("figure store.{name} {value:.digits$} {unit}");
}

/// Prints `counts NAME JSON`, for whoever puts prices to them.
pub fn counts(name: &str, counts: &serde_json::Value) {
    println!("counts {name} {counts}");
}

/// Says what is going on.
pub fn note(text: &str) {
    eprintln!("store: {text}");
}

/// Runs something and tells how long that took, without the time it had to wait for a core: what other programs do to
/// the machine shows less in that.
pub fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let (waited_before, began) = (waited(), Instant::now());
    let value = run();
    let took = began.elapsed();
    (value, took.saturating_sub(waited().saturating_sub(waited_before)))
}

/// How long this thread has waited for a core so far; nothing where the system does not say (Linux does).
fn waited() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = said.split_ascii_whitespace().nth(1).and_then(|ns| ns.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Milliseconds of a duration, with their fractions.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
