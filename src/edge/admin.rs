//! The public API under `/_throughline`: who may ask, what is asked, and which objects answer.

use std::rc::Rc;

use wasm_bindgen_futures::JsFuture;
use worker::Env;
use worker::worker_sys::web_sys::{Request, Response};

use super::gateway::reference;
use super::isolate;
use super::object::{self, CallError};
use super::problem::{Problem, json, respond};
use super::request::Described;
use super::spread::{ANSWER_TIMEOUT_MS, QUESTION_TIMEOUT_MS, Spread};
use super::{caller, clock, metrics};
use crate::api::access::{Caller, Mask, Role};
use crate::api::order::{ActionOrder, BlockOrder};
use crate::api::{
    AuditAnswer, BlockAnswer, HealthAnswer, HealthDetails, ListAnswer, Operation, Refusal, StatsPage, resolve,
};
use crate::export::Of;
use crate::identity;
use crate::policy::Policy;
use crate::query::{
    Asked, Cursor, EventAnswer, EventQuery, Filter, Page, ParameterError, Positions, Question, SessionQuery, StatsPart,
    Terms, merge, parse_events, parse_sessions, parse_stats,
};
use crate::session::SessionId;
use crate::verdict::{Action, Block, BlockChange, Subject};
use crate::wire::{FleetOrder, FleetReply, Place, operation};

/// Longest body of an order, bytes.
const MAX_BODY: usize = 64 * 1024;
const UNKNOWN: Refusal = Refusal::NotFound("No session has this id.");
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The document the API describes itself by.
const OPENAPI: &str = include_str!("../api/openapi.json");

/// Answers a request below the admin prefix.
pub async fn answer(
    request: &Request,
    described: &Described<'_>,
    path: &str,
    policy: &Rc<Policy>,
    env: &Env,
) -> Response {
    let (now_ms, until_ms) = (clock::now_ms(policy.development.clock), clock::real_now_ms() + ANSWER_TIMEOUT_MS);
    let answered = async {
        let operation = resolve(described.method, path)?;
        let caller = caller::recognise(request, env, policy, now_ms).await?;
        if operation == Operation::Health {
            let knows = caller.is_some_and(|caller| caller.share.is_none());
            return Ok(health(policy, now_ms, knows));
        }
        let caller = caller.ok_or(Refusal::Unauthorized)?;
        let mut api = Api { request, policy, env, query: described.query, now_ms, until_ms, caller };
        let narrowed = api.narrowed(operation).await?;
        api.query = narrowed.as_deref().unwrap_or(described.query);
        api.route(operation, path).await
    };
    answered.await.unwrap_or_else(|refusal: Refusal| refuse(&refusal))
}

/// Answers below the admin prefix while the configuration is refused: health, and to an admin what is wrong.
pub fn answer_without_policy(
    request: &Request,
    path: &str,
    env: &Env,
    problems: &[crate::policy::Problem],
) -> Response {
    let path = path.split('?').next().unwrap_or("");
    let details = || HealthDetails {
        version: VERSION,
        mode: None,
        time: crate::query::rfc3339(clock::real_now_ms()),
        problems: problems.iter().map(ToString::to_string).collect(),
    };
    match (path, caller::role(request, env)) {
        ("/healthz", role) => json(503, &HealthAnswer::new(false, role.map(|_| details()))),
        ("/api/v1/policy", Some(_)) => json(503, &HealthAnswer::new(false, Some(details()))),
        _ => Problem::new(
            503,
            "Service unavailable",
            "The configuration is refused; see healthz with a token.",
            reference(),
        )
        .response(&[]),
    }
}

pub struct Api<'a> {
    pub request: &'a Request,
    pub policy: &'a Rc<Policy>,
    pub env: &'a Env,
    pub query: &'a str,
    pub now_ms: u64,
    /// When shards are asked no more for this answer, platform time.
    pub until_ms: u64,
    pub caller: Caller,
}

