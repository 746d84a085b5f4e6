//! Many events in one value: what an isolate flushes, the journal keeps and a fold merges.
//!
//! Text that repeats (hosts, templates, agents) stands once in a table and events refer to it by index; a session and
//! what belongs to it likewise. The encoding is postcard behind a version byte; golden tests pin it.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::carried::{Carried, Kinds, Objects, Stop};
use super::event::{Event, Marks};
use super::id::{EventId, SessionId};
use super::link::{Arrival, Issue, Principal};
use super::params::{Params, text_of};
use crate::inventory::{Inventory, Traits};
use crate::parameter::Value;
use crate::sorting;
use crate::verdict::Action;

/// First byte of every encoded batch. A reader accepts this version and none before it: those
/// before it were never released.
pub const VERSION: u8 = 5;

/// Events with their tables. Indices of a decoded batch are checked once, in [`Batch::decode`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    texts: Vec<Box<str>>,
    /// Shards of the layout this was made for; it decides which subjects of an event belong where its session does.
    layout: u32,
    sessions: Vec<Session>,
    rows: Vec<Row>,
    /// Events of sessions of other shards that are about subjects of this one, with those subjects.
    glimpses: Vec<(Kinds, Row)>,
    /// Attacks that events carry, each with the index of its event, rising.
    carried: Vec<(u32, Carried)>,
    /// Business values of events that have some, each with the index of its event, rising; names are indices of texts.
    params: Vec<(u32, Vec<(u32, Value)>)>,
    /// Objects of events on routes that learn whose is what, each with the index of its event, rising.
    objects: Vec<(u32, Objects)>,
    /// What requests were stopped for before they were sent on; each names its request.
    stops: Vec<Stop>,
    /// Keys issued inside sessions of the shard this goes to.
    issues: Vec<Issue>,
    /// Sessions of that shard whose key the origin was seen issuing.
    issued: Vec<SessionId>,
    /// Predecessors of sessions of that shard, told by the shards that own them.
    arrivals: Vec<Arrival>,
    /// What events show of their endpoints for the first time, each with the index of its event, rising.
    traits: Vec<(u32, Traits)>,
}

/// A session as its events refer to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Session {
    id: SessionId,
    key_source: u32,
    verified: bool,
    principal: Principal,
    token: u64,
}

/// One event; every `u32` but `duration_ms` and `asn` is an index into a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    time_ms: u64,
    unique: u64,
    /// What the event's id says of its session, where the event was moved to another one after it had its id.
    locator: Option<u64>,
    session: u32,
    method: u32,
    host: u32,
    path: u32,
    template: u32,
    country: u32,
    colo: u32,
    user_agent: u32,
    ja4: u32,
    user: u32,
    roles: u32,
    feedback: u32,
    status: u16,
    duration_ms: u32,
    asn: u32,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    ip: Option<IpAddr>,
    action: Action,
    inventory: Option<Inventory>,
    marks: Marks,
}

impl Row {
    /// Every text it refers to.
    fn texts(&self) -> [u32; 11] {
        let Self { method, host, path, template, country, colo, user_agent, ja4, user, roles, feedback, .. } = *self;
        [method, host, path, template, country, colo, user_agent, ja4, user, roles, feedback]
    }
}

/// Why bytes are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("batch is empty")]
    Empty,
    #[error("batch has version {0}, this build reads version {VERSION}")]
    Version(u8),
    #[error("batch is cut or malformed")]
    Malformed,
    #[error("batch refers to an entry that its tables do not have")]
    Dangling,
}

impl Batch {
    /// Version byte and body.
    pub fn encode(&self) -> Vec<u8> {
        // Serialising plain data into a growing buffer cannot fail; an empty answer would be refused by `decode`.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// Reads what [`Batch::encode`] wrote and checks that every index has its entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let batch: Self = postcard::from_bytes(body).map_err(|_| DecodeError::Malformed)?;
        if batch.is_consistent() { Ok(batch) } else { Err(DecodeError::Dangling) }
    }

