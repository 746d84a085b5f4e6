//! The Shard object: owns the sessions whose hash falls to it.
//!
//! Why its sequences are atomic: every operation on the store runs to its end without an await, so no other request
//! to the object comes between; the platform holds the answer back until what was written is durable. The store is
//! borrowed only within such a stretch. Awaits happen before (reading the request, learning blocks) and after.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::group::Group;
use super::isolate::{self, Setup};
use super::sql::ObjectSql;
use super::{clock, object};
use crate::backlog::Backlogs;
use crate::query::{Filter, Parts, Question, SessionQuery};
use crate::store::{self, EraseSizes, Health, Store, StoreError};
use crate::verdict::BlockChange;
use crate::wire::{self, Ask, AskReply, Erase, Flush, FlushReply, Sync, SyncReply, operation};

/// The shard asks the fleet for news when it has not for this long, ms …
const SYNC_EVERY_MS: u64 = 1_500;
/// … and has whoever wants a decision wait for it when the last news are older than this.
const STALE_MS: u64 = 3_000;
const SYNC_TIMEOUT_MS: u32 = 400;
/// What a flush brought is told to the fleet after this long, ms, with what came meanwhile: each telling costs rows.
const TELL_AFTER_MS: u32 = 3_000;
/// An alarm that is late by this much, ms, is set again.
const ALARM_GRACE_MS: u64 = 60_000;
/// A fold that failed is tried again after this long, ms.
const FOLD_AGAIN_MS: u64 = 30_000;

#[durable_object(alarm)]
pub struct Shard {
    inner: Rc<Inner>,
}

struct Inner {
    state: State,
    env: Env,
    /// The store, or why it could not be opened; then everything is answered 503.
    store: RefCell<core::result::Result<Store<ObjectSql>, String>>,
    /// Highest time any message carried, for a development clock.
    played_ms: Cell<u64>,
    development_clock: bool,
    /// Platform time of the last news, and of the last attempt to get some.
    synced_ms: Cell<u64>,
    asked_ms: Cell<u64>,
    /// Questions to the fleet under way.
    syncing: Cell<u32>,
    /// The layout under which something came in that the fleet has not been told of; 0 for none.
    layout: Cell<u32>,
    /// The layout it was told of last, and whether somebody set out to tell it at all.
    told_layout: Cell<u32>,
    /// Version of the documents, as the fleet said last.
    inventory: Cell<u64>,
    layout_asked: Cell<bool>,
    /// Requests and alarms since the object was loaded.
    requests: Cell<u64>,
    /// Flushes that wait to share a row.
    group: Group<core::result::Result<(FlushReply, bool), Failure>>,
    /// What isolates hold for this shard.
    backlogs: RefCell<Backlogs>,
    /// Whether the fleet is about to be told what flushes brought.
    telling: Cell<bool>,
    /// When the alarm that is set goes off, platform time; 0 for none.
    alarm_at_ms: Cell<u64>,
    /// After a failed fold: the alarm does not go off before this, platform time.
    alarm_not_before_ms: Cell<u64>,
}