pub type Answer = Result<Response, Refusal>;

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        worker::console_error!("an object did not answer the API: {}", error.text);
        Self::Unavailable
    }
}

impl Api<'_> {
    pub async fn route(&self, operation: Operation, path: &str) -> Answer {
        let role = self.caller.role;
        if operation.changes_something() && role != Role::Admin {
            return Err(Refusal::Forbidden);
        }
        if !operation.takes_parameters() {
            self.no_parameters()?;
        }
        match operation {
            Operation::Health => Ok(health(self.policy, self.now_ms, true)),
            Operation::OpenApi => Ok(respond(200, "application/json", OPENAPI.as_bytes(), &[])),
            Operation::Metrics => self.metrics().await,
            Operation::Policy => Ok(json(200, &crate::api::policy::policy_answer(self.policy))),
            Operation::Sessions => self.sessions().await,
            Operation::Session(id) => self.session(id).await,
            Operation::SessionEvents(id) => self.session_events(id).await,
            Operation::Events => self.events().await,
            Operation::Stats => self.stats().await,
            Operation::Findings => self.findings().await,
            Operation::Finding(request) => self.finding(request, finding_of(path)).await,
            Operation::FindingLabel(request) => self.label_finding(request, finding_of(path)).await,
            Operation::SessionLabel(id) => self.label_session(id).await,
            Operation::SessionNeighbours(id) => self.neighbours(id).await,
            Operation::Labels => self.labels().await,
            Operation::DryRun => self.dry_run().await,
            Operation::Rollups => self.rollups().await,
            Operation::Lookup => self.lookup().await,
            Operation::SessionAction(id) => self.act(id).await,
            Operation::SessionStory(id) => self.story(id).await,
            Operation::Identify => self.identify().await,
            Operation::Replay => self.replay().await,
            Operation::Blocks => self.blocks().await,
            Operation::Block => self.block().await,
            Operation::Unblock => self.unblock().await,
            Operation::Audit => self.audit().await,
            Operation::Export(of) => self.export(of, None).await,
            Operation::SessionExport(id) => self.export(Of::Events, Some(id)).await,
            Operation::Stream => self.stream().await,
            Operation::Shares => self.shares().await,
            Operation::Share => self.share().await,
            Operation::Mcp => Box::pin(self.mcp()).await,
            Operation::Alerts => self.alerts().await,
            Operation::RetryAlert(id) => self.retry_alert(id).await,
            Operation::Unshare(id) => self.unshare(id).await,
            Operation::Subject(kind) => self.subject(kind, path).await,
            Operation::EraseUser => self.erase_user(path).await,
            Operation::Endpoints => self.endpoints().await,
            Operation::Discovered => self.discovered().await,
            Operation::EndpointChanges => self.endpoint_changes().await,
            Operation::Endpoint => self.endpoint(Operation::id_in(path)).await,
            Operation::EndpointSessions => self.endpoint_sessions(Operation::id_in(path)).await,
            Operation::UnlearnEndpoint => self.unlearn(Operation::id_in(path)).await,
            Operation::Documents => self.documents().await,
            Operation::AddDocument => self.add_document().await,
            Operation::Document(id) => self.document(id).await,
            Operation::RemoveDocument(id) => self.remove_document(id).await,
        }
    }

    async fn sessions(&self) -> Answer {
        self.sessions_asked(parse_sessions(self.query, self.now_ms)?).await
    }

    pub(super) async fn sessions_asked(&self, asked: Asked<SessionQuery>) -> Answer {
        let Asked { mut query, question, as_of_ms, mut positions } = asked;
        let spread = self.spread().await;
        self.resolve_users(&mut query.filter);
        let cut = self.resolve_requests(&spread, &mut query.filter).await?;
        self.resolve_labels(&mut query.filter).await?;
        let found = self.page_of(&spread, query, &mut positions).await?;
        let mask = self.mask();
        let mut found = found.map(|session| mask.session(session));
        self.label_sessions(found.items.iter_mut().map(|(.., session)| session)).await;
        Ok(page(found, cut, question, as_of_ms, positions))
    }

    async fn events(&self) -> Answer {
        let Asked { mut query, question: hash, as_of_ms, positions } = parse_events(self.query, self.now_ms, None)?;
        self.resolve_users(&mut query.filter);
        let (found, missing) = self.events_page(&self.spread().await, query).await?;
        Ok(page(found, missing, hash, as_of_ms, positions))
    }

    /// A page of events, and whether a shard is missing.
    pub async fn events_page(&self, spread: &Spread, query: EventQuery) -> Result<(Page<EventAnswer>, bool), Refusal> {
        let Filter { session: Terms { any: sessions, .. }, request: Terms { any: requests, .. }, .. } = &query.filter;
        // A question about sessions or requests concerns the shards they fall to.
        let owners = spread.places(|layout| {
            let of_requests = requests.iter().map(move |id| Place::of_prefix(id.session_prefix(), layout));
            sessions.iter().map(move |id| Place::of(*id, layout)).chain(of_requests)
        });
        let requests = if sessions.is_empty() { requests.len() } else { 0 };
        let (order, limit) = (query.order, query.limit);
        let ask = |place| self.events_of(place, query.clone());
        let everyone = spread.all();
        let others = everyone.len() > owners.len();
        let mut asked = if owners.is_empty() {
            self.ask_each(spread, everyone, ask).await?
        } else {
            let asked = self.ask_each(spread, owners, ask).await?;
            // A request that started a session has its id from before; then any shard may hold it.
            let found: usize = asked.answers.iter().map(|(_, page): &(_, Page<EventAnswer>)| page.items.len()).sum();
            if found < requests && others { self.ask_each(spread, everyone, ask).await? } else { asked }
        };
        let missing = asked.missing;
        let pages = asked.answers.drain(..).map(|(_, page)| page).collect();
        let mask = self.mask();
        let mut found = merge(pages, order, limit).map(|event| mask.event(event));
        self.label_findings(found.items.iter_mut().flat_map(|(.., event)| &mut event.findings)).await;
        Ok((found, missing))
    }

    /// Hides the names of users from those who are not shown them.
    pub fn mask(&self) -> Mask<'_> {
        let ring = (!self.caller.sees_users).then(|| self.policy.keys.ring());
        let named = self.policy.parameters.list().filter(|(_, parameter)| parameter.role == Some(identity::Role::User));
        Mask { ring, parameters: named.map(|(_, parameter)| parameter.name.as_ref()).collect() }
    }

    async fn session(&self, id: SessionId) -> Answer {
        let session = self.find(&self.spread().await, id).await?.ok_or(UNKNOWN)?;
        let mut session = self.mask().session(session);
        self.label_sessions([&mut session]).await;
        Ok(json(200, &session))
    }

    async fn session_events(&self, id: SessionId) -> Answer {
        let Asked { mut query, question, as_of_ms, positions } = parse_events(self.query, self.now_ms, Some(id))?;
        self.resolve_users(&mut query.filter);
        let spread = self.spread().await;
        let (found, missing) = self.events_page(&spread, query).await?;
        if found.items.is_empty() && !self.is_known(&spread, id).await? {
            return Err(UNKNOWN);
        }
        Ok(page(found, missing, question, as_of_ms, positions))
    }

    async fn stats(&self) -> Answer {
        let mut query = parse_stats(self.query, self.now_ms)?;
        self.resolve_users(&mut query.filter);
        let spread = self.spread().await;
        let asked = self.ask_each(&spread, spread.all(), |place| self.stats_of(place, query.clone())).await?;
        let missing = asked.missing;
        let mut whole = StatsPart::default();
        asked.into_answers().for_each(|part| whole.add(&part));
        Ok(json(200, &StatsPage { stats: whole.answer(), partial: missing || whole.cut }))
    }

    async fn act(&self, id: SessionId) -> Answer {
        let order: ActionOrder = self.order().await?;
        if !self.is_known(&self.spread().await, id).await? {
            return Err(UNKNOWN);
        }
        let subject = Subject::Session(id);
        match order.resolve()? {
            (Action::Allow, _, reason) => self.lift(subject, reason).await.map(|_| ()),
            (action, for_ms, reason) => self.impose(subject, action, for_ms, reason).await.map(|_| ()),
        }?;
        self.session(id).await
    }

    async fn blocks(&self) -> Answer {
        let reply =
            object::order_fleet(self.env, &FleetOrder::List { now_ms: self.now_ms }, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Blocks(blocks) = reply else { return Err(Refusal::Unavailable) };
        let items = blocks.iter().map(|block| BlockAnswer::new(block, self.policy.mode)).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial: false }))
    }

    async fn block(&self) -> Answer {
        let order: BlockOrder = self.order().await?;
        let (subject, action, for_ms, reason) = order.resolve()?;
        let mut blocks = Vec::new();
        for subject in self.forms_of(subject) {
            blocks.push(self.impose(subject, action, for_ms, reason.clone()).await?);
        }
        let block = blocks.first().ok_or(Refusal::Unavailable)?;
        Ok(json(201, &BlockAnswer::new(block, self.policy.mode)))
    }

    async fn unblock(&self) -> Answer {
        let subject = crate::api::subject_of(self.query)?;
        let mut existed = false;
        for subject in self.forms_of(subject) {
            existed |= self.lift(subject, String::new()).await?;
        }
        if existed {
            Ok(respond(204, "application/json", b"", &[]))
        } else {
            Err(Refusal::NotFound("No block holds on this subject."))
        }
    }

    /// A user is named raw or as shown, and may be stored in several forms.
    fn forms_of(&self, subject: Subject) -> Vec<Subject> {
        let Subject::User(name) = subject else { return vec![subject] };
        let ring = self.policy.keys.ring();
        // As shown it is a pseudonym already.
        if name.starts_with("h:") {
            return vec![Subject::User(name)];
        }
        self.policy.users.stored_forms(ring, &name).into_iter().map(Subject::User).collect()
    }

    async fn impose(&self, subject: Subject, action: Action, for_ms: u64, reason: String) -> Result<Block, Refusal> {
        let (created_ms, by) = (self.now_ms, self.caller.name.clone());
        let block =
            Block { subject, action, created_ms, until_ms: created_ms.saturating_add(for_ms), reason, by: by.clone() };
        let order = FleetOrder::Impose { block: block.clone(), actor: by };
        match object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? {
            FleetReply::Full => return Err(Refusal::Full),
            FleetReply::Done { .. } => {}
            _ => return Err(Refusal::Unavailable),
        }
        self.tell(BlockChange::Set(block.clone())).await;
        Ok(block)
    }

    async fn lift(&self, subject: Subject, reason: String) -> Result<bool, Refusal> {
        let order =
            FleetOrder::Lift { subject: subject.clone(), actor: self.caller.name.clone(), reason, now_ms: self.now_ms };
        let reply = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
        self.tell(BlockChange::Lifted(subject)).await;
        Ok(matches!(reply, FleetReply::Done { existed: true }))
    }

    /// Tells this isolate at once, and the shards whose decisions and answers it concerns; the rest learn by version.
    async fn tell(&self, change: BlockChange) {
        isolate::with(|i| i.blocks.apply(change.clone()));
        let spread = self.spread().await;
        let shards = match change.subject() {
            Subject::Session(id) => spread.owners(&[*id]),
            Subject::Ip(_) | Subject::User(_) | Subject::Device(_) => spread.all(),
        };
        let told = shards
            .into_iter()
            .map(|place| object::tell_shard::<_, ()>(self.env, place, operation::BLOCK, &change, QUESTION_TIMEOUT_MS));
        for result in futures_util::future::join_all(told).await {
            if let Err(error) = result {
                worker::console_error!("a shard was not told of a block and learns it from the fleet: {}", error.text);
            }
        }
    }

    async fn audit(&self) -> Answer {
        let limit = crate::api::audit_limit(self.query)?;
        let reply = object::order_fleet(self.env, &FleetOrder::Audit { limit }, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Audit(entries) = reply else { return Err(Refusal::Unavailable) };
        let items: Vec<AuditAnswer> = entries.into_iter().map(AuditAnswer::from).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial: false }))
    }

    async fn metrics(&self) -> Answer {
        let spread = self.spread().await;
        let asked = self.ask::<crate::store::Health>(&spread, spread.all(), &Question::Health).await?;
        let (counts, backlog) = isolate::with(|i| (i.buffers.counts, i.buffers.backlog()));
        let text = metrics::text(&asked.answers, asked.missing, &counts, backlog) + &self.fleet_metrics().await;
        Ok(respond(200, "text/plain; version=0.0.4; charset=utf-8", text.as_bytes(), &[]))
    }

    fn no_parameters(&self) -> Result<(), Refusal> {
        match form_urlencoded::parse(self.query.as_bytes()).next() {
            None => Ok(()),
            Some((name, _)) => {
                Err(ParameterError { name: name.into_owned(), reason: "is not known here".into() }.into())
            }
        }
    }

    pub async fn order<T: serde::de::DeserializeOwned>(&self) -> Result<T, Refusal> {
        self.order_of(MAX_BODY).await
    }

    pub async fn order_of<T: serde::de::DeserializeOwned>(&self, max: usize) -> Result<T, Refusal> {
        let promise = self.request.array_buffer().map_err(|_| Refusal::Body("the body cannot be read".into()))?;
        let buffer = JsFuture::from(promise).await.map_err(|_| Refusal::Body("the body cannot be read".into()))?;
        let bytes = js_sys::Uint8Array::new(&buffer);
        if bytes.length() as usize > max {
            return Err(Refusal::TooLarge(max));
        }
        crate::api::order::read(&bytes.to_vec())
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let (status, title, detail) = refusal.describe();
    let mut problem = Problem::new(status, title, detail, reference());
    problem.parameter = refusal.parameter();
    match (refusal, refusal.allow()) {
        (Refusal::Unauthorized, _) => problem.response(&[("www-authenticate", "Bearer realm=\"throughline\"")]),
        (_, Some(allow)) => problem.response(&[("allow", allow)]),
        _ => problem.response(&[]),
    }
}