    fn is_consistent(&self) -> bool {
        let texts = self.texts.len() as u64;
        let sessions = self.sessions.len() as u64;
        let text = |i: u32| u64::from(i) < texts;
        self.sessions.iter().all(|s| text(s.key_source))
            && self.all_rows().all(|r| u64::from(r.session) < sessions && r.texts().into_iter().all(text))
            && self.params.iter().flat_map(|(_, values)| values).all(|(name, _)| text(*name))
    }

    fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(self.glimpses.iter().map(|(_, row)| row))
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.glimpses.is_empty()
            && self.issues.is_empty()
            && self.issued.is_empty()
            && self.arrivals.is_empty()
    }

    /// The attacks that the event at `index` carries.
    pub fn carried(&self, index: u32) -> impl Iterator<Item = &Carried> {
        let from = self.carried.partition_point(|(at, _)| *at < index);
        self.carried.iter().skip(from).take_while(move |(at, _)| *at == index).map(|(_, carried)| carried)
    }

    /// The objects of the event at `index`, where its route learns them.
    pub fn objects(&self, index: u32) -> Option<&Objects> {
        let at = self.objects.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        self.objects.get(at).map(|(_, objects)| objects)
    }

    /// What the event at `index` shows of its endpoint.
    pub fn traits(&self, index: u32) -> Option<&Traits> {
        let at = self.traits.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        self.traits.get(at).map(|(_, traits)| traits)
    }

    /// What the request was stopped for.
    pub fn stops(&self, request: EventId) -> impl Iterator<Item = &Stop> {
        self.stops.iter().filter(move |stop| stop.finding.request == request)
    }

    /// Keys issued inside sessions, in the order of recording.
    pub fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Sessions whose key the origin was seen issuing.
    pub fn issued(&self) -> &[SessionId] {
        &self.issued
    }

    /// Predecessors told by the shards that own them.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The event at `index`, in the order of recording.
    pub fn event(&self, index: usize) -> Option<Event<'_>> {
        self.rows.get(index).and_then(|row| self.view(row, self.params(index as u32)))
    }

    /// All events in the order of recording.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = Event<'_>> {
        let count = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        (0..count).zip(&self.rows).filter_map(|(index, row)| self.view(row, self.params(index)))
    }

    /// The business values of the event at `index`.
    fn params(&self, index: u32) -> Params<'_> {
        let at = self.params.binary_search_by_key(&index, |(at, _)| *at).ok();
        let values = at.and_then(|at| self.params.get(at)).map_or(&[][..], |(_, values)| values.as_slice());
        Params::new(&self.texts, values)
    }

    /// Shards of the layout this was made for.
    pub fn layout(&self) -> u32 {
        self.layout
    }

    /// The event of another shard's session at `index`.
    pub fn glimpsed(&self, index: usize) -> Option<Event<'_>> {
        self.glimpses.get(index).and_then(|(_, row)| self.view(row, Params::default()))
    }

    /// Events of sessions of other shards, without their paths, with the kinds of those of their subjects that belong here.
    pub fn glimpses(&self) -> impl Iterator<Item = (Kinds, Event<'_>)> {
        self.glimpses.iter().filter_map(|(kinds, row)| Some((*kinds, self.view(row, Params::default())?)))
    }

    /// Takes a user out of every event that names it and notes there that it was erased; answers the places of those
    /// events, or `None` where nothing named it. Nothing else changes: not the order of the events, nor their ids, nor
    /// what goes with them.
    pub fn erase_user(&mut self, is_user: impl Fn(&str) -> bool) -> Option<Vec<usize>> {
        let named: Vec<bool> = self.texts.iter().map(|text| is_user(text)).collect();
        let is_named = |index: u32| named.get(index as usize) == Some(&true);
        let mut places: Vec<usize> =
            self.rows.iter().enumerate().filter(|(_, row)| is_named(row.user)).map(|(place, _)| place).collect();
        for (index, values) in &mut self.params {
            let before = values.len();
            values.retain(|(_, value)| !is_user(text_of(value)));
            if values.len() < before && !places.contains(&(*index as usize)) {
                places.push(*index as usize);
            }
        }
        sorting::sort(&mut places);
        self.params.retain(|(_, values)| !values.is_empty());
        if places.is_empty() && !self.glimpses.iter().any(|(_, row)| is_named(row.user)) {
            return None;
        }
        let nobody = self.texts.iter().position(|text| text.is_empty()).unwrap_or(self.texts.len());
        if nobody == self.texts.len() {
            self.texts.push(Box::default());
        }
        let glimpses = self.glimpses.iter_mut().map(|(_, row)| row);
        for row in self.rows.iter_mut().chain(glimpses).filter(|row| is_named(row.user)) {
            row.user = nobody as u32;
            row.marks.set(Marks::USER_ERASED);
        }
        // A text that also says something else, a role for example, stays for that.
        let of_rows = self.all_rows().flat_map(Row::texts);
        let of_params = self.params.iter().flat_map(|(_, values)| values).map(|(name, _)| *name);
        let of_sessions = self.sessions.iter().map(|session| session.key_source);
        let kept: BTreeSet<u32> = of_rows.chain(of_sessions).chain(of_params).collect();
        let gone = (0u32..).zip(&mut self.texts).filter(|(index, _)| is_named(*index) && !kept.contains(index));
        gone.for_each(|(_, text)| *text = Box::default());
        Some(places)
    }

    fn view<'a>(&'a self, row: &Row, params: Params<'a>) -> Option<Event<'a>> {
        let session = self.sessions.get(row.session as usize)?;
        Some(Event {
            id: EventId::located(row.time_ms, row.locator.unwrap_or_else(|| session.id.prefix()), row.unique),
            session: session.id,
            key_source: self.text(session.key_source)?,
            verified: session.verified,
            time_ms: row.time_ms,
            duration_ms: row.duration_ms,
            method: self.text(row.method)?,
            host: self.text(row.host)?,
            path: self.text(row.path)?,
            template: self.text(row.template)?,
            status: row.status,
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
            ip: row.ip,
            country: self.text(row.country)?,
            asn: row.asn,
            colo: self.text(row.colo)?,
            user_agent: self.text(row.user_agent)?,
            ja4: self.text(row.ja4)?,
            user: self.text(row.user)?,
            roles: self.text(row.roles)?,
            principal: session.principal,
            token: session.token,
            feedback: self.text(row.feedback)?,
            params,
            action: row.action,
            inventory: row.inventory,
            marks: row.marks,
        })
    }

    fn text(&self, index: u32) -> Option<&str> {
        self.texts.get(index as usize).map(AsRef::as_ref)
    }
}

