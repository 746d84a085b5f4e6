//! Metrics in the Prometheus text format (version 0.0.4).

use core::fmt::Write;

use crate::backlog::Backlog;
use crate::store::Health;
use crate::wire::{IsolateCounts, Place};

/// Everything known, one series per shard where it belongs to one.
pub fn text(shards: &[(Place, Health)], missing: bool, local: &IsolateCounts, held: Backlog) -> String {
    let mut out = String::new();
    let mut per_shard = |name: &str, kind: &str, help: &str, value: fn(&Health) -> u64| {
        let _ = writeln!(out, "# HELP throughline_{name} {help}\n# TYPE throughline_{name} {kind}");
        for (Place { layout, index }, health) in shards {
            let labels = format_args!("layout=\"{layout}\",shard=\"{index}\"");
            let _ = writeln!(out, "throughline_{name}{{{labels}}} {}", value(health));
        }
    };
    per_shard("events_total", "counter", "Events taken in since the shard was last loaded.", |h| h.counts.events);
    per_shard("flushes_total", "counter", "Flushes applied.", |h| h.counts.flushes);
    per_shard("flushes_duplicate_total", "counter", "Flushes received again and not applied.", |h| {
        h.counts.duplicate_flushes
    });
    per_shard("flushes_refused_total", "counter", "Flushes that could not be read.", |h| h.counts.refused_flushes);
    per_shard("findings_total", "counter", "Findings stated.", |h| h.counts.findings);
    per_shard("folds_total", "counter", "Times the journal was folded.", |h| h.counts.folds);
    per_shard("fold_failures_total", "counter", "Folds that were due and failed.", |h| h.counts.fold_failures);
    per_shard("asks_total", "counter", "Decisions asked of the shard.", |h| h.counts.asks);
    per_shard("corrupt_rows_total", "counter", "Stored rows that could not be read.", |h| h.counts.corrupt_rows);
    per_shard("hot_sessions", "gauge", "Sessions in memory.", |h| h.hot_sessions);
    per_shard("journal_rows", "gauge", "Flushes not folded yet.", |h| h.journal_rows);
    per_shard("journal_bytes", "gauge", "Their encoded size.", |h| h.journal_bytes);
    per_shard("chunks", "gauge", "Folded chunks.", |h| h.chunks);
    per_shard("chunk_bytes", "gauge", "Their size.", |h| h.chunk_bytes);
    per_shard("chunk_bytes_limit", "gauge", "Size at which the oldest chunks go before their time.", |h| {
        h.chunk_bytes_limit
    });
    per_shard("storage_tight", "gauge", "1 from four fifths of that size on.", |h| {
        u64::from(h.chunk_bytes >= h.chunk_bytes_limit / 5 * 4)
    });
    per_shard("chunks_dropped_for_size_total", "counter", "Chunks that went before their time.", |h| {
        h.counts.chunks_dropped_for_size
    });
    per_shard("hot_bytes", "gauge", "Memory of the sessions held, about.", |h| h.hot_bytes);
    per_shard("object_requests_total", "counter", "Requests to the object, alarms included.", |h| h.requests);
    per_shard("rows_read_total", "counter", "Rows read, as billed.", |h| h.usage.rows_read);
    per_shard("rows_written_total", "counter", "Rows written, as billed, but for alarms set.", |h| {
        h.usage.rows_written
    });
    per_shard("blocks", "gauge", "Blocks held.", |h| h.blocks);
    per_shard(
        "watched_forgotten_total",
        "counter",
        "Users, addresses and countries that watches and flows forgot for want of room.",
        |h| h.watched_forgotten,
    );
    per_shard("outbox", "gauge", "Blocks the fleet has not confirmed.", |h| h.outbox);

    per_shard(
        "backlog_events",
        "gauge",
        "Events isolates held for the shard, by their flushes of the last minute.",
        |h| h.backlog.events,
    );
    per_shard("backlog_oldest_ms", "gauge", "How long the oldest of them had been waiting.", |h| h.backlog.oldest_ms);

    let mut here = |name: &str, help: &str, value: u64| {
        let _ = writeln!(
            out,
            "# HELP throughline_isolate_{name} {help}\n# TYPE throughline_isolate_{name} gauge\nthroughline_isolate_{name} {value}"
        );
    };
    here("backlog_events", "Events held by the isolate that answers this.", held.events);
    here("backlog_under_way_events", "Of those, events sent and not answered yet.", held.under_way);
    here("backlog_oldest_ms", "How long the oldest of them has been waiting.", held.oldest_ms);

    let mut total = *local;
    shards.iter().for_each(|(_, health)| total.add(&health.counts.isolates));
    let mut overall = |name: &str, help: &str, value: u64| {
        let _ = writeln!(
            out,
            "# HELP throughline_{name} {help}\n# TYPE throughline_{name} counter\nthroughline_{name} {value}"
        );
    };
    overall("events_dropped_total", "Events dropped because a buffer was full.", total.dropped);
    overall(
        "events_dropped_notable_total",
        "Dropped events that were refused, tagged or stopped.",
        total.dropped_notable,
    );
    overall("flush_failures_total", "Flushes that failed and were kept.", total.flush_failures);
    overall("flushes_overloaded_total", "Flushes that failed because their shard was too busy.", total.overloaded);
    overall("undecided_total", "Requests whose decision was not to be had in time.", total.undecided);
    overall("origin_failures_total", "Requests the origin did not answer.", total.origin_failures);
    overall("stopped_total", "Requests answered 403 or 429 by verdict.", total.stopped);
    overall("incidents_total", "Times the Wasm side failed and was started anew.", total.incidents);
    overall(
        "key_fetch_failures_total",
        "Times the keys of a token issuer could not be fetched.",
        total.key_fetch_failures,
    );
    overall(
        "set_aside_total",
        "Requests with an unproven key that were counted to their client's own session.",
        total.set_aside,
    );
    let _ = writeln!(
        out,
        "# HELP throughline_shards_missing Whether a shard, or the fleet that names the layouts, did not answer this scrape.\n# TYPE throughline_shards_missing gauge\n\
         throughline_shards_missing {}",
        u8::from(missing)
    );
    out
}
