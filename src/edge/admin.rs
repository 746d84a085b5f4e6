//! The public API under `/_throughline`: who may ask, what is asked, and which objects answer.

use wasm_bindgen_futures::JsFuture;
use worker::Env;
use worker::worker_sys::web_sys::{Request, Response};

use super::gateway::reference;
use super::isolate;
use super::object::{self, CallError};
use super::problem::{Problem, json, respond};
use super::request::Described;
use super::spread::{ANSWER_TIMEOUT_MS, QUESTION_TIMEOUT_MS};
use super::{clock, metrics};
use crate::api::access::{Role, role_of};
use crate::api::order::{ActionOrder, BlockOrder};
use crate::api::{
    AuditAnswer, BlockAnswer, HealthAnswer, HealthDetails, ListAnswer, Operation, Refusal, StatsPage, policy_answer,
    resolve,
};
use crate::policy::Policy;
use crate::query::{
    Asked, Cursor, EventAnswer, Filter, Page, ParameterError, Positions, Question, StatsPart, Terms, merge,
    parse_events, parse_sessions, parse_stats,
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
pub async fn answer(request: &Request, described: &Described<'_>, path: &str, policy: &Policy, env: &Env) -> Response {
    let (now_ms, until_ms) = (clock::now_ms(policy.development.clock), clock::real_now_ms() + ANSWER_TIMEOUT_MS);
    let api = Api { request, policy, env, query: described.query, now_ms, until_ms };
    match api.route(described.method, path).await {
        Ok(response) => response,
        Err(refusal) => api.refuse(&refusal),
    }
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
    match (path, role(request, env)) {
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

fn role(request: &Request, env: &Env) -> Option<Role> {
    let authorization = request.headers().get("authorization").ok().flatten()?;
    let token = |name| isolate::binding(env, name);
    role_of(&authorization, token("ADMIN_TOKEN").as_deref(), token("VIEWER_TOKEN").as_deref())
}

pub struct Api<'a> {
    request: &'a Request,
    pub policy: &'a Policy,
    pub env: &'a Env,
    pub query: &'a str,
    pub now_ms: u64,
    /// When shards are asked no more for this answer, platform time.
    pub until_ms: u64,
}

pub type Answer = Result<Response, Refusal>;

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        worker::console_error!("an object did not answer the API: {}", error.text);
        Self::Unavailable
    }
}

