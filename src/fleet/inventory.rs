//! The endpoint inventory: what each endpoint's use adds up to, the documents that were uploaded, and the templates that
//! were learned.
//!
//! What deltas bring is appended to a log, a row each, and kept in memory; after some of them it is written to pages of
//! many endpoints, so that an endpoint in use costs no row by itself. A page says up to which delta it holds everything,
//! so the log may be replayed over pages that are ahead of it. How many endpoints there are is bounded: what finds no
//! room is counted together.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::deltas::{pack, unpack};
use crate::inventory::contract::Contract;
use crate::inventory::openapi::Document;
use crate::inventory::{
    ChangeKind, EndpointChange, Inventory, Learned, MAX_LEARNED, MAX_OF_PATH, Outline, Tally, lesson, path_of,
};
use crate::store::sql::{Sql, Value, blob, integer};
use crate::store::{StoreError, named, remember};
use crate::wire::{InventoryNews, StoredDocument};

/// Endpoints kept; at some six hundred bytes each three megabytes in memory.
pub const MAX_ENDPOINTS: usize = 5_000;
/// Pages they are spread over, so that each stays far below two megabytes.
const PAGES: u64 = 32;
/// Rows of the log after which it is written to pages.
const LOG_ROWS: u64 = 100;
/// Documents that may be uploaded.
pub const MAX_DOCUMENTS: usize = 32;
/// Longest document as it is stored, bytes: a row holds two megabytes.
const MAX_STORED: usize = 1_800_000;
/// Templates taken back that are remembered.
const MAX_REFUSED: usize = 500;

const LEARNED: &str = "learned_templates";
const VERSION: &str = "inventory_version";

/// What was learned, and what is not to be learned again.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Lessons {
    learned: Vec<Learned>,
    refused: BTreeSet<String>,
}

/// Why a document is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untaken {
    Full,
    TooLarge,
}

/// Everything that is known of endpoints.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    all: BTreeMap<Box<str>, Tally>,
    /// Number of the last delta taken in.
    number: u64,
    log_rows: u64,
    /// Calls of endpoints that found no room.
    unlisted: u64,
    documents: Vec<StoredDocument>,
    lessons: Lessons,
    /// Rises with every change of documents or templates.
    version: u64,
    changes: Changes,
}

impl Endpoints {
    pub fn read(sql: &dyn Sql) -> Result<Self, StoreError> {
        let mut endpoints = Self { changes: Changes::read(sql)?, ..Self::default() };
        let mut held = [0u64; PAGES as usize];
        for mut row in sql.query("SELECT page, number, body FROM endpoint_pages", &[])? {
            let (page, number) = (integer(&row, 0).unsigned_abs(), integer(&row, 1).unsigned_abs());
            let all: Vec<(Box<str>, Tally)> = unpack(&blob(&mut row, 2), "endpoints")?;
            endpoints.all.extend(all);
            endpoints.number = endpoints.number.max(number);
            if let Some(held) = held.get_mut(page as usize) {
                *held = number;
            }
        }
        for mut row in sql.query("SELECT number, body FROM endpoint_log ORDER BY number", &[])? {
            let number = integer(&row, 0).unsigned_abs();
            let news: BTreeMap<Box<str>, Tally> = unpack(&blob(&mut row, 1), "endpoint log")?;
            for (key, tally) in news {
                if held.get(page_of(&key) as usize).is_none_or(|held| *held < number) {
                    endpoints.count(&key, &tally);
                }
            }
            endpoints.changes.again(number);
            endpoints.number = endpoints.number.max(number);
            endpoints.log_rows += 1;
        }
        for mut row in sql.query("SELECT id, body FROM documents ORDER BY id DESC", &[])? {
            let id = integer(&row, 0).unsigned_abs();
            let (added_ms, document): (u64, Document) = unpack(&blob(&mut row, 1), "document")?;
            endpoints.documents.push(StoredDocument { id, added_ms, document });
        }
        endpoints.lessons = named(sql, LEARNED)?.unwrap_or_default();
        endpoints.version = named(sql, VERSION)?.unwrap_or(0);
        Ok(endpoints)
    }