/// Collects events into a [`Batch`], each text once.
///
/// Ordered maps, because the text is the client's to choose: no choice of it makes a look-up slow.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    batch: Batch,
    texts: BTreeMap<Box<str>, u32>,
    sessions: BTreeMap<Session, u32>,
    text_bytes: usize,
    layout: u32,
}

/// What a row without its text costs in memory and, at the most, on the wire.
const ROW_BYTES: usize = size_of::<Row>();

impl BatchBuilder {
    /// Appends one event. A batch holds at most `u32::MAX` texts; callers stop at a few megabytes.
    pub fn push(&mut self, event: &Event<'_>) {
        let row = self.row(event);
        self.batch.rows.push(row);
        if !event.params.is_empty() {
            self.text_bytes += event.params.bytes();
            let values = event.params.iter().map(|(name, value)| (self.text(name), value.clone())).collect();
            self.batch.params.push((self.batch.rows.len() as u32 - 1, values));
        }
    }

    /// Notes an attack that the event pushed last carries.
    pub fn carry(&mut self, carried: Carried) {
        let Some(last) = self.batch.rows.len().checked_sub(1) else { return };
        self.text_bytes += size_of::<Carried>() + carried.place.len() + carried.what.len();
        self.batch.carried.push((last as u32, carried));
    }

    /// Notes the objects of the event pushed last.
    pub fn hand(&mut self, objects: Objects) {
        let Some(last) = self.batch.rows.len().checked_sub(1) else { return };
        self.text_bytes += size_of::<Objects>() + objects.issued.len() * 5;
        self.batch.objects.push((last as u32, objects));
    }

