//! Taking a user out of the subjects: its own state goes, and its name leaves those of others.

use super::row::Draft;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::subject::Kind;

impl<S: Sql> Store<S> {
    /// Takes the user out of the row at this place of the directory; answers whether it was in it.
    pub(in crate::store) fn erase_from_subjects(&mut self, at: usize, forms: &[String]) -> Result<bool, StoreError> {
        let Some(row) = self.subjects.get(at) else { return Ok(false) };
        let body = row.body(&self.sql)?;
        let is_user = |name: &str| forms.iter().any(|form| form == name);
        let mut erased = false;
        let mut kept = Draft::about(core::iter::once(row));
        for entry in body.entries()? {
            let mut state = entry.state()?;
            if state.kind == Kind::User && is_user(&state.value) {
                erased = true;
            } else if state.erase_user(is_user) {
                erased = true;
                kept.add(entry.key, &state);
            } else {
                kept.copy(&entry);
            }
        }
        if erased {
            let row = row.update(&self.sql, row.sources.clone(), kept)?;
            if let Some(slot) = self.subjects.get_mut(at) {
                *slot = row;
            }
        }
        Ok(erased)
    }
}
