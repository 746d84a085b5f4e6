//! Share links: which there are. What is not here opens nothing.

use super::Fleet;
use super::deltas::{pack, unpack};
use crate::api::share::{MAX_SHARES, Scope, Share};
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::wire::{AuditEntry, FleetReply};

/// That a share was opened goes into the audit log this often at the most, ms.
const NOTE_OPENED_MS: u64 = 600_000;

impl<S: Sql> Fleet<S> {
    /// Keeps a share; refuses where as many hold as may.
    pub(super) fn share(&mut self, share: &Share) -> Result<FleetReply, StoreError> {
        self.sql.query("DELETE FROM shares WHERE until_ms <= ?", &[share.created_ms.into()])?;
        let rows = self.sql.query("SELECT COUNT(*) FROM shares", &[])?;
        if rows.first().map_or(0, |row| integer(row, 0)).unsigned_abs() >= MAX_SHARES as u64 {
            return Ok(FleetReply::Full);
        }
        // What is not in the log does not happen.
        self.record(&noted(share, &share.by, "share", share.created_ms))?;
        let body = Value::Blob(pack(share, "share")?);
        let values = [Value::Text(share.name()), share.until_ms.into(), body];
        self.sql.query("INSERT INTO shares (name, until_ms, body) VALUES (?, ?, ?)", &values)?;
        Ok(FleetReply::Done { existed: false })
    }

    /// The shares that hold, the newest first.
    pub(super) fn shares(&self, now_ms: u64) -> Result<Vec<Share>, StoreError> {
        let rows = self.sql.query("SELECT body FROM shares WHERE until_ms > ?", &[now_ms.into()])?;
        let read = |mut row| unpack(&blob(&mut row, 0), "share");
        let mut shares: Vec<Share> = rows.into_iter().map(read).collect::<Result<_, _>>()?;
        shares.sort_by_key(|share| core::cmp::Reverse((share.created_ms, share.id)));
        Ok(shares)
    }

    /// A share that somebody comes by, if it holds.
    pub(super) fn open_share(&mut self, id: u64, now_ms: u64) -> Result<Option<Share>, StoreError> {
        let share = self.find_share(id)?.filter(|share| share.until_ms > now_ms);
        if let Some(share) = &share
            && self.opened.get(&id).is_none_or(|noted_ms| now_ms >= noted_ms + NOTE_OPENED_MS)
        {
            self.record(&noted(share, &format!("share {}", share.name()), "open", now_ms))?;
            self.opened.retain(|_, noted_ms| now_ms < *noted_ms + NOTE_OPENED_MS);
            self.opened.insert(id, now_ms);
        }
        Ok(share)
    }

    /// Takes a share back; answers whether it was there.
    pub(super) fn unshare(&mut self, id: u64, actor: &str, now_ms: u64) -> Result<bool, StoreError> {
        let Some(share) = self.find_share(id)? else { return Ok(false) };
        self.sql.query("DELETE FROM shares WHERE name = ?", &[Value::Text(share.name())])?;
        self.record(&noted(&share, actor, "unshare", now_ms))?;
        Ok(share.until_ms > now_ms)
    }

    fn find_share(&self, id: u64) -> Result<Option<Share>, StoreError> {
        let name = Value::Text(format!("{id:016x}"));
        let mut rows = self.sql.query("SELECT body FROM shares WHERE name = ?", &[name])?;
        rows.first_mut().map(|row| unpack(&blob(row, 0), "share")).transpose()
    }
}

fn noted(share: &Share, actor: &str, act: &str, now_ms: u64) -> AuditEntry {
    let scope = match &share.scope {
        Scope::Session(id) => format!("session:{id}"),
        Scope::List(of, _) => of.name().to_owned(),
    };
    let (actor, detail) = (actor.to_owned(), format!("share {} {}", share.name(), share.note));
    AuditEntry { time_ms: now_ms, actor, act: act.to_owned(), subject: scope, detail }
}