impl DurableObject for Shard {
    fn new(state: State, env: Env) -> Self {
        let (settings, development_clock) = match isolate::load(&env) {
            Setup::Ready(policy) => {
                let (subjects, former_subjects) = policy.keys.ring().subjects();
                let settings = store::Settings {
                    subjects,
                    former_subjects,
                    detectors: policy.detectors.clone(),
                    business: policy.business(),
                    enforce: policy.mode == crate::policy::Mode::Enforce,
                    allow: policy.allow.clone(),
                    retention_ms: policy.retention_ms,
                    max_bytes: u64::from(policy.limits.shard_mb) * 1_000_000,
                    fold: store::FoldSizes::default(),
                    newcomers: policy.newcomers(),
                };
                (Ok(settings), policy.development.clock)
            }
            Setup::Refused { .. } | Setup::Unloaded => (Err("the configuration is refused".to_owned()), false),
        };
        let now_ms = clock::now_ms(development_clock);
        let opened = settings.and_then(|settings| {
            Store::open(ObjectSql::new(state.storage().sql()), settings, now_ms).map_err(|error| {
                worker::console_error!("shard cannot open its store: {}", chain(&error));
                error.to_string()
            })
        });
        let inner = Inner {
            state,
            env,
            store: RefCell::new(opened),
            played_ms: Cell::new(0),
            development_clock,
            synced_ms: Cell::new(0),
            asked_ms: Cell::new(0),
            syncing: Cell::new(0),
            layout: Cell::new(0),
            told_layout: Cell::new(0),
            inventory: Cell::new(0),
            layout_asked: Cell::new(false),
            requests: Cell::new(0),
            group: Group::default(),
            backlogs: RefCell::default(),
            telling: Cell::new(false),
            alarm_at_ms: Cell::new(0),
            alarm_not_before_ms: Cell::new(0),
        };
        Self { inner: Rc::new(inner) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.inner.requests.set(self.inner.requests.get() + 1);
        let path = request.path();
        let body = request.bytes().await?;
        self.inner.clone().answer(&path, &body).await
    }

    async fn alarm(&self) -> Result<Response> {
        let inner = &self.inner;
        inner.requests.set(inner.requests.get() + 1);
        inner.alarm_at_ms.set(0);
        let now_ms = inner.now_ms(0);
        let done = inner.with_store(|store| store.alarm(now_ms));
        if let Err(Failure { text, .. }) = done {
            worker::console_error!("fold failed, tried again later: {text}");
            inner.alarm_not_before_ms.set(clock::real_now_ms() + FOLD_AGAIN_MS);
        }
        // The fleet was away when the last flush came, or the object went: without this it might never hear of it.
        if inner.has_untold() || inner.layout.get() != 0 {
            inner.tell().await;
        }
        inner.set_alarm().await?;
        Response::ok("")
    }
}

/// What an operation answers when it fails.
struct Failure {
    status: u16,
    text: String,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let status = if matches!(error, StoreError::Batch(_)) { 400 } else { 500 };
        Self { status, text: chain(&error) }
    }
}

impl Inner {
    async fn answer(self: Rc<Self>, path: &str, body: &[u8]) -> Result<Response> {
        let answered = match path {
            operation::FLUSH => self.flush(body).await,
            operation::ASK => self.ask(body).await,
            operation::QUERY => self.query(body).await,
            operation::BLOCK => self.told(body),
            operation::ERASE => self.erase(body),
            _ => Err(Failure { status: 404, text: "no such operation".to_owned() }),
        };
        match answered {
            Ok(bytes) => Response::from_bytes(bytes),
            Err(Failure { status, text }) => {
                if status >= 500 {
                    worker::console_error!("shard {path}: {text}");
                }
                Response::error(text, status)
            }
        }
    }

    async fn flush(self: &Rc<Self>, body: &[u8]) -> core::result::Result<Vec<u8>, Failure> {
        let flush: Flush = wire::decode(body).ok_or_else(|| unreadable(body))?;
        self.layout.set(flush.layout);
        self.backlogs.borrow_mut().hear(flush.isolate, flush.backlog, clock::real_now_ms());
        let (ticket, wait_ms) = self.group.join(flush, clock::real_now_ms());
        if let Some(wait_ms) = u32::try_from(wait_ms).ok().filter(|wait_ms| *wait_ms > 0) {
            // A timer cannot fail; should it, the row is merely written early.
            let _ = wasm_bindgen_futures::JsFuture::from(super::glue::sleep(wait_ms)).await;
        }
        self.group.write(ticket, clock::real_now_ms(), |flushes| self.apply_all(flushes));
        let gone = || Failure { status: 500, text: "the flush was not answered in time; send it again".to_owned() };
        let (reply, imposed) = self.group.fetch(ticket).ok_or_else(gone)??;
        let is_first = self.told_layout.get() == 0 && !self.layout_asked.replace(true);
        if imposed || is_first || (self.is_sync_due() && self.syncing.get() == 0) {
            self.sync_in_background();
        }
        self.tell_soon();
        if self.set_alarm().await.is_err() {
            worker::console_error!("alarm could not be set; the next flush tries again");
        }
        Ok(wire::encode(&reply))
    }

