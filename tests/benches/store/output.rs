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

/// Runs something and tells how long that took.
pub fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let value = run();
    (value, began.elapsed())
}

/// Milliseconds of a duration, with their fractions.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
