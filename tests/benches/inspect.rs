//! What inspection costs of requests as they come, and of the worst that a client could make up. `scripts/bench core` prints it.

#![allow(clippy::expect_used, clippy::print_stderr, missing_docs, reason = "a benchmark may fail loudly")]

#[path = "inspect_requests.rs"]
mod inspect_requests;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use throughline::inspect::{Inspector, Limits, Request};

fn inspect(criterion: &mut Criterion) {
    let inspector = Inspector::new(|_| true, Limits::default());
    let mut bench = |name: &str, request: &Request<'_>| {
        let found = inspector.inspect(request, &|_, _| false);
        eprintln!("{name}: {} hits, cuts {:#x}, work {}", found.hits.len(), found.cuts.0, found.work);
        criterion.bench_function(name, |b| b.iter(|| inspector.inspect(black_box(request), &|_, _| false).work));
    };
    bench("inspect_get", &inspect_requests::get());
    bench("inspect_json", &inspect_requests::order());
    for (name, request) in inspect_requests::hostile(inspect_requests::LONGEST) {
        bench(&format!("inspect_hostile_{name}"), &request);
    }
}

criterion_group!(benches, inspect);
criterion_main!(benches);
