//! Questions and answers of the public API: filters, cursors, pages.
//!
//! A question is parsed and checked once, at the edge; shards answer it over what they hold, and the edge merges.

mod answer;
mod changes;
mod cursor;
mod distinct;
mod endpoints;
mod feed;
mod filter;
mod page;
mod params;
mod parse;
mod parts;
mod rollups;
mod stats;
mod time;

pub use answer::{
    AddressAnswer, EndpointCount, EventAnswer, EvidenceAnswer, FindingAnswer, FlowCount, KeyAnswer, LabelAnswer,
    LinkAnswer, ParamAnswer, ReasonAnswer, SessionAnswer, StatsAnswer, StatsBucket, StatsCount,
};
pub use changes::{ChangeAnswer, ChangeQuery, parse_changes};
pub use cursor::{Cursor, Positions};
pub use distinct::Distinct;
pub use endpoints::{DocumentName, EndpointAnswer, EndpointQuery, Survey, parse_endpoints};
pub use feed::{FindingQuery, parse_findings};
pub(crate) use filter::contains_ignore_case;
pub use filter::{EndpointTerm, Field, Filter, Hit, StatusTerm, Terms, UserTerm};
pub use page::{Page, add_slice, is_after, merge};
pub use params::{ParamTerms, ParamTest, ParamValues};
pub use parse::{Asked, ParameterError, parse_events, parse_sessions, parse_stats};
pub use parts::{Parts, list_once};
pub use rollups::{RollupGroup, RollupQuery, RollupsAnswer, Series, parse_rollups};
pub use stats::{StatsPart, StatsResume};
pub use time::{parse_time, rfc3339};

use serde::{Deserialize, Serialize};

/// Items of a page: by default, and at the most.
pub const DEFAULT_LIMIT: u32 = 50;
pub const MAX_LIMIT: u32 = 500;

/// What sessions are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    #[default]
    LastSeen,
    FirstSeen,
    Risk,
    Requests,
    Duration,
}

impl SortBy {
    /// Every way to sort.
    pub const ALL: [Self; 5] = [Self::LastSeen, Self::FirstSeen, Self::Risk, Self::Requests, Self::Duration];

    /// The number that sorts a session this way; of equal ones the one seen last comes first.
    pub fn value(self, first_seen_ms: u64, last_seen_ms: u64, requests: u64, risk: u8) -> u64 {
        let last_seen_s = (last_seen_ms / 1_000).min(u64::from(u32::MAX));
        let before_last_seen = |n: u64| n.min(u64::from(u32::MAX)) << 32 | last_seen_s;
        match self {
            Self::LastSeen => last_seen_ms,
            Self::FirstSeen => first_seen_ms,
            Self::Risk => before_last_seen(u64::from(risk)),
            Self::Requests => before_last_seen(requests),
            Self::Duration => before_last_seen(last_seen_ms.saturating_sub(first_seen_ms)),
        }
    }
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Asc,
    Desc,
}

/// A page of sessions is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionQuery {
    pub filter: Filter,
    pub sort: SortBy,
    pub order: Order,
    pub limit: u32,
    /// Moment the first page was asked for, epoch ms …
    pub as_of_ms: u64,
    /// … and how far the shard's journal was then: what came later does not move a session from page to page. `None` for
    /// the first page, whose answer says it.
    pub position: Option<u64>,
    /// Value and id of the last item of the page before.
    pub after: Option<(u64, u128)>,
    /// Where an earlier slice of this very page ended.
    pub resume: Option<Resume>,
    /// Value and id of the last item of this page as far as earlier slices filled it.
    pub floor: Option<(u64, u128)>,
}

/// Where a slice of a question ended: what is left are the chunks from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The best sort value the next chunk can hold, and its id.
    pub bound: u64,
    pub chunk: u64,
    /// The newest chunk and the number of the newest merge when the first slice began: what is newer is looked at by
    /// every slice.
    pub newest: u64,
    pub merges: u64,
}

/// A page of events is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventQuery {
    pub filter: Filter,
    pub order: Order,
    pub limit: u32,
    /// Id of the last item of the page before.
    pub after: Option<u128>,
    /// As for sessions.
    pub resume: Option<Resume>,
    pub floor: Option<(u64, u128)>,
}

impl EventQuery {
    /// The first `limit` events that fit.
    pub fn first(filter: Filter, order: Order, limit: u32) -> Self {
        Self { filter, order, limit, after: None, resume: None, floor: None }
    }
}

/// Totals and a time series are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatsQuery {
    pub filter: Filter,
    /// Width of a bucket, ms; 0 for none.
    pub bucket_ms: u64,
    pub group_by: Option<GroupBy>,
    /// A business parameter whose amounts are added up.
    pub param: Option<String>,
    /// Where an earlier slice ended.
    pub resume: Option<StatsResume>,
}

/// What a statistic is split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Country,
    Endpoint,
    Status,
    Method,
    Host,
    Asn,
    /// An endpoint may belong to several, and then counts in each.
    Flow,
}

/// A question to one shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Question {
    Sessions(SessionQuery),
    Session(crate::session::SessionId),
    Events(EventQuery),
    Stats(StatsQuery),
    /// The sessions named in the filter: which of them fit, and all that is known of them. Answered with [`Parts`].
    Parts(SessionQuery),
    /// All that is known of a subject, under each of its names. Answered with its state, and whether more may exist.
    Subject(crate::subject::Kind, Vec<String>),
    /// Which of these sessions are known.
    Known(Vec<crate::session::SessionId>),
    /// What enforcing would have touched since a moment, epoch ms.
    DryRun(u64),
    Health,
    /// What was journaled after this position and fits; without a position only how far the journal is. Answered with
    /// [`Tailed`].
    Tail(Filter, Option<u64>),
}

/// Events in the order they were journaled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tailed {
    pub events: Vec<EventAnswer>,
    /// How far the journal was looked through.
    pub position: u64,
    /// Whether some of what came after the position asked about is folded, and so not among these.
    pub folded: bool,
}