    /// The version of documents and templates.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes in what a delta says of endpoints, once.
    pub fn add(
        &mut self,
        sql: &dyn Sql,
        number: u64,
        news: &BTreeMap<Box<str>, Tally>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        if number <= self.number {
            return Ok(());
        }
        if !news.is_empty() {
            let statement = "INSERT OR REPLACE INTO endpoint_log (number, body) VALUES (?, ?)";
            sql.query(statement, &[number.into(), Value::Blob(pack(news, "endpoint log")?)])?;
            self.log_rows += 1;
        }
        let mut fresh = Vec::new();
        for (key, tally) in news {
            if self.count(key, tally) {
                fresh.push(key);
            }
        }
        self.number = number;
        let mut learned = false;
        for key in fresh {
            learned |= self.learn(sql, key, now_ms)?;
        }
        self.changes.write(sql, number)?;
        if learned || self.log_rows >= LOG_ROWS {
            self.write_pages(sql)?;
        }
        Ok(())
    }

    /// Adds to an endpoint; answers whether it is new.
    fn count(&mut self, key: &str, tally: &Tally) -> bool {
        let learned = self.learned_key(key);
        let key = learned.as_deref().unwrap_or(key);
        let key = if self.has_room_for(key) { key } else { path_of(key) };
        if let Some(held) = self.all.get_mut(key) {
            let before = Outline::of(held);
            held.merge(tally);
            for (kind, from, to) in before.changes(&Outline::of(held)) {
                self.changes.note(tally.last_ms, key, kind, from, to);
            }
            return false;
        }
        if self.all.len() >= MAX_ENDPOINTS {
            self.unlisted = self.unlisted.saturating_add(tally.calls);
            return false;
        }
        let state = tally.state.map_or("", Inventory::name).to_owned();
        self.changes.note(tally.first_ms, key, ChangeKind::New, String::new(), state);
        self.all.insert(key.into(), tally.clone());
        learned.is_none()
    }

    /// Whether an operation is known, or one of few of its path: clients choose their names.
    fn has_room_for(&self, key: &str) -> bool {
        let path = path_of(key);
        if path.len() == key.len() || self.all.contains_key(key) {
            return true;
        }
        let first = [path, "#"].concat();
        let from = (Bound::Included(first.as_str()), Bound::Unbounded);
        let of_path = self.all.range::<str, _>(from).take_while(|(known, _)| known.starts_with(&first));
        of_path.take(MAX_OF_PATH).count() < MAX_OF_PATH
    }

    /// The endpoint that a name belongs to by what was learned: isolates learn it a moment later.
    fn learned_key(&self, key: &str) -> Option<String> {
        if self.lessons.learned.is_empty() {
            return None;
        }
        let (head, template) = key.split_at_checked(key.find('/')?)?;
        let fitting = self.lessons.learned.iter().find(|learned| learned.fits(template))?;
        Some([head, &fitting.template].concat())
    }

    /// Makes one endpoint of names that turn out to be values.
    fn learn(&mut self, sql: &dyn Sql, key: &str, now_ms: u64) -> Result<bool, StoreError> {
        if self.lessons.learned.len() >= MAX_LEARNED || !self.all.contains_key(key) {
            return Ok(false);
        }
        let Some(lesson) = lesson(&self.all, key, &self.lessons.refused) else { return Ok(false) };
        let head = key.split_at_checked(key.find('/').unwrap_or(0)).map_or("", |(head, _)| head);
        let (template, siblings, sessions) = (lesson.template, lesson.siblings, lesson.sessions);
        let merged: Vec<Box<str>> = lesson.merged.into_iter().map(Into::into).collect();
        let mut sum = Tally::default();
        for key in &merged {
            if let Some(tally) = self.all.remove(key) {
                sum.merge(&tally);
            }
        }
        let whole = [head, &template].concat();
        let names = format!("{} names", merged.len());
        self.changes.note(now_ms, &whole, ChangeKind::New, names, sum.state.map_or("", Inventory::name).to_owned());
        self.all.entry(whole.into()).or_default().merge(&sum);
        self.lessons.learned.retain(|known| known.template != template);
        let values = merged.len() as u64;
        self.lessons.learned.push(Learned { template, learned_ms: now_ms, values, sessions, siblings });
        remember(sql, LEARNED, &self.lessons)?;
        self.rise(sql)?;
        Ok(true)
    }

    /// Takes back what was learned; false where it was not.
    pub fn unlearn(&mut self, sql: &dyn Sql, template: &str) -> Result<bool, StoreError> {
        let before = self.lessons.learned.len();
        self.lessons.learned.retain(|learned| learned.template != template);
        if self.lessons.learned.len() == before {
            return Ok(false);
        }
        if self.lessons.refused.len() >= MAX_REFUSED {
            self.lessons.refused.pop_first();
        }
        self.lessons.refused.insert(template.to_owned());
        remember(sql, LEARNED, &self.lessons)?;
        // What was counted together cannot be told apart again; it is learned anew from here on.
        self.all.retain(|key, _| key.find('/').and_then(|at| key.get(at..)) != Some(template));
        self.write_pages(sql)?;
        self.rise(sql)?;
        Ok(true)
    }

