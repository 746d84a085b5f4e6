//! Labels of analysts on findings and sessions, one for each, in memory and a row each.

use std::collections::BTreeMap;

use super::Fleet;
use crate::session::Label;
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob};
use crate::wire::{AuditEntry, FleetReply};

/// Labels kept; beyond that the oldest go.
pub const MAX_LABELS: usize = 10_000;

/// Labels by the id of what they are on.
pub(super) type Labels = BTreeMap<String, Label>;

/// Reads all labels.
pub(super) fn read(sql: &dyn Sql) -> Result<Labels, StoreError> {
    let rows = sql.query("SELECT body FROM labels", &[])?;
    let read = |mut row| {
        let label: Label = postcard::from_bytes(&blob(&mut row, 0)).map_err(|_| StoreError::Corrupt("label"))?;
        Ok((label.id.clone(), label))
    };
    rows.into_iter().map(read).collect()
}

impl<S: Sql> Fleet<S> {
    /// Puts a label on, in place of the one there was, and notes who did.
    pub(super) fn label(&mut self, mut label: Label) -> Result<bool, StoreError> {
        let before = self.labels.get(&label.id).map(|before| before.time_ms);
        let existed = before.is_some();
        label.time_ms = before.map_or(label.time_ms, |before| label.time_ms.max(before.saturating_add(1)));
        if !existed && self.labels.len() >= MAX_LABELS {
            let oldest = self.labels.values().min_by_key(|label| label.time_ms).map(|label| label.id.clone());
            if let Some(id) = oldest {
                self.sql.query("DELETE FROM labels WHERE id = ?", &[Value::Text(id.clone())])?;
                self.labels.remove(&id);
            }
        }
        let body = postcard::to_allocvec(&label).map_err(|_| StoreError::Corrupt("label"))?;
        self.sql.query(
            "INSERT INTO labels (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            &[Value::Text(label.id.clone()), Value::Blob(body)],
        )?;
        let kind = if label.detector.is_some() { "finding" } else { "session" };
        self.record(&AuditEntry {
            time_ms: label.time_ms,
            actor: label.by.clone(),
            act: "label".to_owned(),
            subject: format!("{kind}:{}", label.id),
            detail: format!("{}: {}", label.judgement.name(), label.note),
        })?;
        self.labels.insert(label.id.clone(), label);
        Ok(existed)
    }

    /// All labels, unless `known` is their version.
    pub(super) fn labels_since(&self, known: u64) -> FleetReply {
        // Every label that is put comes later than the one it replaces, so the sum is another.
        let version = self.labels.values().fold(0u64, |sum, label| sum.wrapping_add(label.time_ms));
        let labels = (version != known).then(|| self.labels.values().cloned().collect());
        FleetReply::Labels { version, labels }
    }
}
