//! What is asked of the fleet, and what it answers.

use serde::{Deserialize, Serialize};

use super::Layout;
use crate::alert::Style;
use crate::api::share::Share;
use crate::inventory::openapi::Document;
use crate::inventory::{EndpointChange, Learned, Tally};
use crate::query::{FindingQuery, Page, RollupQuery, Series};
use crate::session::{Detector, Finding, Label};
use crate::verdict::{Block, Subject};

/// A document that was uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredDocument {
    pub id: u64,
    pub added_ms: u64,
    pub document: Document,
}

/// What requests are compared with beside the configured documents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InventoryNews {
    pub version: u64,
    /// Whether the rest says anything: the asker knew another version.
    pub changed: bool,
    /// Newest first.
    pub documents: Vec<StoredDocument>,
    pub learned: Vec<Learned>,
}

/// An order to the fleet from the admin API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FleetOrder {
    Impose {
        block: Block,
        actor: String,
    },
    Lift {
        subject: Subject,
        actor: String,
        reason: String,
        now_ms: u64,
    },
    List {
        now_ms: u64,
    },
    Audit {
        limit: u32,
    },
    Layouts {
        now_ms: u64,
    },
    Findings(FindingQuery),
    /// Put a label on a finding or session.
    Label(Label),
    /// All labels, to who knows this version of them (0: none).
    Labels {
        known: u64,
    },
    Rollups(RollupQuery),
    Health,
    Share(Share),
    Shares {
        now_ms: u64,
    },
    /// Somebody comes by a share link.
    OpenShare {
        id: u64,
        now_ms: u64,
    },
    Unshare {
        id: u64,
        actor: String,
        now_ms: u64,
    },
    /// Documents and templates, unless this version is known already.
    Inventory {
        known: Option<u64>,
    },
    Endpoints,
    EndpointChanges,
    AddDocument {
        document: Document,
        actor: String,
        now_ms: u64,
    },
    RemoveDocument {
        id: u64,
        actor: String,
        now_ms: u64,
    },
    /// The alerts that wait, or the dead letters.
    Alerts {
        dead: bool,
        limit: u32,
    },
    RetryAlert {
        id: u128,
        actor: String,
        now_ms: u64,
    },
    /// Take a learned template back.
    Unlearn {
        template: String,
        actor: String,
        now_ms: u64,
    },
    /// Remember an act that is not the fleet's own.
    Note(AuditEntry),
    /// Take a user, known by these texts, out of what findings say.
    Erase {
        forms: Vec<String>,
    },
}

/// What the fleet answers to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FleetReply {
    Done {
        existed: bool,
    },
    Full,
    Blocks(Vec<Block>),
    Audit(Vec<AuditEntry>),
    Layouts(Layouts),
    Findings(Page<(Finding, Option<Label>)>),
    /// None where the version is known.
    Labels {
        version: u64,
        labels: Option<Vec<Label>>,
    },
    Rollups(Series),
    Inventory(InventoryNews),
    /// Every endpoint, and the calls of those that found no room.
    Endpoints {
        endpoints: Vec<(String, Tally)>,
        unlisted: u64,
    },
    /// The newest last.
    EndpointChanges(Vec<EndpointChange>),
    Document {
        id: u64,
    },
    TooLarge,
    /// With the findings of each detector.
    Health(FleetHealth, Vec<(Detector, u64)>),
    Shares(Vec<Share>),
    Alerts(Vec<AlertEntry>),
}

/// An alert that was not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEntry {
    pub id: String,
    /// Name of its rule.
    pub rule: String,
    pub created_ms: u64,
    /// When it is tried next.
    pub due_ms: u64,
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// Whether it is tried no more.
    pub dead: bool,
}

/// An alert on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub id: String,
    pub to: String,
    pub style: Style,
    pub body: String,
}

/// What metrics show of the fleet; sums are since it was last loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FleetHealth {
    pub deltas_applied: u64,
    /// Times a delta could not be stored; it is offered again.
    pub deltas_failed: u64,
    /// Deltas that did not begin where the fleet was.
    pub deltas_repeated: u64,
    /// Deltas that began later than where the fleet was: what lies between is lost.
    pub deltas_gaps: u64,
    /// Requests counted without their endpoint, for lack of room.
    pub requests_unnamed: u64,
    pub findings_kept: u64,
    /// Findings dropped by the fleet or, while it was away, by shards, for lack of room.
    pub findings_dropped: u64,
    pub minutes_kept: u64,
    /// Minutes dropped before their time for lack of room.
    pub minutes_dropped: u64,
    pub alerts_raised: u64,
    pub alerts_delivered: u64,
    /// Attempts that failed; what failed is tried again.
    pub alerts_failed: u64,
    /// Alerts dropped because too many wait.
    pub alerts_dropped: u64,
    pub alerts_waiting: u64,
    pub alerts_dead: u64,
}

/// The layouts that may hold something still.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layouts {
    /// Last heard of first.
    pub layouts: Vec<Layout>,
    /// Whether one that may hold something had to be forgotten because there were too many.
    pub forgotten: bool,
}

/// One administrative act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub time_ms: u64,
    /// `admin` or `viewer`.
    pub actor: String,
    /// `block`, `allow`, `erase`, …
    pub act: String,
    pub subject: String,
    pub detail: String,
}
