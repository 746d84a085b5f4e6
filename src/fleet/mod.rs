//! The fleet-wide view: the block set everybody copies, the audit log, the layouts that sessions were spread over; and,
//! from what shards tell in deltas (`deltas.rs`), counts by the minute (`rollups.rs`) and the newest findings
//! (`findings.rs`), and what endpoints there are, with the documents they are compared with (`inventory.rs`); and what
//! analysts say (`labels.rs`).

mod alerts;
mod changes;
mod deltas;
mod findings;
mod inventory;
mod labels;
mod rollups;
mod shares;

use std::collections::BTreeMap;

use crate::alert::Rule;
use crate::session::Detector;
use crate::sorting;
use crate::store::sql::{Sql, Value, blob, integer};
use crate::store::{StoreError, migrate, named, remember};
use crate::verdict::{Block, BlockChange, BlockLog, MAX_BLOCKS, Subject};
use crate::wire::{AuditEntry, FleetHealth, FleetOrder, FleetReply, Layout, Layouts, Sync, SyncReply};
use alerts::Alerts;
use deltas::Intake;
use findings::Feed;
pub use inventory::MAX_DOCUMENTS;
use inventory::{Endpoints, Untaken};
use rollups::Rollups;

const MIGRATIONS: [&[&str]; 6] = [
    &[
        "CREATE TABLE blocks (subject TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE state (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    ],
    &["CREATE TABLE layouts (shards INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL)"],
    &[
        // How far each shard was taken in, and the delta that brought it there.
        "CREATE TABLE shards (name TEXT PRIMARY KEY, installed_ms INTEGER NOT NULL, position INTEGER NOT NULL, \
         number INTEGER NOT NULL, heard_ms INTEGER NOT NULL, delta BLOB NOT NULL) WITHOUT ROWID",
        // Counts by minute since the epoch, and the same by hour since the epoch once the hour is over.
        "CREATE TABLE minutes (start INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE hours (start INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        // The findings of one delta, by its number.
        "CREATE TABLE findings (number INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, \
         count INTEGER NOT NULL, body BLOB NOT NULL)",
    ],
    &[
        "CREATE TABLE labels (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
        // Findings and blocks of before are written otherwise; nothing was released.
        "DELETE FROM blocks",
        // What deltas said of endpoints, by their number, and sums of all up to a number, many endpoints a page.
        "CREATE TABLE endpoint_log (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE endpoint_pages (page INTEGER PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE documents (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        "CREATE TABLE shares (name TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID",
        // Alerts on their way, and those that could not be delivered (`dead`).
        "CREATE TABLE alerts (id TEXT PRIMARY KEY, dead INTEGER NOT NULL, due_ms INTEGER NOT NULL, body BLOB NOT NULL) \
         WITHOUT ROWID",
        // What deltas tell has changed: shards tell theirs again from where they are.
        "DELETE FROM shards",
        "DELETE FROM findings",
        "DELETE FROM minutes",
        "DELETE FROM hours",
    ],
    // Documents have contracts; nothing was released.
    &["DELETE FROM documents"],
    &[
        // What changed about endpoints, by the number of the first of a row.
        "CREATE TABLE endpoint_changes (number INTEGER PRIMARY KEY, delta INTEGER NOT NULL, body BLOB NOT NULL)",
        // Sums of endpoints say more than before.
        "DELETE FROM endpoint_log",
        "DELETE FROM endpoint_pages",
        "DELETE FROM shards",
        "DELETE FROM findings",
        "DELETE FROM minutes",
        "DELETE FROM hours",
    ],
];

/// Acts the audit log keeps; the oldest goes first.
const MAX_AUDIT: u64 = 10_000;
/// Acts one answer shows.
const MAX_AUDIT_ANSWER: u32 = 500;
/// Layouts remembered: a question goes to the shards of all of them.
const MAX_LAYOUTS: usize = 16;
/// That a layout is still in use is written down this often, ms.
const NOTE_EVERY_MS: u64 = 3_600_000;

/// The fleet's state over its database.
#[derive(Debug)]
pub struct Fleet<S> {
    sql: S,
    blocks: BlockLog,
    layouts: Vec<Layout>,
    /// How long shards keep what they took in, ms.
    retention_ms: u64,
    intake: Intake,
    rollups: Rollups,
    feed: Feed,
    endpoints: Endpoints,
    labels: labels::Labels,
    health: FleetHealth,
    /// When the audit log last heard that a share was opened.
    opened: BTreeMap<u64, u64>,
    alerts: Alerts,
    /// Findings by detector since the fleet was last loaded.
    found: BTreeMap<Detector, u64>,
}

impl<S: Sql> Fleet<S> {
    /// Migrates the database and reads the block set. `retention_ms` is how long shards keep what they took in.
    pub fn open(sql: S, retention_ms: u64) -> Result<Self, StoreError> {
        Self::open_with(sql, retention_ms, Vec::new(), None)
    }

    /// The same with rules that are asked about what happens; `console` is the host that alerts link to.
    pub fn open_with(sql: S, retention_ms: u64, rules: Vec<Rule>, console: Option<String>) -> Result<Self, StoreError> {
        migrate(&sql, &MIGRATIONS)?;
        let mut blocks = Vec::new();
        for mut row in sql.query("SELECT body FROM blocks", &[])? {
            let block: Block = postcard::from_bytes(&blob(&mut row, 0)).map_err(|_| StoreError::Corrupt("block"))?;
            blocks.push(block);
        }
        let version = named(&sql, "version")?.unwrap_or(0u64);
        let mut layouts = Vec::new();
        for row in sql.query("SELECT shards, first_ms, last_ms FROM layouts", &[])? {
            let number = |column| integer(&row, column).unsigned_abs();
            let shards = u32::try_from(number(0)).map_err(|_| StoreError::Corrupt("layout"))?;
            layouts.push(Layout { shards, first_ms: number(1), last_ms: number(2) });
        }
        let mut fleet = Self {
            intake: Intake::read(&sql)?,
            rollups: Rollups::read(&sql)?,
            feed: Feed::read(&sql)?,
            endpoints: Endpoints::read(&sql)?,
            alerts: Alerts::read(&sql, rules, console)?,
            labels: labels::read(&sql)?,
            sql,
            blocks: BlockLog::new(version, blocks),
            layouts,
            retention_ms,
            health: FleetHealth::default(),
            opened: BTreeMap::new(),
            found: BTreeMap::new(),
        };
        fleet.health.deltas_failed += u64::from(fleet.finish().is_err());
        Ok(fleet)
    }

    /// Takes in what a shard imposed and what happened there, and answers what it does not know yet.
    pub fn sync(&mut self, sync: Sync) -> Result<SyncReply, StoreError> {
        if let Some(shards) = sync.layout {
            self.note(shards, sync.now_ms)?;
        }
        for block in sync.imposed {
            let held = self.blocks.set().get(&block.subject, sync.now_ms);
            // What is there and holds longer was decided by an analyst, or is this very block, reported again.
            if held.is_some_and(|held| held.until_ms >= block.until_ms) {
                continue;
            }
            let entry = AuditEntry {
                time_ms: block.created_ms,
                actor: "detector".to_owned(),
                act: block.action.name().to_owned(),
                subject: format!("{}:{}", block.subject.kind(), block.subject.value()),
                detail: block.reason.clone(),
            };
            if self.impose(block, sync.now_ms)? {
                self.record(&entry)?;
            }
        }
        // Blocks are everybody's, whatever becomes of the counting; what is not confirmed is offered again.
        let taken = sync.delta.as_ref().map(|delta| self.take_in(delta, sync.now_ms)).transpose();
        self.health.deltas_failed += u64::from(taken.is_err());
        Ok(SyncReply {
            blocks: self.blocks.news_since(sync.blocks_version),
            position: taken.unwrap_or(None),
            inventory: self.endpoints.version(),
        })
    }

    /// Carries out an order of the admin API.
    pub fn order(&mut self, order: FleetOrder) -> Result<FleetReply, StoreError> {
        Ok(match order {
            FleetOrder::Impose { block, actor } => {
                let entry = AuditEntry {
                    time_ms: block.created_ms,
                    actor,
                    act: block.action.name().to_owned(),
                    subject: format!("{}:{}", block.subject.kind(), block.subject.value()),
                    detail: block.reason.clone(),
                };
                let now_ms = block.created_ms;
                if !self.impose(block, now_ms)? {
                    return Ok(FleetReply::Full);
                }
                self.record(&entry)?;
                FleetReply::Done { existed: false }
            }
            FleetOrder::Lift { subject, actor, reason, now_ms } => {
                let existed = self.blocks.set().get(&subject, now_ms).is_some();
                // A shard may have imposed what has not arrived here: lifting is told to all either way.
                self.lift(subject.clone())?;
                if existed {
                    let subject = format!("{}:{}", subject.kind(), subject.value());
                    self.record(&AuditEntry {
                        time_ms: now_ms,
                        actor,
                        act: "allow".to_owned(),
                        subject,
                        detail: reason,
                    })?;
                }
                FleetReply::Done { existed }
            }
            FleetOrder::List { now_ms } => {
                let mut blocks: Vec<Block> = self.blocks.holding(now_ms).cloned().collect();
                sorting::sort_by_key(&mut blocks, |b| (core::cmp::Reverse(b.created_ms), b.subject.clone()));
                FleetReply::Blocks(blocks)
            }
            FleetOrder::Audit { limit } => FleetReply::Audit(self.audit(limit)?),
            FleetOrder::Layouts { now_ms } => FleetReply::Layouts(self.layouts(now_ms)?),
            FleetOrder::Findings(query) => FleetReply::Findings(self.findings(&query)?),
            FleetOrder::Rollups(query) => FleetReply::Rollups(self.series(&query)?),
            FleetOrder::Label(label) => FleetReply::Done { existed: self.label(label)? },
            FleetOrder::Labels { known } => self.labels_since(known),
            FleetOrder::Inventory { known } => FleetReply::Inventory(self.endpoints.news(known)),
            FleetOrder::Endpoints => {
                self.finish()?;
                let (endpoints, unlisted) = self.endpoints.all();
                FleetReply::Endpoints { endpoints, unlisted }
            }
            FleetOrder::EndpointChanges => {
                self.finish()?;
                FleetReply::EndpointChanges(self.endpoints.changes())
            }
            FleetOrder::AddDocument { document, actor, now_ms } => {
                let detail = [document.title.as_str(), " ", &document.version].concat();
                match self.endpoints.add_document(&self.sql, document, now_ms)? {
                    Ok(id) => {
                        self.note_act(now_ms, actor, "document", format!("document:{id}"), detail)?;
                        FleetReply::Document { id }
                    }
                    Err(Untaken::Full) => FleetReply::Full,
                    Err(Untaken::TooLarge) => FleetReply::TooLarge,
                }
            }
            FleetOrder::RemoveDocument { id, actor, now_ms } => {
                let removed = self.endpoints.remove_document(&self.sql, id)?;
                if let Some(stored) = &removed {
                    let detail = [stored.document.title.as_str(), " ", &stored.document.version].concat();
                    self.note_act(now_ms, actor, "remove-document", format!("document:{id}"), detail)?;
                }
                FleetReply::Done { existed: removed.is_some() }
            }
            FleetOrder::Unlearn { template, actor, now_ms } => {
                let existed = self.endpoints.unlearn(&self.sql, &template)?;
                if existed {
                    self.note_act(now_ms, actor, "unlearn", format!("template:{template}"), String::new())?;
                }
                FleetReply::Done { existed }
            }
            FleetOrder::Health => {
                let found = self.found.iter().map(|(detector, count)| (*detector, *count)).collect();
                FleetReply::Health(self.health()?, found)
            }
            FleetOrder::Share(share) => self.share(&share)?,
            FleetOrder::Shares { now_ms } => FleetReply::Shares(self.shares(now_ms)?),
            FleetOrder::OpenShare { id, now_ms } => {
                FleetReply::Shares(self.open_share(id, now_ms)?.into_iter().collect())
            }
            FleetOrder::Unshare { id, actor, now_ms } => {
                FleetReply::Done { existed: self.unshare(id, &actor, now_ms)? }
            }
            FleetOrder::Alerts { dead, limit } => FleetReply::Alerts(self.alerts(dead, limit)?),
            FleetOrder::RetryAlert { id, actor, now_ms } => {
                let existed = self.retry_alert(id, now_ms)?;
                if existed {
                    let (act, subject) = ("retry".to_owned(), format!("alert:{}", crate::alert::name_of(id)));
                    self.record(&AuditEntry { time_ms: now_ms, actor, act, subject, detail: String::new() })?;
                }
                FleetReply::Done { existed }
            }
            FleetOrder::Erase { forms } => FleetReply::Done { existed: self.erase_user(&forms)? },
            FleetOrder::Note(entry) => {
                self.record(&entry)?;
                FleetReply::Done { existed: false }
            }
        })
    }

    /// Puts a block on; false if the set is full of blocks that hold.
    fn impose(&mut self, block: Block, now_ms: u64) -> Result<bool, StoreError> {
        if self.blocks.set().len() >= MAX_BLOCKS {
            self.forget_ended(now_ms)?;
        }
        if self.blocks.set().len() >= MAX_BLOCKS && self.blocks.set().get(&block.subject, 0).is_none() {
            return Ok(false);
        }
        let body = postcard::to_allocvec(&block).map_err(|_| StoreError::Corrupt("block"))?;
        self.sql.query(
            "INSERT INTO blocks (subject, body) VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET body = excluded.body",
            &[key(&block.subject), Value::Blob(body)],
        )?;
        // Before the change: should what follows fail, the block comes again, and with it the same alert.
        self.raise_blocked(&block)?;
        self.blocks.change(BlockChange::Set(block));
        self.keep_version()?;
        Ok(true)
    }

    fn lift(&mut self, subject: Subject) -> Result<(), StoreError> {
        self.sql.query("DELETE FROM blocks WHERE subject = ?", &[key(&subject)])?;
        self.blocks.change(BlockChange::Lifted(subject));
        self.keep_version()
    }

    fn keep_version(&self) -> Result<(), StoreError> {
        remember(&self.sql, "version", &self.blocks.set().version())
    }

    fn forget_ended(&mut self, now_ms: u64) -> Result<(), StoreError> {
        let before: Vec<Subject> = self.blocks.holding(0).map(|b| b.subject.clone()).collect();
        self.blocks.forget_ended(now_ms);
        for subject in before.into_iter().filter(|s| self.blocks.set().get(s, 0).is_none()) {
            self.sql.query("DELETE FROM blocks WHERE subject = ?", &[key(&subject)])?;
        }
        Ok(())
    }

    /// Notes that a layout is in use. What was written an hour ago is good enough: it costs no row for a report.
    fn note(&mut self, shards: u32, now_ms: u64) -> Result<(), StoreError> {
        let known = self.layouts.iter().find(|layout| layout.shards == shards).copied();
        if known.is_some_and(|layout| now_ms < layout.last_ms.saturating_add(NOTE_EVERY_MS)) {
            return Ok(());
        }
        let first_ms = known.map_or(now_ms, |layout| layout.first_ms);
        self.sql.query(
            "INSERT INTO layouts (shards, first_ms, last_ms) VALUES (?, ?, ?) \
             ON CONFLICT (shards) DO UPDATE SET last_ms = excluded.last_ms",
            &[u64::from(shards).into(), first_ms.into(), now_ms.into()],
        )?;
        self.layouts.retain(|layout| layout.shards != shards);
        self.layouts.push(Layout { shards, first_ms, last_ms: now_ms });
        self.forget_layouts(now_ms)
    }

    /// Forgets layouts that hold nothing any more and, of more than are remembered, those not heard of for longest.
    fn forget_layouts(&mut self, now_ms: u64) -> Result<(), StoreError> {
        sorting::sort_by_key(&mut self.layouts, |layout| core::cmp::Reverse((layout.last_ms, layout.shards)));
        while let Some(last) = self.layouts.last().copied() {
            let over = self.is_over(last.last_ms, now_ms);
            if !over && self.layouts.len() <= MAX_LAYOUTS {
                break;
            }
            if !over {
                remember(&self.sql, "forgotten_layout", &last.last_ms)?;
            }
            self.sql.query("DELETE FROM layouts WHERE shards = ?", &[u64::from(last.shards).into()])?;
            self.layouts.pop();
        }
        Ok(())
    }

    /// Whether nothing is kept any more of a layout last heard of then, within the hour that a note may be late.
    fn is_over(&self, last_ms: u64, now_ms: u64) -> bool {
        last_ms.saturating_add(self.retention_ms).saturating_add(NOTE_EVERY_MS) <= now_ms
    }

    fn layouts(&self, now_ms: u64) -> Result<Layouts, StoreError> {
        let kept = self.layouts.iter().filter(|layout| !self.is_over(layout.last_ms, now_ms));
        let mut layouts: Vec<Layout> = kept.copied().collect();
        sorting::sort_by_key(&mut layouts, |layout| core::cmp::Reverse((layout.last_ms, layout.shards)));
        let forgotten: Option<u64> = named(&self.sql, "forgotten_layout")?;
        Ok(Layouts { layouts, forgotten: forgotten.is_some_and(|last_ms| !self.is_over(last_ms, now_ms)) })
    }

    fn note_act(
        &self,
        time_ms: u64,
        actor: String,
        act: &str,
        subject: String,
        detail: String,
    ) -> Result<(), StoreError> {
        self.record(&AuditEntry { time_ms, actor, act: act.to_owned(), subject, detail })
    }

    fn record(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let body = postcard::to_allocvec(entry).map_err(|_| StoreError::Corrupt("audit entry"))?;
        self.sql.query("INSERT INTO audit (body) VALUES (?)", &[Value::Blob(body)])?;
        self.sql.query("DELETE FROM audit WHERE id <= (SELECT MAX(id) FROM audit) - ?", &[MAX_AUDIT.into()])?;
        Ok(())
    }

    /// The newest acts, newest first.
    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let limit = u64::from(limit.min(MAX_AUDIT_ANSWER));
        let rows = self.sql.query("SELECT body FROM audit ORDER BY id DESC LIMIT ?", &[limit.into()])?;
        let read = |mut row| postcard::from_bytes(&blob(&mut row, 0)).map_err(|_| StoreError::Corrupt("audit entry"));
        rows.into_iter().map(read).collect()
    }
}

fn key(subject: &Subject) -> Value {
    Value::Text(format!("{}:{}", subject.kind(), subject.value()))
}