    /// Makes flushes durable together; answers each, and whether it brought about a block.
    fn apply_all(&self, flushes: &[Flush]) -> Vec<core::result::Result<(FlushReply, bool), Failure>> {
        let now_ms = flushes.iter().map(|flush| self.now_ms(flush.now_ms)).max().unwrap_or(0);
        let inventory = self.inventory.get();
        let applied = self.with_store(|store| {
            let outcomes = store.apply_all(flushes, now_ms);
            let reply = |(flush, outcome): (&Flush, core::result::Result<store::Outcome, StoreError>)| {
                let store::Outcome { imposed, proven, known, arrivals, rotating } = outcome?;
                let any = !imposed.is_empty();
                let blocks = store.block_news(flush.blocks_version, imposed);
                let installed_ms = store.installed_ms();
                let normal = store.normal();
                Ok((FlushReply { blocks, installed_ms, proven, known, arrivals, rotating, inventory, normal }, any))
            };
            Ok(flushes.iter().zip(outcomes).map(reply).collect::<Vec<_>>())
        });
        match applied {
            Ok(replies) => replies,
            Err(Failure { status, text }) => {
                flushes.iter().map(|_| Err(Failure { status, text: text.clone() })).collect()
            }
        }
    }

    async fn ask(self: &Rc<Self>, body: &[u8]) -> core::result::Result<Vec<u8>, Failure> {
        let ask: Ask = wire::decode(body).ok_or_else(|| unreadable(body))?;
        self.freshen().await;
        let reply = self.with_store(|store| {
            let store::Answer { verdict, proven, known, stops } = store.ask(&ask)?;
            let blocks = store.block_news(ask.blocks_version, Vec::new());
            let (installed_ms, normal) = (store.installed_ms(), store.normal());
            Ok(AskReply { verdict, blocks, installed_ms, proven, known, stops, normal })
        })?;
        Ok(wire::encode(&reply))
    }

    async fn query(self: &Rc<Self>, body: &[u8]) -> core::result::Result<Vec<u8>, Failure> {
        #[derive(serde::Deserialize)]
        struct Asked {
            now_ms: u64,
            question: Question,
        }
        let asked: Asked = wire::decode(body).ok_or_else(|| unreadable(body))?;
        let now_ms = self.now_ms(asked.now_ms);
        self.freshen().await;
        self.with_store(|store| {
            Ok(match &asked.question {
                Question::Sessions(query) => wire::encode(&store.sessions(query, now_ms)?),
                Question::Parts(query) => wire::encode(&parts(store, query, now_ms)?),
                Question::Session(id) => wire::encode(&store.session(*id, now_ms)?),
                Question::Events(query) => wire::encode(&store.events(query)?),
                Question::Tail(filter, since) => wire::encode(&store.tail_of(filter, *since)),
                Question::Stats(query) => wire::encode(&store.stats(query)?),
                Question::Subject(kind, names) => {
                    wire::encode(&store.subject(store::WantedSubject { kind: *kind, names })?)
                }
                Question::DryRun(from_ms) => wire::encode(&store.dry_run(*from_ms)),
                Question::Known(ids) => wire::encode(&store.known_of(ids)?),
                Question::Health => {
                    let backlog = self.backlogs.borrow().total(clock::real_now_ms());
                    wire::encode(&Health { requests: self.requests.get(), backlog, ..store.health() })
                }
            })
        })
    }

