//! What an isolate remembers between requests: its policy, its copy of the block set, and the events not yet flushed.
//!
//! One value per isolate, borrowed for moments only and never across an await.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use worker::Env;

use super::buffer::Buffers;
use super::documents::Documents;
use super::due::Due;
use super::exchange::Released;
use super::exchanges::Exchanges;
use super::glue;
use super::spread::Spread;
use crate::api::share::Share;
use crate::identity::Standings;
use crate::identity::jwt::{Issuer, Tokens};
use crate::inspect::{self, Inspector};
use crate::inventory::{Operations, Sample};
use crate::policy::{KeySource, OnError, Policy, Problem};
use crate::recent::Recent;
use crate::session::{EventId, Label, SessionId};
use crate::verdict::BlockSet;
use crate::wire::KnownSession;

/// The outcome of loading the policy.
#[derive(Clone)]
pub enum Setup {
    /// Nobody has needed it yet.
    Unloaded,
    Ready(Rc<Policy>),
    /// The configuration is refused; traffic follows `ON_ERROR`.
    Refused {
        problems: Rc<Vec<Problem>>,
        on_error: OnError,
    },
}

/// The isolate's own state.
pub struct Isolate {
    pub setup: Setup,
    pub blocks: BlockSet,
    /// Platform time at which the block set was last heard of, epoch ms; 0 for never.
    pub blocks_heard_ms: u64,
    /// … and at which somebody last set out to ask for it.
    pub blocks_asked_ms: u64,
    /// What recording called for where nobody was there to carry it out.
    pub due: Due,
    pub buffers: Buffers,
    /// Looks for attacks, unless every class is off.
    pub inspector: Option<Inspector>,
    pub exchanges: Exchanges,
    /// Exchanges decided inline whose outcome is on its way, by their tokens.
    pub released: Recent<u32, Released>,
    /// Token issuers with their keys, and the tokens seen.
    pub tokens: Tokens,
    /// Where the keys of each issuer are fetched from, and when.
    pub key_sources: Vec<Option<KeySource>>,
    /// Keys of sessions, and the clients that show them.
    pub standings: Standings,
    /// Questions to shards about unproven keys that requests wait for.
    pub standing_questions: u32,
    /// When the first shard heard of was first used, epoch ms.
    pub installed_ms: Option<u64>,
    /// What shards said of sessions lately.
    pub known: Recent<SessionId, KnownSession>,
    /// By shard, what attack-like text it last said to be ordinary where it stands.
    normal: BTreeMap<u32, Vec<u64>>,
    /// When the fleet last named the layouts, platform time (0 for never), and what it said.
    pub spread: (u64, Spread),
    /// What requests are compared with.
    pub documents: Documents,
    /// Operations of GraphQL and JSON-RPC that are told apart.
    pub operations: Operations,
    /// What was told of messages.
    pub sample: Sample,
    /// Shares by what the fleet said of them last, and when, platform time.
    pub shares: Recent<u64, (u64, Option<Share>)>,
    /// When the fleet last told of labels, platform time, their version, and all of them by what
    /// they are on.
    pub labels: (u64, u64, Rc<BTreeMap<String, Label>>),
    /// Streams that are open, by when each was last read, platform time.
    pub streams: BTreeMap<u64, u64>,
    /// Cloudflare Access with its keys, where it is configured.
    pub access: Option<Issuer>,
    ids: Ids,
}

/// Answers that wait for their outcome at one time; of one pushed out nothing is withheld.
const MAX_RELEASED: usize = 4_096;
/// Sessions whose summary is remembered for the origin.
const KNOWN_SESSIONS: usize = 10_000;

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

/// Gives the isolate's state to `use_it`.
pub fn with<T>(use_it: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with(|cell| use_it(cell.borrow_mut().get_or_insert_with(Isolate::new)))
}

