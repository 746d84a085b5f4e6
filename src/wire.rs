//! What the Worker and its Durable Objects say to each other, and what the objects are called.
//!
//! Messages and questions are postcard. Both ends are built from one source, but an object and an isolate may be one
//! release apart during a deploy: the first byte of a message is its version, and a reader that does not know it refuses
//! the message, which the sender of a flush then keeps and repeats.

mod fleet;

pub use fleet::{
    AlertEntry, AuditEntry, FleetHealth, FleetOrder, FleetReply, InventoryNews, Layouts, Outgoing, StoredDocument,
};

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::backlog::Backlog;
use crate::rollup::Delta;
use crate::session::{Arrival, Detector, Kinds, Risk, SessionId, Stop, shard_of_prefix};
use crate::verdict::{Block, BlockNews, Verdict};

/// Version of the traffic messages.
const VERSION: u8 = 3;

/// A shard: which one of how many.
///
/// A layout is its number of shards, so whoever goes back to a number finds its objects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Shards of the layout.
    pub layout: u32,
    /// Below `layout`.
    pub index: u32,
}

impl Place {
    /// Where a session lives in a layout.
    pub fn of(session: SessionId, layout: u32) -> Self {
        Self { layout, index: session.shard(layout) }
    }

    /// Where a session or event lives that is known by the first 40 bits of the session's id.
    pub fn of_prefix(prefix: u64, layout: u32) -> Self {
        Self { layout, index: shard_of_prefix(prefix, layout) }
    }

    /// Every shard of a layout.
    pub fn all(layout: u32) -> impl Iterator<Item = Self> {
        (0..layout).map(move |index| Self { layout, index })
    }

    /// Name of the object.
    pub fn name(self) -> String {
        format!("shard-{}-{}", self.layout, self.index)
    }
}

/// A number of shards that sessions are, or were, spread over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub shards: u32,
    /// When one of its shards first took something in, epoch ms …
    pub first_ms: u64,
    /// … and when last, to the hour.
    pub last_ms: u64,
}

/// Name of the only fleet object.
pub const FLEET_NAME: &str = "fleet";

/// Paths of the operations of both objects.
pub mod operation {
    pub const FLUSH: &str = "/flush";
    pub const ASK: &str = "/ask";
    pub const QUERY: &str = "/query";
    pub const BLOCK: &str = "/block";
    pub const ERASE: &str = "/erase";
    pub const SYNC: &str = "/sync";
    pub const FLEET: &str = "/fleet";
}

/// Events an isolate could not keep, and other things it can only count; sums since its last confirmed flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IsolateCounts {
    /// Events dropped because the buffer was full.
    pub dropped: u64,
    /// … of those, events that were refused, tagged or stopped.
    pub dropped_notable: u64,
    /// Flushes that failed and were kept for another try.
    pub flush_failures: u64,
    /// Requests whose inline decision was not to be had in time.
    pub undecided: u64,
    /// Requests the origin could not be asked for.
    pub origin_failures: u64,
    /// Requests answered 403 or 429 by verdict.
    pub stopped: u64,
    /// Times the Wasm side failed and was started anew.
    pub incidents: u64,
    /// Times the keys of a token issuer could not be fetched.
    pub key_fetch_failures: u64,
    /// Requests with an unproven key that were counted to their client's own session.
    pub set_aside: u64,
    /// Of the flushes that failed, those their shard was too busy for.
    pub overloaded: u64,
}

impl IsolateCounts {
    /// Adds `other` to these.
    pub fn add(&mut self, other: &Self) {
        self.dropped += other.dropped;
        self.dropped_notable += other.dropped_notable;
        self.flush_failures += other.flush_failures;
        self.undecided += other.undecided;
        self.origin_failures += other.origin_failures;
        self.stopped += other.stopped;
        self.incidents += other.incidents;
        self.key_fetch_failures += other.key_fetch_failures;
        self.set_aside += other.set_aside;
        self.overloaded += other.overloaded;
    }
}

/// Events on their way to the shard that owns their sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flush {
    /// A random number below 2⁵² that the isolate chose when it started.
    pub isolate: u64,
    /// Rises by one with each flush of that isolate to that shard.
    pub sequence: u64,
    pub now_ms: u64,
    /// Version of the block set the isolate holds.
    pub blocks_version: u64,
    pub counts: IsolateCounts,
    /// What the isolate holds for this shard beside this flush.
    pub backlog: Backlog,
    /// Sessions of this shard whose keys the isolate would like to know proven.
    pub questions: Vec<SessionId>,
    /// Whether the isolate tells the origin what is known of sessions.
    pub wants_known: bool,
    /// Whether an answer to a client waits for it, so that it does not wait for others to share a row.
    pub urgent: bool,
    /// How many shards the isolate spreads sessions over.
    pub layout: u32,
    /// An encoded [`crate::session::Batch`].
    #[serde(with = "plain_bytes")]
    pub batch: Vec<u8>,
}