    /// A change of the block set, told first-hand so that inline decisions know at once.
    fn told(&self, body: &[u8]) -> core::result::Result<Vec<u8>, Failure> {
        let change: BlockChange = wire::decode(body).ok_or_else(|| unreadable(body))?;
        self.with_store(|store| {
            store.told(change);
            Ok(wire::encode(&()))
        })
    }

    /// One slice of an erasure.
    fn erase(&self, body: &[u8]) -> core::result::Result<Vec<u8>, Failure> {
        let Erase { forms } = wire::decode(body).ok_or_else(|| unreadable(body))?;
        self.with_store(|store| Ok(wire::encode(&store.erase_user(&forms, EraseSizes::default())?)))
    }

    fn with_store<T>(
        &self,
        operate: impl FnOnce(&mut Store<ObjectSql>) -> core::result::Result<T, StoreError>,
    ) -> core::result::Result<T, Failure> {
        match self.store.borrow_mut().as_mut() {
            Ok(store) => operate(store).map_err(Failure::from),
            Err(text) => Err(Failure { status: 503, text: text.clone() }),
        }
    }

    fn is_sync_due(&self) -> bool {
        clock::real_now_ms().saturating_sub(self.asked_ms.get()) >= SYNC_EVERY_MS
    }

    fn sync_in_background(self: &Rc<Self>) {
        let this = self.clone();
        self.state.wait_until(async move {
            this.sync(false).await;
        });
    }

    /// Sees to it that what is answered is not too old; where the fleet stays silent, what is known has to do.
    async fn freshen(self: &Rc<Self>) {
        if clock::real_now_ms().saturating_sub(self.synced_ms.get()) < STALE_MS {
            if self.is_sync_due() {
                self.sync_in_background();
            }
        } else if self.syncing.get() > 0 || self.is_sync_due() {
            // Everyone who comes meanwhile asks for itself: an answer from an old copy would let blocked clients pass.
            self.sync(false).await;
        }
    }

    /// Has the fleet told what a flush brought, once for all flushes of a while. Should the object go before that, the
    /// alarm that folds what they brought tells it.
    fn tell_soon(self: &Rc<Self>) {
        if self.telling.replace(true) {
            return;
        }
        let this = self.clone();
        self.state.wait_until(async move {
            let _ = wasm_bindgen_futures::JsFuture::from(super::glue::sleep(TELL_AFTER_MS)).await;
            this.telling.set(false);
            this.tell().await;
        });
    }

    /// Tells the fleet what happened: again where it was not at the position it was believed to be at, and soon what did
    /// not fit or came meanwhile. A fleet that does not answer waits for the next flush or the alarm.
    async fn tell(self: &Rc<Self>) {
        let mut told = self.sync(true).await;
        if told.is_some_and(|(offered, position)| position != offered) {
            told = self.sync(true).await;
        }
        if told.is_some() && self.has_untold() {
            self.tell_soon();
        }
    }

    fn has_untold(&self) -> bool {
        matches!(self.with_store(|store| Ok(store.has_untold())), Ok(true))
    }

