//! Labels of analysts on findings and sessions, one for each, in memory and a row each.

use std::collections::BTreeMap;

use super::Fleet;
use crate::session::Label;
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob};
use crate::wire::AuditEntry;

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
    pub(super) fn label(&mut self, label: Label) -> Result<bool, StoreError> {
        let existed = self.labels.contains_key(&label.id);
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

    /// The labels on these, or all, newest first.
    pub(super) fn labels(&self, ids: Option<&[String]>) -> Vec<Label> {
        let mut found: Vec<Label> = match ids {
            Some(ids) => ids.iter().filter_map(|id| self.labels.get(id)).cloned().collect(),
            None => self.labels.values().cloned().collect(),
        };
        found.sort_by(|a, b| b.time_ms.cmp(&a.time_ms).then_with(|| a.id.cmp(&b.id)));
        found
    }
}