/// Sessions asked about in one flush; what does not fit is asked in the next.
pub const MAX_QUESTIONS: usize = 512;

/// The shard's answer to a flush; the events are durable when it arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlushReply {
    pub blocks: BlockNews,
    /// When the shard was first used, epoch ms.
    pub installed_ms: u64,
    /// Of the sessions asked about, those whose key is proven.
    pub proven: Vec<SessionId>,
    /// What is known of the sessions in the batch, where that was asked for.
    pub known: Vec<KnownSession>,
    /// What the shards of successors have to be told.
    pub arrivals: Vec<Arrival>,
    /// Clients of this batch that start too many unproven sessions, and until when they are remembered, epoch ms.
    pub rotating: Vec<(IpAddr, u64)>,
    /// Version of the documents and templates that requests are compared with, as the shard last heard it.
    pub inventory: u64,
    /// Attack-like text that is ordinary where it stands ([`crate::detect::normal`]): all of it that the shard tells.
    pub normal: Vec<u64>,
}

/// What the origin may be told of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownSession {
    pub session: SessionId,
    pub risk: Risk,
    /// Plain, or a pseudonym; empty where unknown.
    pub user: String,
    pub findings: Vec<Detector>,
}

/// May this request go on?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ask {
    pub session: SessionId,
    pub ip: Option<IpAddr>,
    pub now_ms: u64,
    pub blocks_version: u64,
    /// The session's id under the secret before this one.
    pub former: Option<SessionId>,
    /// Where the route is decided inline: the request as an encoded [`crate::session::Batch`] of one event, as it would be
    /// recorded if it were answered with success; with its values where a rule about the business may stop it. Else empty.
    #[serde(with = "plain_bytes")]
    pub attempt: Vec<u8>,
    /// Who the request says it is of, or tries to be, as stored; empty where it does not say.
    pub user: String,
    pub ja4: String,
    pub user_agent: String,
    /// The subjects of it that this shard owns: all of them where it owns the session, and then it judges rules about the
    /// business as well.
    pub kinds: Kinds,
}

/// The shard's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskReply {
    pub verdict: Verdict,
    pub blocks: BlockNews,
    pub installed_ms: u64,
    /// Whether the session's key is proven.
    pub proven: bool,
    /// `None` where the session is not known.
    pub known: Option<KnownSession>,
    /// The rules that the request would break, where it is stopped for that: to be recorded with it.
    pub stops: Vec<Stop>,
    /// As in [`FlushReply::normal`].
    pub normal: Vec<u64>,
}

/// Erase a user: to be sent again until the shard's answer, a [`crate::store::Erased`], says that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erase {
    /// Every text that names the user.
    pub forms: Vec<String>,
}

/// A shard reports to the fleet and learns what the others did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sync {
    pub now_ms: u64,
    pub blocks_version: u64,
    /// Blocks the shard's detectors imposed, to be made known everywhere.
    pub imposed: Vec<Block>,
    /// The layout under which the shard took something in since it last reported; `None` where nothing came.
    pub layout: Option<u32>,
    /// What happened after the position the shard believes the fleet to be at; `None` where it has nothing to tell now.
    pub delta: Option<Delta>,
}

/// The fleet's answer to a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncReply {
    pub blocks: BlockNews,
    /// The journal position up to which the fleet has taken the shard in, where a delta was offered.
    pub position: Option<u64>,
    /// Version of the documents and templates that requests are compared with.
    pub inventory: u64,
}

/// Encodes a traffic message.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Plain data into a growing buffer cannot fail; an empty message would be refused by `decode`.
    postcard::to_extend(message, vec![VERSION]).unwrap_or_default()
}

/// Decodes a traffic message; `None` if it is malformed or of another version.
pub fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (version, body) = bytes.split_first()?;
    (*version == VERSION).then(|| postcard::from_bytes(body).ok()).flatten()
}

/// Why [`decode`] did not read a message, for whoever sent it and for the log.
pub fn refusal(bytes: &[u8]) -> String {
    match bytes.first() {
        None => "the message is empty".to_owned(),
        Some(&VERSION) => "the message is cut or malformed".to_owned(),
        Some(version) => format!(
            "the message has version {version} and this build reads version {VERSION}: one side is another release; \
             a flush is kept and sent again until both are the same"
        ),
    }
}

/// Bytes as bytes: serde's own way goes element by element.
pub(crate) mod plain_bytes {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