impl Api<'_> {
    async fn route(&self, method: &str, path: &str) -> Answer {
        let role = role(self.request, self.env);
        let operation = resolve(method, path)?;
        if operation == Operation::Health {
            return Ok(self.health(role.is_some()));
        }
        let role = role.ok_or(Refusal::Unauthorized)?;
        if operation.changes_something() && role != Role::Admin {
            return Err(Refusal::Forbidden);
        }
        if !operation.takes_parameters() {
            self.no_parameters()?;
        }
        match operation {
            Operation::Health => Ok(self.health(true)),
            Operation::OpenApi => Ok(respond(200, "application/json", OPENAPI.as_bytes(), &[])),
            Operation::Metrics => self.metrics().await,
            Operation::Policy => Ok(json(200, &policy_answer(self.policy))),
            Operation::Sessions => self.sessions().await,
            Operation::Session(id) => self.session(id).await,
            Operation::SessionEvents(id) => self.session_events(id).await,
            Operation::Events => self.events().await,
            Operation::Stats => self.stats().await,
            Operation::Findings => self.findings().await,
            Operation::Finding(request) => self.finding(request, finding_of(path)).await,
            Operation::FindingLabel(request) => self.label_finding(request, finding_of(path), role).await,
            Operation::SessionLabel(id) => self.label_session(id, role).await,
            Operation::SessionNeighbours(id) => self.neighbours(id).await,
            Operation::Labels => self.labels().await,
            Operation::DryRun => self.dry_run().await,
            Operation::Rollups => self.rollups().await,
            Operation::Lookup => self.lookup().await,
            Operation::SessionAction(id) => self.act(id, role).await,
            Operation::SessionStory(id) => self.story(id).await,
            Operation::Identify => self.identify().await,
            Operation::Blocks => self.blocks().await,
            Operation::Block => self.block(role).await,
            Operation::Unblock => self.unblock(role).await,
            Operation::Audit => self.audit().await,
            Operation::Subject(kind) => self.subject(kind, path).await,
            Operation::EraseUser => self.erase_user(path, role).await,
        }
    }

    fn health(&self, asked_by_somebody: bool) -> Response {
        let details = || HealthDetails {
            version: VERSION,
            mode: Some(self.policy.mode.name()),
            time: crate::query::rfc3339(self.now_ms),
            problems: Vec::new(),
        };
        json(200, &HealthAnswer::new(true, asked_by_somebody.then(details)))
    }

    async fn sessions(&self) -> Answer {
        let Asked { mut query, question, as_of_ms, mut positions } = parse_sessions(self.query, self.now_ms)?;
        let spread = self.spread().await;
        self.resolve_users(&mut query.filter);
        let cut = self.resolve_requests(&spread, &mut query.filter).await?;
        self.resolve_labels(&mut query.filter).await?;
        let mut found = self.page_of(&spread, query, &mut positions).await?;
        self.label_sessions(found.items.iter_mut().map(|(.., session)| session)).await?;
        Ok(page(found, cut, question, as_of_ms, positions))
    }

    async fn events(&self) -> Answer {
        let Asked { mut query, question: hash, as_of_ms, positions } = parse_events(self.query, self.now_ms, None)?;
        self.resolve_users(&mut query.filter);
        let Filter { session: Terms { any: sessions, .. }, request: Terms { any: requests, .. }, .. } = &query.filter;
        // A question about sessions or requests concerns the shards they fall to.
        let spread = self.spread().await;
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
            self.ask_each(&spread, everyone, ask).await?
        } else {
            let asked = self.ask_each(&spread, owners, ask).await?;
            // A request that started a session has its id from before; then any shard may hold it.
            let found: usize = asked.answers.iter().map(|(_, page): &(_, Page<EventAnswer>)| page.items.len()).sum();
            if found < requests && others { self.ask_each(&spread, everyone, ask).await? } else { asked }
        };
        let missing = asked.missing;
        let pages = asked.answers.drain(..).map(|(_, page)| page).collect();
        let mut found: Page<EventAnswer> = merge(pages, order, limit);
        self.label_findings(found.items.iter_mut().flat_map(|(.., event)| &mut event.findings)).await?;
        Ok(page(found, missing, hash, as_of_ms, positions))
    }

    async fn session(&self, id: SessionId) -> Answer {
        let mut session = self.find(&self.spread().await, id).await?.ok_or(UNKNOWN)?;
        self.label_sessions([&mut session]).await?;
        Ok(json(200, &session))
    }

    async fn session_events(&self, id: SessionId) -> Answer {
        let Asked { mut query, question, as_of_ms, positions } = parse_events(self.query, self.now_ms, Some(id))?;
        self.resolve_users(&mut query.filter);
        let (order, limit) = (query.order, query.limit);
        let spread = self.spread().await;
        let ask = |place| self.events_of(place, query.clone());
        let asked = self.ask_each(&spread, spread.owners(&[id]), ask).await?;
        let missing = asked.missing;
        let mut found: Page<EventAnswer> = merge(asked.into_answers().collect(), order, limit);
        self.label_findings(found.items.iter_mut().flat_map(|(.., event)| &mut event.findings)).await?;
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

    async fn act(&self, id: SessionId, role: Role) -> Answer {
        let order: ActionOrder = self.order().await?;
        if !self.is_known(&self.spread().await, id).await? {
            return Err(UNKNOWN);
        }
        let subject = Subject::Session(id);
        match order.resolve()? {
            (Action::Allow, _, reason) => self.lift(subject, reason, role).await.map(|_| ()),
            (action, for_ms, reason) => self.impose(subject, action, for_ms, reason, role).await.map(|_| ()),
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

    async fn block(&self, role: Role) -> Answer {
        let order: BlockOrder = self.order().await?;
        let (subject, action, for_ms, reason) = order.resolve()?;
        let mut blocks = Vec::new();
        for subject in self.forms_of(subject) {
            blocks.push(self.impose(subject, action, for_ms, reason.clone(), role).await?);
        }
        let block = blocks.first().ok_or(Refusal::Unavailable)?;
        Ok(json(201, &BlockAnswer::new(block, self.policy.mode)))
    }

    async fn unblock(&self, role: Role) -> Answer {
        let subject = crate::api::subject_of(self.query)?;
        let mut existed = false;
        for subject in self.forms_of(subject) {
            existed |= self.lift(subject, String::new(), role).await?;
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

    async fn impose(
        &self,
        subject: Subject,
        action: Action,
        for_ms: u64,
        reason: String,
        role: Role,
    ) -> Result<Block, Refusal> {
        let (created_ms, by) = (self.now_ms, role.name().to_owned());
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

    async fn lift(&self, subject: Subject, reason: String, role: Role) -> Result<bool, Refusal> {
        let order =
            FleetOrder::Lift { subject: subject.clone(), actor: role.name().to_owned(), reason, now_ms: self.now_ms };
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
        let local = isolate::with(|i| i.buffers.counts);
        let text = metrics::text(&asked.answers, asked.missing, &local) + &self.fleet_metrics().await;
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

    fn refuse(&self, refusal: &Refusal) -> Response {
        let reference = reference();
        let (status, title, detail) = refusal.describe();
        let mut problem = Problem::new(status, title, detail, reference);
        problem.parameter = refusal.parameter();
        let allow = refusal.allow();
        match (refusal, allow) {
            (Refusal::Unauthorized, _) => problem.response(&[("www-authenticate", "Bearer realm=\"throughline\"")]),
            (_, Some(allow)) => problem.response(&[("allow", allow)]),
            _ => problem.response(&[]),
        }
    }
}

/// The id of a finding in the path of an operation on it.
fn finding_of(path: &str) -> &str {
    path.split('/').nth(4).unwrap_or("")
}

pub fn page<T: serde::Serialize>(
    merged: Page<T>,
    missing: bool,
    hash: u32,
    as_of_ms: u64,
    positions: Positions,
) -> Response {
    let last = merged.cut.or_else(|| merged.items.last().map(|(value, id, _)| (*value, *id)));
    let next =
        last.filter(|_| merged.more).map(|(value, id)| Cursor::new(hash, as_of_ms, value, id, positions).encode());
    let partial = missing || merged.partial;
    let items = merged.items.into_iter().map(|(_, _, item)| item).collect();
    json(200, &ListAnswer { items, next, partial })
}
