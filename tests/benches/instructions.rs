//! Inspects one of the requests of the benchmark a given number of times, for a tool that counts instructions: the difference
//! between two numbers of times is what the requests alone cost. `scripts/bench core` runs it and prints the figures.
//!
//! usage: instructions (get|first_get|json|HOSTILE) TIMES

#![allow(clippy::expect_used, clippy::panic, missing_docs, reason = "a benchmark may fail loudly")]

#[path = "inspect_requests.rs"]
mod inspect_requests;

use std::hint::black_box;

use throughline::inspect::{Inspector, Limits};

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(case), Some(times)) = (arguments.next(), arguments.next()) else { return };
    let times: u32 = times.parse().expect("a number of times");
    let inspector = || Inspector::new(|_| true, Limits::default());
    let request = match case.as_str() {
        "get" => inspect_requests::get(),
        "json" => inspect_requests::order(),
        name => {
            let mut hostile = inspect_requests::hostile(inspect_requests::LONGEST).into_iter();
            hostile.find(|(known, _)| *known == name).expect("a request of that name").1
        }
    };
    let inspector = inspector();
    // What is remembered of headers is there from the first request on.
    inspector.inspect(&request, &|_, _| false);
    for _ in 0..times {
        black_box(inspector.inspect(black_box(&request), &|_, _| false));
    }
}
