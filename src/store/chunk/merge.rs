//! Several chunks that lie next to each other become one.
//!
//! Each session is in it once, with the newest state that any of them has, and each event as it was. Of a session that
//! is newer elsewhere the state stays too, without what it would go on with: it tells what its events are of, and lists pass
//! it over as they did before.

use std::collections::BTreeMap;

use super::{Chunk, Draft, Head, Lineage, Part, Superseded, VERSION, find, open_summary, read, whole_sessions};
use crate::detect::Memory;
use crate::session::{Dictionary, Event, Session, SessionId};
use crate::store::StoreError;
use crate::store::columns::EventColumns;
use crate::store::sql::{Sql, blob};

/// A session's newest state among those merged, and whether there is a newer one elsewhere.
struct State {
    session: Session,
    memory: Memory,
    is_superseded: bool,
}

/// Writes the chunks `run`, which lie next to each other among the chunks `all`, as one in the place of the last of them.
/// `merge` is the number of the merge. From that statement on the one row stands for all. Answers the chunk and the
/// sessions whose newest state is in it, by index.
pub fn merge(
    sql: &dyn Sql,
    all: &[Chunk],
    run: &[Chunk],
    merge: u64,
) -> Result<(Chunk, Vec<(u32, SessionId)>), StoreError> {
    const NOTHING: StoreError = StoreError::Corrupt("nothing to merge");
    let (first, last) = run.first().zip(run.last()).ok_or(NOTHING)?;
    let mut dictionary = Dictionary::default();
    let mut states: BTreeMap<SessionId, State> = BTreeMap::new();
    let (mut ids, mut encoded, mut supersedes) = (Vec::new(), Vec::new(), Superseded::new());
    for chunk in run {
        let bytes = read(sql, chunk.id, Part::Summary)?;
        let summary = open_summary(&bytes)?;
        let everyone: Vec<usize> = (0..summary.len()).collect();
        let found = whole_sessions(sql, chunk.id, &summary, &everyone, &mut dictionary)?;
        for (index, (mut session, memory)) in found.into_iter().enumerate() {
            if let Some(older) = states.get(&session.id) {
                session.recall_findings(&older.session);
            }
            let is_superseded = chunk.is_superseded(index);
            if is_superseded {
                session.params = None;
            }
            let memory = if is_superseded { Memory::default() } else { memory };
            states.insert(session.id, State { session, memory, is_superseded });
        }
        ids.push(summary.ids().collect::<Vec<_>>());
        encoded.push(read(sql, chunk.id, Part::Events)?);
        let is_outside =
            |chunk: u64, merged: u64| find(all, chunk).is_some_and(|c| c.id < first.id && c.merged == merged);
        supersedes.extend(head(sql, chunk.id)?.supersedes.into_iter().filter(|s| is_outside(s.chunk, s.merged)));
    }
    let columns = encoded.iter().map(|bytes| EventColumns::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
    let rows = columns.iter().zip(&ids).map(|(columns, ids)| columns.rows(ids)).collect::<Result<Vec<_>, _>>()?;
    let mut events: Vec<(u64, Event<'_>)> = rows.iter().flat_map(|rows| rows.iter()).collect();
    if events.len() as u64 != run.iter().map(|chunk| chunk.events).sum::<u64>() {
        return Err(StoreError::Corrupt("chunk events"));
    }
    events.sort_by_cached_key(|(_, event)| (event.session, event.id));
    let mut superseded = vec![0u64; states.len().div_ceil(64)];
    for (at, _) in states.values().enumerate().filter(|(_, state)| state.is_superseded) {
        if let Some(word) = superseded.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }
    let sessions = states.values().map(|state| (&state.session, &state.memory, None)).collect();
    let draft = Draft { id: last.id, journal_to: last.journal_to, sessions, events };
    let lineage = Lineage { since: first.since, merged: merge, superseded };
    let (head, filter, parts) = draft.encode(&dictionary, lineage, supersedes)?;
    let statement = "UPDATE chunks SET head = ?, summary = ?, postings = ?, details = ?, events = ?, journal_to = ? \
                     WHERE id = ?";
    draft.put(sql, statement, parts)?;
    let newest = (0u32..).zip(states.values()).filter(|(_, state)| !state.is_superseded);
    let newest = newest.map(|(index, state)| (index, state.session.id)).collect();
    Ok((Chunk::new(last.id, last.journal_to, &head, filter), newest))
}

/// The head of a chunk, as it is stored.
fn head(sql: &dyn Sql, id: u64) -> Result<Head, StoreError> {
    let mut rows = sql.query("SELECT head FROM chunks WHERE id = ?", &[id.into()])?;
    let stored = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
    let head = stored.strip_prefix(&[VERSION]).and_then(|body| postcard::from_bytes(body).ok());
    head.ok_or(StoreError::Corrupt("chunk head"))
}