    fn rise(&mut self, sql: &dyn Sql) -> Result<(), StoreError> {
        self.version += 1;
        remember(sql, VERSION, &self.version)
    }

    fn write_pages(&mut self, sql: &dyn Sql) -> Result<(), StoreError> {
        let mut pages: Vec<Vec<(&str, &Tally)>> = (0..PAGES).map(|_| Vec::new()).collect();
        for (key, tally) in &self.all {
            if let Some(page) = pages.get_mut(page_of(key) as usize) {
                page.push((key, tally));
            }
        }
        let statement = "INSERT INTO endpoint_pages (page, number, body) VALUES (?, ?, ?) \
                         ON CONFLICT (page) DO UPDATE SET number = excluded.number, body = excluded.body";
        for (page, endpoints) in (0u64..).zip(&pages) {
            let body = Value::Blob(pack(endpoints, "endpoints")?);
            sql.query(statement, &[page.into(), self.number.into(), body])?;
        }
        sql.query("DELETE FROM endpoint_log WHERE number <= ?", &[self.number.into()])?;
        self.log_rows = 0;
        Ok(())
    }

    /// Forgets endpoints that nobody has used since the horizon.
    pub fn expire(&mut self, sql: &dyn Sql, horizon_ms: u64) -> Result<(), StoreError> {
        let changes = &mut self.changes;
        let before = self.all.len();
        self.all.retain(|key, tally| {
            let is_kept = tally.last_ms >= horizon_ms;
            if !is_kept {
                let state = tally.state.map_or("", Inventory::name).to_owned();
                changes.note(tally.last_ms, key, ChangeKind::Gone, state, String::new());
            }
            is_kept
        });
        self.changes.write(sql, self.number)?;
        if self.all.len() < before { self.write_pages(sql) } else { Ok(()) }
    }

    /// Takes a document in; `Err` says why not. Answers its number.
    pub fn add_document(
        &mut self,
        sql: &dyn Sql,
        mut document: Document,
        now_ms: u64,
    ) -> Result<Result<u64, Untaken>, StoreError> {
        if self.documents.len() >= MAX_DOCUMENTS {
            return Ok(Err(Untaken::Full));
        }
        let mut body = pack(&(now_ms, &document), "document")?;
        if body.len() > MAX_STORED {
            // Without its contracts it still says what there is; the API shows that it has no schemas.
            document.schemas.clear();
            document.operations.iter_mut().for_each(|operation| operation.contract = Contract::default());
            body = pack(&(now_ms, &document), "document")?;
        }
        if body.len() > MAX_STORED {
            return Ok(Err(Untaken::TooLarge));
        }
        let id = named(sql, "last_document")?.unwrap_or(0u64) + 1;
        remember(sql, "last_document", &id)?;
        sql.query("INSERT INTO documents (id, body) VALUES (?, ?)", &[id.into(), Value::Blob(body)])?;
        self.documents.insert(0, StoredDocument { id, added_ms: now_ms, document });
        self.rise(sql)?;
        Ok(Ok(id))
    }

    /// Removes a document; answers it if there was one.
    pub fn remove_document(&mut self, sql: &dyn Sql, id: u64) -> Result<Option<StoredDocument>, StoreError> {
        let Some(at) = self.documents.iter().position(|stored| stored.id == id) else { return Ok(None) };
        sql.query("DELETE FROM documents WHERE id = ?", &[id.into()])?;
        let removed = self.documents.remove(at);
        self.rise(sql)?;
        Ok(Some(removed))
    }

    /// Documents and templates, where the version is another one.
    pub fn news(&self, known: Option<u64>) -> InventoryNews {
        if known == Some(self.version) {
            return InventoryNews { version: self.version, ..InventoryNews::default() };
        }
        InventoryNews {
            version: self.version,
            changed: true,
            documents: self.documents.clone(),
            learned: self.lessons.learned.clone(),
        }
    }

    /// What changed, the newest last.
    pub fn changes(&self) -> Vec<EndpointChange> {
        self.changes.all()
    }

    /// Every endpoint, and the calls of those that found no room.
    pub fn all(&self) -> (Vec<(String, Tally)>, u64) {
        (self.all.iter().map(|(key, tally)| (key.to_string(), tally.clone())).collect(), self.unlisted)
    }
}

/// FNV-1a: where an endpoint is kept.
fn page_of(key: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    key.bytes().fold(0xcbf2_9ce4_8422_2325, fold) % PAGES
}
