//! The store in numbers: throughput, size, memory, rebuild, questions over a large shard, and what the platform counts.
//!
//! `scripts/bench store` runs it. Arguments: `store` (without it nothing is measured: `cargo bench` runs every benchmark
//! there is), `--quick` for a fiftieth of the data, `--scratch DIR` for databases that go away, `--corpus FILE` for the one
//! that is kept, and names of parts to measure only these: writing, memory, costs, queries.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a benchmark may fail loudly"
)]
#![allow(missing_docs, reason = "read by whoever changes it")]

#[path = "../support/mod.rs"]
mod support;

#[path = "store/costs.rs"]
mod costs;
#[path = "store/memory.rs"]
mod memory;
#[path = "store/output.rs"]
mod output;
#[path = "store/queries.rs"]
mod queries;
#[path = "store/subject.rs"]
mod subject;
#[path = "store/traffic.rs"]
mod traffic;
#[path = "store/writing.rs"]
mod writing;

use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const PARTS: [&str; 4] = ["writing", "memory", "costs", "queries"];

struct Options {
    quick: bool,
    scratch: PathBuf,
    corpus: Option<PathBuf>,
    parts: Vec<String>,
}

fn main() {
    let Some(Options { quick, scratch, corpus, parts }) = options() else {
        return output::note("measured by scripts/bench store");
    };
    let scale = |n: u64| if quick { n / 50 } else { n };
    let corpus = corpus.unwrap_or_else(|| scratch.join("corpus"));
    for part in parts {
        output::note(&part);
        match part.as_str() {
            // Short runs would see no fold: these two are small enough to be cut less.
            "writing" => writing::throughput(&scratch, scale(1_500_000).max(200_000)),
            "memory" => writing::memory_and_rebuild(&scratch, scale(100_000).max(10_000)),
            "costs" => costs::count(&scratch, scale(300_000).max(60_000)),
            _ => queries::first_pages(&corpus, scale(1_000_000)),
        }
    }
}

/// `None` where this run is not about the store.
fn options() -> Option<Options> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut options = Options { quick: false, scratch: std::env::temp_dir(), corpus: None, parts: Vec::new() };
    let mut asked = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "store" => asked = true,
            "--quick" => options.quick = true,
            "--scratch" => options.scratch = arguments.next().expect("a folder after --scratch").into(),
            "--corpus" => options.corpus = Some(arguments.next().expect("a file after --corpus").into()),
            part if PARTS.contains(&part) => options.parts.push(argument),
            other => panic!("nothing is called {other}; there are: {}", PARTS.join(" ")),
        }
    }
    if options.parts.is_empty() {
        options.parts = PARTS.map(str::to_owned).to_vec();
    }
    asked.then_some(options)
}
