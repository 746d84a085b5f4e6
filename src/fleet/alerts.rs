//! The outbox of alerts: what is to be told is a row until its receiver said that it has it.
//!
//! An alert's id follows from its rule and from what happened, so what is raised again after a crash is the same alert, and a
//! receiver that gets it twice can tell. What cannot be delivered for days is a dead letter, which an operation shows and
//! tries again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Fleet;
use super::deltas::{pack, unpack};
use crate::alert::{Happened, On, Rule, backoff_ms, compose, name_of};
use crate::rollup::Delta;
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob, integer, text};
use crate::verdict::Block;
use crate::wire::{AlertEntry, Outgoing};

/// Alerts that wait; beyond that the newest are dropped, and counted.
const MAX_WAITING: u64 = 10_000;
/// Dead letters kept; beyond that the oldest go.
const MAX_DEAD: u64 = 1_000;
/// Things remembered as told a while ago.
const MAX_TOLD: usize = 10_000;
/// Longest reason kept, bytes.
const MAX_REASON: usize = 200;

/// One alert on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Alert {
    rule: String,
    body: String,
    created_ms: u64,
    attempts: u32,
    /// Why the last attempt failed; empty before it.
    reason: String,
}

/// The rules, and what was told lately.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    pub rules: Vec<Rule>,
    /// Host of the console, for links.
    pub console: Option<String>,
    /// By rule and thing: when it was told, and how often it happened since.
    told: BTreeMap<(usize, u128), (u64, u32)>,
}

impl<S: Sql> Fleet<S> {
    /// Has these rules asked from now on; `console` is the host messages link to.
    #[must_use]
    pub fn with_alerts(mut self, rules: Vec<Rule>, console: Option<String>) -> Self {
        self.alerts = Alerts { rules, console, told: BTreeMap::new() };
        self
    }

    /// Raises what the findings of a delta call for.
    pub(super) fn raise_found(&mut self, delta: &Delta) -> Result<(), StoreError> {
        for (finding, risk) in delta.findings.iter().zip(delta.risks.iter().copied().chain(core::iter::repeat(0))) {
            let about = |(_, rule): &(usize, Rule)| rule.is_about(finding, risk);
            let rules: Vec<(usize, Rule)> = self.alerts.rules.iter().cloned().enumerate().filter(about).collect();
            for (at, rule) in rules {
                // Of the same kind in the same session.
                let kind = rule.id_of(&format!("{} {}", finding.session, finding.detector.name()));
                let happened = Happened::Found(finding, risk);
                self.raise(at, &rule, kind, rule.id_of(&finding.id()), happened, finding.time_ms)?;
            }
        }
        Ok(())
    }

    /// Raises what a block calls for.
    pub(super) fn raise_blocked(&mut self, block: &Block) -> Result<(), StoreError> {
        let about = |(_, rule): &(usize, Rule)| rule.on == On::Blocked;
        let rules: Vec<(usize, Rule)> = self.alerts.rules.iter().cloned().enumerate().filter(about).collect();
        for (at, rule) in rules {
            let subject = format!("{}:{}", block.subject.kind(), block.subject.value());
            let id = rule.id_of(&format!("{subject} {}", block.created_ms));
            self.raise(at, &rule, rule.id_of(&subject), id, Happened::Blocked(block), block.created_ms)?;
        }
        Ok(())
    }

    fn raise(
        &mut self,
        at: usize,
        rule: &Rule,
        kind: u128,
        id: u128,
        happened: Happened<'_>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let name = Value::Text(name_of(id));
        if !self.sql.query("SELECT id FROM alerts WHERE id = ?", core::slice::from_ref(&name))?.is_empty() {
            return Ok(());
        }
        let told = self.alerts.told.get(&(at, kind)).copied();
        if let Some((told_ms, since)) = told.filter(|(told_ms, _)| now_ms < told_ms.saturating_add(rule.every_ms)) {
            self.alerts.told.insert((at, kind), (told_ms, since.saturating_add(1)));
            return Ok(());
        }
        if self.count_alerts(false)? >= MAX_WAITING {
            self.health.alerts_dropped += 1;
            return Ok(());
        }
        let body = compose(rule, happened, told.map_or(0, |(_, since)| since), self.alerts.console.as_deref());
        let alert = Alert { rule: rule.name.clone(), body, created_ms: now_ms, attempts: 0, reason: String::new() };
        let row = [name, 0u64.into(), 0u64.into(), Value::Blob(pack(&alert, "alert")?)];
        self.sql.query("INSERT INTO alerts (id, dead, due_ms, body) VALUES (?, ?, ?, ?)", &row)?;
        self.health.alerts_raised += 1;
        if self.alerts.told.len() >= MAX_TOLD {
            let rules = &self.alerts.rules;
            let every = |at: usize| rules.get(at).map_or(0, |rule| rule.every_ms);
            self.alerts.told.retain(|(at, _), (told_ms, _)| now_ms < told_ms.saturating_add(every(*at)));
            if self.alerts.told.len() >= MAX_TOLD {
                self.alerts.told.clear();
            }
        }
        self.alerts.told.insert((at, kind), (now_ms, 0));
        Ok(())
    }

