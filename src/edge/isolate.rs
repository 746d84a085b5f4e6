//! What an isolate remembers between requests: its policy, its copy of the block set, and the events not yet flushed.
//!
//! One value per isolate, borrowed for moments only and never across an await.

use core::cell::RefCell;
use std::rc::Rc;

use worker::Env;

use super::buffer::Buffers;
use super::glue;
use super::request;
use crate::policy::{OnError, Policy, Problem};
use crate::session::{EventId, SessionId};
use crate::verdict::BlockSet;

/// The policy as this isolate loaded it, with what is derived from it once.
pub struct Loaded {
    pub policy: Policy,
    /// Names of the headers to read, as JavaScript wants them.
    pub names: js_sys::Array,
}

/// The outcome of loading the policy.
#[derive(Clone)]
pub enum Setup {
    Ready(Rc<Loaded>),
    /// The configuration is refused; traffic follows `ON_ERROR`.
    Refused {
        problems: Rc<Vec<Problem>>,
        on_error: OnError,
    },
}

/// The isolate's own state.
pub struct Isolate {
    setup: Setup,
    pub blocks: BlockSet,
    /// Platform time at which the block set was last heard of, epoch ms; 0 for never.
    pub blocks_heard_ms: u64,
    pub buffers: Buffers,
    ids: Ids,
}

thread_local! {
    static ISOLATE: RefCell<Option<Isolate>> = const { RefCell::new(None) };
}

/// Gives the isolate's state to `use_it`, loading the policy first where this is the first time.
pub fn with<T>(env: &Env, use_it: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with(|cell| use_it(cell.borrow_mut().get_or_insert_with(|| Isolate::new(env))))
}

/// The isolate's policy.
pub fn setup(env: &Env) -> Setup {
    with(env, |isolate| isolate.setup.clone())
}

/// The text of a binding.
pub fn binding(env: &Env, name: &str) -> Option<String> {
    glue::binding(env, name)
}

/// A name for an event of `session`.
pub fn event_id(env: &Env, now_ms: u64, session: SessionId) -> EventId {
    with(env, |isolate| EventId::new(now_ms, session, isolate.ids.next()))
}

impl Isolate {
    fn new(env: &Env) -> Self {
        let get = |name: &str| binding(env, name);
        let setup = match Policy::load(&get) {
            Ok(policy) => {
                let names = request::names(&policy).iter().map(|name| js_sys::JsString::from(name.as_str())).collect();
                Setup::Ready(Rc::new(Loaded { policy, names }))
            }
            Err(problems) => {
                for problem in &problems {
                    worker::console_error!("configuration refused: {problem}");
                }
                Setup::Refused { problems: Rc::new(problems), on_error: Policy::on_error(&get) }
            }
        };
        let ids = Ids::new();
        Self { setup, blocks: BlockSet::default(), blocks_heard_ms: 0, buffers: Buffers::new(ids.isolate), ids }
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
