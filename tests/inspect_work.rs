//! What inspection costs grows with what is sent and no faster, whatever is sent: counted, not timed. How long the longest bodies
//! take, `scripts/bench core` prints.

#[allow(dead_code, clippy::expect_used, reason = "the benchmark uses the rest, and may fail loudly")]
#[path = "benches/inspect_requests.rs"]
mod inspect_requests;

use inspect_requests::{LONGEST, hostile};
use throughline::inspect::{Cuts, Inspection, Inspector, Limits, Request};

fn inspect(limits: Limits, request: &Request<'_>) -> Inspection {
    Inspector::new(|_| true, limits).inspect(request, &|_, _| false)
}

#[test]
fn twice_as_much_takes_twice_the_work() {
    // Without a limit to the work, or what is counted would be the limit.
    let limits = Limits { work: u32::MAX, decoded: usize::MAX, ..Limits::default() };
    let sizes = [LONGEST / 8, LONGEST / 4, LONGEST / 2, LONGEST];
    let [eighth, quarter, half, whole] = sizes.map(hostile);
    for (((eighth, quarter), half), whole) in eighth.into_iter().zip(quarter).zip(half).zip(whole) {
        let works = [eighth, quarter, half, whole].map(|(_, request)| inspect(limits, &request).work);
        for pair in works.windows(2) {
            // Some of it is spent once for each text, and what is only looked at up to a length is not twice as much.
            assert!(f64::from(pair[1]) <= 2.1 * f64::from(pair[0]) + 20_000.0, "{}: {works:?}", whole.0);
        }
    }
}

#[test]
fn the_longest_bodies_stay_within_the_limits_and_say_where_they_end() {
    let limits = Limits::default();
    for (name, request) in hostile(LONGEST) {
        let found = inspect(limits, &request);
        assert!(found.work <= limits.work, "{name}: {}", found.work);
        let unlimited = inspect(Limits { work: u32::MAX, ..limits }, &request);
        assert_eq!(found.cuts.has(Cuts::WORK), unlimited.work > limits.work, "{name}");
    }
}

#[test]
fn text_encoded_over_and_over_is_decoded_to_a_depth_and_marked() {
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let mut body = "' or 1=1-- -".repeat(50);
    for depth in 0..12 {
        if body.len() > LONGEST / 2 {
            break;
        }
        let bytes: &'static [u8] = body.clone().leak().as_bytes();
        let found = inspect(Limits::default(), &inspect_requests::posted("text/plain", bytes));
        assert_eq!(found.cuts.has(Cuts::LAYERS), depth > 4, "{depth}");
        assert_eq!(found.hits.is_empty(), depth > 4, "{depth}");
        assert!(found.work < 400_000, "{depth}: {}", found.work);
        body = encode(body);
    }
}
