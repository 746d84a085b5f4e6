//! The part of the API that the fleet answers from what shards told it: findings, rollups, and its metrics.

use core::fmt::Write;

use super::admin::{Answer, Api, page};
use super::clock;
use super::object;
use super::problem::json;
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::Refusal;
use crate::query::{Asked, FindingAnswer, LabelAnswer, Positions, Series, parse_findings, parse_rollups};
use crate::session::Detector;
use crate::wire::{FleetHealth, FleetOrder, FleetReply};

impl Api<'_> {
    pub(super) async fn findings(&self) -> Answer {
        let Asked { query, question, as_of_ms, .. } = parse_findings(self.query, self.now_ms)?;
        let order = FleetOrder::Findings(query);
        let FleetReply::Findings(found) = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? else {
            return Err(Refusal::Unavailable);
        };
        let found = found.map(|(finding, label)| FindingAnswer {
            label: label.as_ref().map(LabelAnswer::new),
            ..FindingAnswer::new(&finding)
        });
        Ok(page(found, false, question, as_of_ms, Positions::default()))
    }

    /// Long ranges are read in parts, so that the fleet never keeps others waiting for long.
    pub(super) async fn rollups(&self) -> Answer {
        let query = parse_rollups(self.query, self.now_ms)?;
        let (mut series, mut rest) = (Series::default(), Some(query.from));
        while let Some(from) = rest
            && clock::real_now_ms() < self.until_ms
        {
            let order = FleetOrder::Rollups(crate::query::RollupQuery { from, ..query.clone() });
            let FleetReply::Rollups(next) = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? else {
                return Err(Refusal::Unavailable);
            };
            rest = next.resume;
            series.extend(next);
        }
        Ok(json(200, &series.answer()))
    }

    /// The fleet's metrics; without an answer only that it is missing.
    pub(super) async fn fleet_metrics(&self) -> String {
        match object::order_fleet(self.env, &FleetOrder::Health, QUESTION_TIMEOUT_MS).await {
            Ok(FleetReply::Health(health, found)) => text(Some((&health, &found))),
            _ => text(None),
        }
    }
}

fn text(health: Option<(&FleetHealth, &[(Detector, u64)])>) -> String {
    let mut out = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(
            out,
            "# HELP throughline_fleet_{name} {help}\n# TYPE throughline_fleet_{name} {kind}\nthroughline_fleet_{name} {value}"
        );
    };
    one("missing", "gauge", "Whether the fleet did not answer this scrape.", u64::from(health.is_none()));
    let Some((health, found)) = health else { return out };
    let mut counter = |name: &str, help: &str, value| one(&format!("{name}_total"), "counter", help, value);
    counter("deltas_applied", "Reports of shards taken in since the fleet was last loaded.", health.deltas_applied);
    counter("deltas_repeated", "Reports that were taken in before.", health.deltas_repeated);
    counter("deltas_gaps", "Reports before which something was lost.", health.deltas_gaps);
    counter("deltas_failed", "Times a report could not be stored; it comes again.", health.deltas_failed);
    counter("requests_unnamed", "Requests counted without their endpoint, for lack of room.", health.requests_unnamed);
    counter("findings_dropped", "Findings dropped for lack of room.", health.findings_dropped);
    counter("minutes_dropped", "Minutes dropped before their time for lack of room.", health.minutes_dropped);
    counter("alerts_raised", "Alerts raised since the fleet was last loaded.", health.alerts_raised);
    counter("alerts_delivered", "Alerts their receivers took.", health.alerts_delivered);
    counter("alerts_failed", "Attempts to deliver one that failed.", health.alerts_failed);
    counter("alerts_dropped", "Alerts dropped because too many wait.", health.alerts_dropped);
    one("alerts_waiting", "gauge", "Alerts to be delivered.", health.alerts_waiting);
    one("alerts_dead", "gauge", "Alerts that could not be delivered for days.", health.alerts_dead);
    one("findings", "gauge", "Findings kept in the feed.", health.findings_kept);
    one("minutes", "gauge", "Minutes kept in rollups.", health.minutes_kept);
    let name = "throughline_fleet_findings_told_total";
    let _ = writeln!(out, "# HELP {name} Findings by detector since the fleet was last loaded.\n# TYPE {name} counter");
    for (detector, count) in found {
        let _ = writeln!(out, "{name}{{detector=\"{}\"}} {count}", detector.name());
    }
    out
}