/// The id of a finding in the path of an operation on it.
fn finding_of(path: &str) -> &str {
    path.split('/').nth(4).unwrap_or("")
}

/// Cursor of the page after this one, if there is one.
pub fn next_of<T>(page: &Page<T>, hash: u32, as_of_ms: u64, positions: Positions) -> Option<String> {
    let last = page.cut.or_else(|| page.items.last().map(|(value, id, _)| (*value, *id)));
    last.filter(|_| page.more).map(|(value, id)| Cursor::new(hash, as_of_ms, value, id, positions).encode())
}

fn health(policy: &Policy, now_ms: u64, asked_by_somebody: bool) -> Response {
    let details = || HealthDetails {
        version: VERSION,
        mode: Some(policy.mode.name()),
        time: crate::query::rfc3339(now_ms),
        problems: Vec::new(),
    };
    json(200, &HealthAnswer::new(true, asked_by_somebody.then(details)))
}

pub fn page<T: serde::Serialize>(
    merged: Page<T>,
    missing: bool,
    hash: u32,
    as_of_ms: u64,
    positions: Positions,
) -> Response {
    let next = next_of(&merged, hash, as_of_ms, positions);
    let partial = missing || merged.partial;
    let items = merged.items.into_iter().map(|(_, _, item)| item).collect();
    json(200, &ListAnswer { items, next, partial })
}
