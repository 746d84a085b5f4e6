//! Taking a user out of a chunk that is written: the row keeps its id, its sessions, its events and their places, and
//! loses the texts that name the user.

use super::{Chunk, Head, Part, Postings, Slimmed, VERSION, details, open_summary, postings, read, whole_sessions};
use crate::parameter::Value as Param;
use crate::session::{Dictionary, Event, Kind, Marks, SessionId, Value as Met, shown_of, text_of};
use crate::store::StoreError;
use crate::store::columns::{self, EventColumns};
use crate::store::sql::{Sql, Value, blob};

/// What was taken out of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erased {
    /// Sessions that named the user, with their indices.
    pub sessions: Vec<(usize, SessionId)>,
    /// Events that did.
    pub events: u64,
    /// Size of the row now, bytes.
    pub bytes: u64,
}

/// Takes the user, known by these texts, out of a chunk, in one statement; `None` where nothing names it.
pub fn erase_user(sql: &dyn Sql, chunk: &Chunk, forms: &[String]) -> Result<Option<Erased>, StoreError> {
    let is_user = |text: &str| forms.iter().any(|form| form == text);
    let (old_postings, old_details) = (read(sql, chunk.id, Part::Postings)?, read(sql, chunk.id, Part::Details)?);
    let old_events = read(sql, chunk.id, Part::Events)?;
    let columns = EventColumns::decode(&old_events)?;
    let named = columns.callers().iter().any(|caller| is_user(caller.user))
        || columns.params()?.values().any(|value| is_user(text_of(value)))
        || counts_name(&old_postings, is_user)
        || forms.iter().any(|form| holds(&old_details, form.as_bytes()));
    if !named {
        return Ok(None);
    }
    let summary = read(sql, chunk.id, Part::Summary)?;
    let summary = open_summary(&summary)?;
    let ids: Vec<SessionId> = summary.ids().collect();
    let everyone: Vec<usize> = (0..ids.len()).collect();
    let mut dictionary = Dictionary::default();
    let mut whole = whole_sessions(sql, chunk.id, &summary, &everyone, &mut dictionary)?;
    let mut erased = Erased::default();
    for (index, (session, _)) in whole.iter_mut().enumerate() {
        if session.erase_user(&dictionary, forms) {
            erased.sessions.push((index, session.id));
        }
    }
    let rows = columns.rows(&ids)?;
    let kept: Vec<_> = rows.iter().map(|(_, event)| event.params.without(&is_user)).collect();
    let without = |((position, event), kept)| (position, without(event, kept, is_user));
    let events: Vec<(u64, Event<'_>)> = rows.iter().zip(&kept).map(without).collect();
    let is_named = |((_, event), kept): &((u64, Event<'_>), &Option<_>)| is_user(event.user) || kept.is_some();
    erased.events = rows.iter().zip(&kept).filter(is_named).count() as u64;
    if erased.sessions.is_empty() && erased.events == 0 {
        // The details hold these bytes, but not as a user: a path, for example.
        return Ok(None);
    }
    if events.len() != columns.len() {
        return Err(StoreError::Corrupt("chunk events"));
    }
    let counts: Vec<_> = whole.iter().map(|(session, _)| &session.counts).collect();
    let new_postings = postings::encode(&counts, &columns.path_texts()?, &dictionary);
    let new_details = details::encode(whole.iter().map(|(session, memory)| (session, memory)), &dictionary);
    let new_events = columns::encode(&ids, &events).map_err(|_| StoreError::Corrupt("order of a chunk"))?;
    let size = |parts: [&Vec<u8>; 3]| parts.iter().map(|part| part.len() as u64).sum::<u64>();
    let before = size([&old_postings, &old_details, &old_events]);
    erased.bytes = (chunk.bytes + size([&new_postings, &new_details, &new_events])).saturating_sub(before);
    let (bytes, kept) = (erased.bytes, details::kept_bytes(&new_details));
    let head = rewritten(sql, chunk.id, |head| Head { bytes, slimmed: Slimmed { kept, ..head.slimmed }, ..head })?;
    let statement = "UPDATE chunks SET head = ?, postings = ?, details = ?, events = ? WHERE id = ?";
    let parts = [head, new_postings, new_details, new_events].map(Value::Blob);
    let parameters: Vec<Value> = parts.into_iter().chain([chunk.id.into()]).collect();
    sql.query(statement, &parameters)?;
    Ok(Some(erased))
}

/// The event without its user, if that is the one.
fn without<'a>(event: Event<'a>, kept: &'a Option<Vec<(u32, Param)>>, is_user: impl Fn(&str) -> bool) -> Event<'a> {
    let params = kept.as_ref().map_or(event.params, |kept| event.params.with(kept));
    let event = Event { params, ..event };
    if !is_user(event.user) {
        return event;
    }
    let mut marks = event.marks;
    marks.set(Marks::USER_ERASED);
    Event { user: "", marks, ..event }
}

/// Whether the counts of some session name the user.
fn counts_name(postings: &[u8], is_user: impl Fn(&str) -> bool) -> bool {
    let names = |kind, text| is_user(if kind == Kind::Param { shown_of(text) } else { text });
    [Kind::User, Kind::Attempted, Kind::Param].into_iter().any(|kind| {
        let mut values = Postings(postings).of(kind).filter_map(|posting| posting.value);
        values.any(|value| matches!(value, Met::Text(text) if names(kind, text)))
    })
}

/// Whether these bytes stand anywhere in those.
fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return false };
    let mut left = bytes;
    while let Some(at) = left.iter().position(|byte| byte == first) {
        let behind = left.get(at + 1..).unwrap_or_default();
        if behind.starts_with(rest) {
            return true;
        }
        left = behind;
    }
    false
}

/// The head of a chunk with what changes, encoded.
pub(super) fn rewritten(sql: &dyn Sql, id: u64, change: impl FnOnce(Head) -> Head) -> Result<Vec<u8>, StoreError> {
    const DAMAGED: StoreError = StoreError::Corrupt("chunk head");
    let mut rows = sql.query("SELECT head FROM chunks WHERE id = ?", &[id.into()])?;
    let stored = rows.first_mut().map(|row| blob(row, 0)).unwrap_or_default();
    let head: Head = stored.strip_prefix(&[VERSION]).and_then(|b| postcard::from_bytes(b).ok()).ok_or(DAMAGED)?;
    postcard::to_extend(&change(head), vec![VERSION]).map_err(|_| DAMAGED)
}