/// The isolate's policy, loaded from the bindings the first time.
pub fn load(env: &Env) -> Setup {
    let setup = with(|isolate| isolate.setup.clone());
    if !matches!(setup, Setup::Unloaded) {
        return setup;
    }
    let get = |name: &str| binding(env, name);
    let setup = match Policy::load(&get) {
        Ok(policy) => Setup::Ready(Rc::new(policy)),
        Err(problems) => {
            for problem in &problems {
                worker::console_error!("configuration refused: {problem}");
            }
            Setup::Refused { problems: Rc::new(problems), on_error: Policy::on_error(&get) }
        }
    };
    with(|isolate| {
        if let Setup::Ready(policy) = &setup {
            isolate.tokens = Tokens::new(policy.issuers.iter().map(|i| i.issuer.clone()).collect());
            // Behind the issuers of traffic comes Access, which vouches for people and never for traffic.
            let access = policy.access.as_ref().map(|access| &access.issuer);
            isolate.key_sources = policy.issuers.iter().chain(access).map(|i| i.source.clone()).collect();
            isolate.access = access.map(|access| access.issuer.clone());
            let on = |attack| policy.detectors.attacks.get(attack).is_some();
            let limits = inspect::Limits { body: policy.limits.body_bytes as usize, ..inspect::Limits::default() };
            isolate.inspector = policy.detectors.attacks.any().then(|| Inspector::new(on, limits));
            for skipped in policy.issuers.iter().flat_map(|issuer| &issuer.skipped) {
                worker::console_warn!("JWT: {skipped}");
            }
        }
        isolate.setup = setup.clone();
    });
    setup
}

/// The text of a binding.
pub fn binding(env: &Env, name: &str) -> Option<String> {
    glue::binding(env, name)
}

impl Isolate {
    fn new() -> Self {
        let ids = Ids::new();
        Self {
            setup: Setup::Unloaded,
            blocks: BlockSet::default(),
            blocks_heard_ms: 0,
            blocks_asked_ms: 0,
            due: Due::Nothing,
            inspector: None,
            buffers: Buffers::new(ids.isolate),
            exchanges: Exchanges::new(ids.isolate),
            released: Recent::new(MAX_RELEASED),
            tokens: Tokens::default(),
            key_sources: Vec::new(),
            standings: Standings::default(),
            standing_questions: 0,
            installed_ms: None,
            known: Recent::new(KNOWN_SESSIONS),
            normal: BTreeMap::new(),
            spread: (0, Spread::default()),
            documents: Documents::default(),
            operations: Operations::default(),
            sample: Sample::default(),
            labels: (0, 0, Rc::default()),
            shares: Recent::new(super::caller::SHARES_REMEMBERED),
            streams: BTreeMap::new(),
            access: None,
            ids,
        }
    }

    /// Takes in when a shard was first used.
    pub fn heard_installed(&mut self, installed_ms: u64) {
        self.installed_ms = Some(self.installed_ms.map_or(installed_ms, |known| known.min(installed_ms)));
    }

    /// Takes in what a shard says is ordinary.
    pub fn heard_normal(&mut self, shard: u32, kinds: Vec<u64>) {
        self.normal.insert(shard, kinds);
    }

    /// Whether a shard said what is.
    pub fn knows_normal(&self, shard: u32) -> bool {
        self.normal.contains_key(&shard)
    }

    /// Whether any shard said that this kind of text is.
    pub fn is_normal(&self, kind: u64) -> bool {
        self.normal.values().any(|kinds| kinds.contains(&kind))
    }

    /// A name for an event of `session`.
    pub fn event_id(&mut self, now_ms: u64, session: SessionId) -> EventId {
        EventId::new(now_ms, session, self.ids.next())
    }
}

/// The unique part of event ids: a counter, so that events of one millisecond keep their order, and the isolate.
struct Ids {
    /// Random, below 2⁵².
    isolate: u64,
    counter: u64,
}

impl Ids {
    fn new() -> Self {
        let mut seed = [0u8; 16];
        if getrandom::fill(&mut seed).is_err() {
            worker::console_error!("no randomness; event ids of two isolates may collide");
        }
        let (isolate, counter) = (u128::from_le_bytes(seed) as u64, (u128::from_le_bytes(seed) >> 64) as u64);
        Self { isolate: isolate >> 12, counter: counter & 0xff_ffff }
    }

    fn next(&mut self) -> u64 {
        self.counter = (self.counter + 1) & 0xff_ffff;
        (self.counter << 16) | (self.isolate & 0xffff)
    }
}