    /// Reports imposed blocks to the fleet and learns what changed, and tells what happened where told to; a failure is
    /// tried again by the next request. Answers the position offered and the one the fleet is at, where it said one.
    async fn sync(&self, tells: bool) -> Option<(u64, u64)> {
        let mut told = None;
        self.syncing.set(self.syncing.get() + 1);
        self.asked_ms.set(clock::real_now_ms());
        let name = self.state.id().to_string();
        let report = self.with_store(|store| {
            let (blocks_version, outbox) = store.report();
            Ok((blocks_version, outbox, if tells { store.delta(&name) } else { None }))
        });
        if let Ok((blocks_version, outbox, delta)) = report {
            let (rows, imposed): (Vec<u64>, Vec<_>) = outbox.into_iter().unzip();
            let offered = delta.as_ref().map(|delta| delta.upto);
            let layout = Some(self.layout.get()).filter(|layout| *layout != 0);
            let message = Sync { now_ms: self.now_ms(0), blocks_version, imposed, layout, delta };
            let reply: core::result::Result<SyncReply, _> =
                object::tell_fleet(&self.env, operation::SYNC, &message, SYNC_TIMEOUT_MS).await;
            match reply {
                Ok(SyncReply { blocks, position, inventory }) => {
                    self.inventory.set(inventory);
                    self.synced_ms.set(clock::real_now_ms());
                    self.told_layout.set(layout.unwrap_or(self.told_layout.get()));
                    // What came in meanwhile, under a layout this message did not name, is still to be told.
                    if layout == Some(self.layout.get()) {
                        self.layout.set(0);
                    }
                    if let Err(Failure { text, .. }) = self.with_store(|store| store.synced(blocks, &rows)) {
                        worker::console_error!("shard could not note the fleet's answer: {text}");
                    }
                    self.told_upto(position);
                    told = offered.zip(position);
                }
                Err(error) => worker::console_error!("fleet did not answer the shard: {}", error.text),
            }
        }
        self.syncing.set(self.syncing.get().saturating_sub(1));
        told
    }

    /// Takes in how far the fleet is.
    fn told_upto(&self, position: Option<u64>) {
        let Some(position) = position else { return };
        match self.with_store(|store| store.told_upto(position)) {
            Ok(true) => {}
            Ok(false) => {
                worker::console_error!("the fleet is ahead of this shard, whose storage must be an older copy");
            }
            Err(Failure { text, .. }) => worker::console_error!("shard could not note how far the fleet is: {text}"),
        }
    }

    /// Sets the alarm if there is something to do before the one that is set.
    async fn set_alarm(&self) -> Result<()> {
        let now_ms = self.now_ms(0);
        let Ok(Some(wait)) = self.with_store(|store| Ok(store.alarm_after(now_ms))) else { return Ok(()) };
        let at = clock::real_now_ms().saturating_add(wait).max(self.alarm_not_before_ms.get());
        let wait = at.saturating_sub(clock::real_now_ms());
        let set = self.alarm_at_ms.get();
        // One that should have come and did not never will.
        let is_coming = set != 0 && set.saturating_add(ALARM_GRACE_MS) > clock::real_now_ms();
        if is_coming && set <= at {
            return Ok(());
        }
        self.alarm_at_ms.set(at);
        let done = self.state.storage().set_alarm(core::time::Duration::from_millis(wait)).await;
        if done.is_err() {
            self.alarm_at_ms.set(0);
        }
        done
    }

    /// The platform's time, or the highest played one where a development clock runs.
    fn now_ms(&self, told_ms: u64) -> u64 {
        if !self.development_clock {
            return clock::real_now_ms();
        }
        let played = self.played_ms.get().max(told_ms);
        self.played_ms.set(played);
        if played > 0 { played } else { clock::real_now_ms() }
    }
}

/// The sessions that a question names: where those stand that fit it, and all of them as they are.
fn parts(store: &Store<ObjectSql>, query: &SessionQuery, now_ms: u64) -> core::result::Result<Parts, StoreError> {
    let listed = store.sessions(query, now_ms)?;
    let everything = SessionQuery { filter: Filter::default(), as_of_ms: u64::MAX, ..query.clone() };
    let all = store.sessions(&everything.about(query.filter.session.any.clone()), now_ms)?;
    Ok(Parts {
        partial: listed.partial || all.partial,
        listed: listed.items.into_iter().map(|(value, id, _)| (value, id)).collect(),
        parts: all.items.into_iter().map(|(.., part)| part).collect(),
    })
}

fn unreadable(message: &[u8]) -> Failure {
    Failure { status: 400, text: wire::refusal(message) }
}

/// An error with all its sources, for the log.
fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