    /// Notes what the event pushed last shows of its endpoint.
    pub fn show(&mut self, traits: Traits) {
        let Some(last) = self.batch.rows.len().checked_sub(1) else { return };
        self.text_bytes += traits.bytes();
        self.batch.traits.push((last as u32, traits));
    }

    /// Notes what a request that was pushed was stopped for.
    pub fn stop(&mut self, stop: Stop) {
        self.text_bytes += size_of::<Stop>() + stop.finding.bytes();
        self.batch.stops.push(stop);
    }

    /// Appends what subjects of these kinds have to know of an event whose session belongs elsewhere.
    pub fn glimpse(&mut self, event: &Event<'_>, kinds: Kinds) {
        let row = self.row(&Event { path: "", roles: "", colo: "", ..*event });
        self.batch.glimpses.push((kinds, row));
    }

    fn row(&mut self, event: &Event<'_>) -> Row {
        let head = Session {
            id: event.session,
            key_source: self.text(event.key_source),
            verified: event.verified,
            principal: event.principal,
            token: event.token,
        };
        let located = event.id.session_prefix();
        let session = match self.sessions.get(&head) {
            Some(index) => *index,
            None => {
                let index = self.batch.sessions.len() as u32;
                self.batch.sessions.push(head.clone());
                self.sessions.insert(head, index);
                index
            }
        };
        Row {
            time_ms: event.time_ms,
            unique: event.id.0 as u64 & ((1 << 40) - 1),
            locator: (located != event.session.prefix()).then_some(located),
            session,
            method: self.text(event.method),
            host: self.text(event.host),
            path: self.text(event.path),
            template: self.text(event.template),
            country: self.text(event.country),
            colo: self.text(event.colo),
            user_agent: self.text(event.user_agent),
            ja4: self.text(event.ja4),
            user: self.text(event.user),
            roles: self.text(event.roles),
            feedback: self.text(event.feedback),
            status: event.status,
            duration_ms: event.duration_ms,
            asn: event.asn,
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            ip: event.ip,
            action: event.action,
            inventory: event.inventory,
            marks: event.marks,
        }
    }

    /// Notes a key issued inside a session of this shard.
    pub fn issue(&mut self, issue: Issue) {
        self.batch.issues.push(issue);
    }

    /// Notes that the origin issued the key of a session of this shard.
    pub fn issued(&mut self, session: SessionId) {
        if !self.batch.issued.contains(&session) {
            self.batch.issued.push(session);
        }
    }

    /// Passes on what another shard says of a predecessor.
    pub fn arrive(&mut self, arrival: Arrival) {
        self.batch.arrivals.push(arrival);
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(index) = self.texts.get(text) {
            return *index;
        }
        let index = self.batch.texts.len() as u32;
        self.batch.texts.push(text.into());
        self.texts.insert(text.into(), index);
        self.text_bytes += text.len();
        index
    }

    /// Says for how many shards batches are from now on.
    pub fn set_layout(&mut self, layout: u32) {
        self.layout = layout;
    }

    /// How many events were pushed, and glimpsed.
    pub fn len(&self) -> usize {
        self.batch.rows.len() + self.batch.glimpses.len()
    }

    /// Of those, the events of this shard's own sessions.
    pub fn events(&self) -> usize {
        self.batch.rows.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// An upper estimate of the encoded size, in bytes.
    pub fn bytes(&self) -> usize {
        let batch = &self.batch;
        let tables = self.len() * ROW_BYTES + batch.sessions.len() * size_of::<Session>();
        let links = batch.issues.len() * size_of::<Issue>() + batch.arrivals.len() * size_of::<Arrival>();
        self.text_bytes + tables + links + batch.issued.len() * size_of::<SessionId>()
    }

    /// The batch; the builder starts over.
    pub fn take(&mut self) -> Batch {
        let taken = core::mem::replace(self, Self { layout: self.layout, ..Self::default() });
        Batch { layout: self.layout, ..taken.batch }
    }
}