    /// When the next alert is to be sent, epoch ms; 0 for at once.
    pub fn next_alert_ms(&self) -> Result<Option<u64>, StoreError> {
        let rows = self.sql.query("SELECT due_ms FROM alerts WHERE dead = 0 ORDER BY due_ms LIMIT 1", &[])?;
        Ok(rows.first().map(|row| integer(row, 0).unsigned_abs()))
    }

    /// The alerts to send now, at most `limit`. One whose rule is gone is a dead letter.
    pub fn due_alerts(&mut self, now_ms: u64, limit: u32) -> Result<Vec<Outgoing>, StoreError> {
        let statement = "SELECT id, body FROM alerts WHERE dead = 0 AND due_ms <= ? ORDER BY due_ms, id LIMIT ?";
        let mut due = Vec::new();
        for mut row in self.sql.query(statement, &[now_ms.into(), u64::from(limit).into()])? {
            let id = text(&row, 0).unwrap_or_default().to_owned();
            let alert: Alert = unpack(&blob(&mut row, 1), "alert")?;
            match self.alerts.rules.iter().find(|rule| rule.name == alert.rule) {
                Some(rule) => due.push(Outgoing { id, to: rule.to.clone(), style: rule.style, body: alert.body }),
                None => self.keep(&id, true, 0, &Alert { reason: "the rule is gone".to_owned(), ..alert })?,
            }
        }
        Ok(due)
    }

    /// Takes in how an attempt ended.
    pub fn alert_sent(&mut self, id: &str, outcome: Result<(), String>, now_ms: u64) -> Result<(), StoreError> {
        let name = Value::Text(id.to_owned());
        let reason = match outcome {
            Ok(()) => {
                self.health.alerts_delivered += 1;
                self.sql.query("DELETE FROM alerts WHERE id = ?", &[name])?;
                return Ok(());
            }
            Err(mut reason) => {
                crate::session::cut(&mut reason, MAX_REASON);
                reason
            }
        };
        self.health.alerts_failed += 1;
        let mut rows = self.sql.query("SELECT body FROM alerts WHERE id = ?", &[name])?;
        let Some(row) = rows.first_mut() else { return Ok(()) };
        let alert: Alert = unpack(&blob(row, 0), "alert")?;
        let attempts = alert.attempts.saturating_add(1);
        let wait_ms = backoff_ms(attempts, crate::alert::id_from(id).unwrap_or(0));
        let alert = Alert { attempts, reason, ..alert };
        self.keep(id, wait_ms.is_none(), now_ms.saturating_add(wait_ms.unwrap_or(0)), &alert)
    }

    fn keep(&self, id: &str, dead: bool, due_ms: u64, alert: &Alert) -> Result<(), StoreError> {
        let body = Value::Blob(pack(alert, "alert")?);
        let row = [u64::from(dead).into(), due_ms.into(), body, Value::Text(id.to_owned())];
        self.sql.query("UPDATE alerts SET dead = ?, due_ms = ?, body = ? WHERE id = ?", &row)?;
        if dead && self.count_alerts(true)? > MAX_DEAD {
            let oldest =
                "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE dead = 1 ORDER BY due_ms LIMIT 1)";
            self.sql.query(oldest, &[])?;
        }
        Ok(())
    }

    pub(super) fn count_alerts(&self, dead: bool) -> Result<u64, StoreError> {
        let rows = self.sql.query("SELECT COUNT(*) FROM alerts WHERE dead = ?", &[u64::from(dead).into()])?;
        Ok(rows.first().map_or(0, |row| integer(row, 0).unsigned_abs()))
    }

    /// Those that wait, or the dead letters; what is due next comes first.
    pub(super) fn alerts(&self, dead: bool, limit: u32) -> Result<Vec<AlertEntry>, StoreError> {
        let statement = "SELECT id, due_ms, body FROM alerts WHERE dead = ? ORDER BY due_ms, id LIMIT ?";
        let rows = self.sql.query(statement, &[u64::from(dead).into(), u64::from(limit).into()])?;
        let entry = |mut row| {
            let (id, due_ms) = (text(&row, 0).unwrap_or_default().to_owned(), integer(&row, 1).unsigned_abs());
            let Alert { rule, created_ms, attempts, reason, .. } = unpack(&blob(&mut row, 2), "alert")?;
            Ok(AlertEntry { id, rule, created_ms, due_ms, attempts, reason, dead })
        };
        rows.into_iter().map(entry).collect()
    }

    /// Tries an alert again, now and from the beginning; answers whether there is one.
    pub(super) fn retry_alert(&mut self, id: u128, now_ms: u64) -> Result<bool, StoreError> {
        let id = name_of(id);
        let mut rows = self.sql.query("SELECT body FROM alerts WHERE id = ?", &[Value::Text(id.clone())])?;
        let Some(row) = rows.first_mut() else { return Ok(false) };
        let alert: Alert = unpack(&blob(row, 0), "alert")?;
        self.keep(&id, false, now_ms, &Alert { attempts: 0, ..alert })?;
        Ok(true)
    }
}
