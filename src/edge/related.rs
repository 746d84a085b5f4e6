//! The part of the API that puts findings into their context: what stood around one, who shares what with its session,
//! what analysts said of it, and what enforcing would have done.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::admin::{Answer, Api};
use super::object;
use super::problem::json;
use super::spread::{QUESTION_TIMEOUT_MS, Spread};
use super::{clock, isolate};
use crate::api::dry_run::{DAY_MS, DryRunAnswer};
use crate::api::label::{LabelOrder, LabelledAnswer, LabelsAnswer, precision};
use crate::api::related::{FindingContext, MAX_AROUND, MAX_SHARED, Shared};
use crate::api::{ListAnswer, Refusal};
use crate::detect::WouldTouch;
use crate::query::{
    EventAnswer, EventQuery, Filter, FindingAnswer, FindingQuery, LabelAnswer, Order, Page, Question, SessionAnswer,
    Terms, merge,
};
use crate::session::{EventId, Judgement, Label, SessionId};
use crate::sorting;
use crate::subject::{Identity, Kind, Subject, SubjectAnswer, SubjectKey};
use crate::verdict;
use crate::wire::{FleetOrder, FleetReply, Place};

const UNKNOWN: Refusal = Refusal::NotFound("No finding has this id.");
/// How long an isolate goes by the labels it heard of, ms: what somebody else says is shown that much later.
const LABELS_FRESH_MS: u64 = 3_000;

impl Api<'_> {
    /// A finding with the requests around it and the sessions that share something with its own.
    pub(super) async fn finding(&self, request: EventId, id: &str) -> Answer {
        let spread = self.spread().await;
        let (event, mut finding) = self.found(&spread, request, id).await?;
        self.mask().finding(&mut finding, &event);
        self.label_findings([&mut finding]).await;
        let session = SessionId::parse(&event.session).ok_or(UNKNOWN)?;
        let around = |order: Order| {
            let (from_ms, to_ms) = match order {
                Order::Asc => (Some(request.time_ms()), None),
                Order::Desc => (None, Some(request.time_ms())),
            };
            let filter = Filter { session: only(session), from_ms, to_ms, ..Filter::default() };
            let query = EventQuery { after: Some(request.0), ..EventQuery::first(filter, order, MAX_AROUND) };
            self.events_as(&spread, session, query)
        };
        let (before, after) = (around(Order::Desc).await?, around(Order::Asc).await?);
        let neighbours = match self.find(&spread, session).await? {
            Some(session) => self.shared(&spread, &session, Some(&event)).await,
            None => (Vec::new(), true),
        };
        let partial = before.1 || after.1 || neighbours.1;
        let mut before = before.0;
        before.reverse();
        Ok(json(200, &FindingContext { finding, before, after: after.0, neighbours: neighbours.0, partial }))
    }

    async fn events_as(
        &self,
        spread: &Spread,
        session: SessionId,
        query: EventQuery,
    ) -> Result<(Vec<EventAnswer>, bool), Refusal> {
        let (order, limit) = (query.order, query.limit);
        let asked =
            self.ask_each(spread, spread.owners(&[session]), |place| self.events_of(place, query.clone())).await?;
        let missing = asked.missing;
        let page: Page<EventAnswer> = merge(asked.into_answers().collect(), order, limit);
        let mask = self.mask();
        Ok((page.items.into_iter().map(|(.., event)| mask.event(event)).collect(), missing))
    }

    /// The event that completed a finding, and the finding.
    async fn found(
        &self,
        spread: &Spread,
        request: EventId,
        id: &str,
    ) -> Result<(EventAnswer, FindingAnswer), Refusal> {
        let filter = Filter { request: Terms { any: vec![request], none: Vec::new() }, ..Filter::default() };
        let question = Question::Events(EventQuery::first(filter, Order::Asc, 1));
        let asked = self.ask::<Page<EventAnswer>>(spread, spread.all(), &question).await?;
        let event = asked.into_answers().flat_map(|page| page.items).map(|(.., event)| event).next().ok_or(UNKNOWN)?;
        if let Some(finding) = event.findings.iter().find(|finding| finding.id == id) {
            return Ok((event.clone(), finding.clone()));
        }
        // What was found later stands with the session and in the feed alone.
        let session = SessionId::parse(&event.session).ok_or(UNKNOWN)?;
        let query = FindingQuery {
            session: only(session),
            from_ms: Some(request.time_ms()),
            limit: crate::query::MAX_LIMIT,
            ..FindingQuery::default()
        };
        let reply = object::order_fleet(self.env, &FleetOrder::Findings(query), QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Findings(page) = reply else { return Err(Refusal::Unavailable) };
        let found = page.items.into_iter().map(|(.., (finding, _))| FindingAnswer::new(&finding));
        let finding = found.into_iter().find(|finding| finding.id == id).ok_or(UNKNOWN)?;
        Ok((event, finding))
    }

    pub(super) async fn neighbours(&self, id: SessionId) -> Answer {
        let spread = self.spread().await;
        let session = self.find(&spread, id).await?.ok_or(Refusal::NotFound("No session has this id."))?;
        let filter = Filter { session: only(id), ..Filter::default() };
        let (events, _) = self.events_as(&spread, id, EventQuery::first(filter, Order::Desc, 1)).await?;
        let (items, partial) = self.shared(&spread, &session, events.first()).await;
        Ok(json(200, &ListAnswer { items, next: None, partial }))
    }

    /// Other sessions of the addresses, users and the device of a session; and whether some may be missing.
    async fn shared(
        &self,
        spread: &Spread,
        session: &SessionAnswer,
        event: Option<&EventAnswer>,
    ) -> (Vec<Shared>, bool) {
        let device = event.and_then(|event| {
            let ip = event.ip.as_deref()?.parse().ok();
            verdict::Subject::device(event.ja4.as_deref()?, event.user_agent.as_deref().unwrap_or(""), ip)
        });
        let ips = session.ips.iter().take(MAX_SHARED).map(|address| (Kind::Ip, address.ip.clone()));
        let users = session.users.iter().take(MAX_SHARED).map(|user| (Kind::User, user.clone()));
        let device = device.map(|device| (Kind::Device, device.value()));
        let mut subjects: Vec<(Kind, String)> = Vec::new();
        for (kind, value) in users.chain(ips).chain(device) {
            let Some(name) = Identity::parse(kind, &value).map(|identity| identity.to_string()) else { continue };
            if !subjects.contains(&(kind, name.clone())) {
                subjects.push((kind, name));
            }
        }
        let asked = subjects.into_iter().map(|(kind, name)| async move {
            let known = self.known_subject(spread, kind, vec![name.clone()]).await;
            (kind, name, known)
        });
        let (mut items, mut partial) = (Vec::new(), false);
        for (kind, name, known) in futures_util::future::join_all(asked).await {
            let Ok((known, cut)) = known else {
                partial = true;
                continue;
            };
            partial |= cut;
            let hash = self.policy.keys.ring().subjects().0;
            let Some(answer) = known.map(|known| SubjectAnswer::new(&known, self.now_ms, &hash)) else { continue };
            let mut name = name;
            if kind == Kind::User {
                self.mask().name(&mut name);
            }
            items.push(Shared::new(kind, name, answer.sessions, &session.id));
        }
        (items, partial)
    }

    /// What all shards that own a subject know of it.
    pub(super) async fn known_subject(
        &self,
        spread: &Spread,
        kind: Kind,
        names: Vec<String>,
    ) -> Result<(Option<Subject>, bool), Refusal> {
        let (hash, former) = self.policy.keys.ring().subjects();
        let identities = names.iter().filter_map(|name| Identity::parse(kind, name));
        let keys: Vec<SubjectKey> =
            identities.flat_map(|one| core::iter::once(hash).chain(former).map(move |hash| one.key(&hash))).collect();
        let owners = spread.places(|layout| keys.iter().map(move |key| Place { layout, index: key.shard(layout) }));
        let asked = self.ask::<(Option<Subject>, bool)>(spread, owners, &Question::Subject(kind, names)).await?;
        let mut partial = asked.missing;
        let known = asked.into_answers().filter_map(|(state, cut)| {
            partial |= cut;
            state
        });
        let whole = known.reduce(|mut whole, state| {
            whole.merge(&state, &hash);
            whole
        });
        Ok((whole, partial))
    }

    pub(super) async fn label_finding(&self, request: EventId, id: &str) -> Answer {
        let (judgement, note) = self.order::<LabelOrder>().await?.resolve()?;
        let (event, finding) = self.found(&self.spread().await, request, id).await?;
        let (_, template) = event.endpoint.split_at(event.endpoint.find('/').unwrap_or(event.endpoint.len()));
        let label = Label {
            id: finding.id,
            session: SessionId::parse(&event.session).ok_or(UNKNOWN)?,
            detector: crate::session::Detector::from_name(&finding.detector),
            judgement,
            note,
            by: self.caller.name.clone(),
            time_ms: self.now_ms,
            endpoint: format!("{} {template}", event.method),
            place: finding.r#where.unwrap_or_default(),
        };
        self.put_label(label).await
    }

    pub(super) async fn label_session(&self, id: SessionId) -> Answer {
        let (judgement, note) = self.order::<LabelOrder>().await?.resolve()?;
        if !self.is_known(&self.spread().await, id).await? {
            return Err(Refusal::NotFound("No session has this id."));
        }
        let label = Label {
            id: id.to_string(),
            session: id,
            detector: None,
            judgement,
            note,
            by: self.caller.name.clone(),
            time_ms: self.now_ms,
            endpoint: String::new(),
            place: String::new(),
        };
        self.put_label(label).await
    }

    async fn put_label(&self, label: Label) -> Answer {
        let order = FleetOrder::Label(label.clone());
        match object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? {
            FleetReply::Done { .. } => {
                // Who put it sees it at once.
                isolate::with(|isolate| isolate.labels.0 = 0);
                Ok(json(200, &LabelledAnswer::new(&label)))
            }
            _ => Err(Refusal::Unavailable),
        }
    }

    pub(super) async fn labels(&self) -> Answer {
        let limit = crate::api::audit_limit(self.query)?;
        let labels = self.all_labels().await?;
        let mut labels: Vec<Label> = labels.values().cloned().collect();
        sorting::sort_by_key(&mut labels, |label| (core::cmp::Reverse(label.time_ms), label.id.clone()));
        Ok(json(200, &LabelsAnswer::new(&labels, limit as usize, self.now_ms)))
    }

    /// All labels, as this isolate heard of them a moment ago: lists need them all the time, and they seldom change.
    async fn all_labels(&self) -> Result<Rc<BTreeMap<String, Label>>, Refusal> {
        let now_ms = clock::real_now_ms();
        let (heard_ms, known, labels) = isolate::with(|isolate| isolate.labels.clone());
        if now_ms.saturating_sub(heard_ms) < LABELS_FRESH_MS {
            return Ok(labels);
        }
        let order = FleetOrder::Labels { known };
        let reply = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Labels { version, labels: news } = reply else { return Err(Refusal::Unavailable) };
        let by_id = |news: Vec<Label>| Rc::new(news.into_iter().map(|label| (label.id.clone(), label)).collect());
        let labels = news.map_or(labels, by_id);
        isolate::with(|isolate| isolate.labels = (now_ms, version, labels.clone()));
        Ok(labels)
    }

    /// Puts labels with the findings that have one. Without any nobody is asked.
    pub(super) async fn label_findings(&self, findings: impl IntoIterator<Item = &mut FindingAnswer>) {
        let mut findings: Vec<&mut FindingAnswer> = findings.into_iter().collect();
        if !findings.is_empty() {
            let labels = self.labels_for_show().await;
            findings.iter_mut().for_each(|finding| finding.label = labels.get(&finding.id).map(LabelAnswer::new));
        }
    }

    /// Puts labels with the sessions that have one.
    pub(super) async fn label_sessions(&self, sessions: impl IntoIterator<Item = &mut SessionAnswer>) {
        let mut sessions: Vec<&mut SessionAnswer> = sessions.into_iter().collect();
        if !sessions.is_empty() {
            let labels = self.labels_for_show().await;
            sessions.iter_mut().for_each(|session| session.label = labels.get(&session.id).map(LabelAnswer::new));
        }
    }

    /// While the fleet does not answer, an answer shows the labels last heard of; the log says so.
    async fn labels_for_show(&self) -> Rc<BTreeMap<String, Label>> {
        self.all_labels().await.unwrap_or_else(|_| isolate::with(|isolate| isolate.labels.2.clone()))
    }

    /// Sessions that are asked for by their label are those the fleet knows it of.
    pub(super) async fn resolve_labels(&self, filter: &mut Filter) -> Result<(), Refusal> {
        let wanted = core::mem::take(&mut filter.label);
        if wanted.any.is_empty() && wanted.none.is_empty() {
            return Ok(());
        }
        let labels = self.all_labels().await?;
        let of = |terms: &[Judgement]| {
            let fits = |label: &&Label| label.detector.is_none() && terms.contains(&label.judgement);
            labels.values().filter(fits).map(|label| label.session).collect::<Vec<_>>()
        };
        filter.session.none.extend(of(&wanted.none));
        if !wanted.any.is_empty() {
            let mut found = of(&wanted.any);
            if !filter.session.any.is_empty() {
                found.retain(|id| filter.session.any.contains(id));
            }
            // Without a session to look for, none fits: the id of none is no session's.
            filter.session.any = if found.is_empty() { vec![SessionId([0; 16])] } else { found };
        }
        Ok(())
    }

    pub(super) async fn dry_run(&self) -> Answer {
        let spread = self.spread().await;
        let question = Question::DryRun(self.now_ms.saturating_sub(DAY_MS));
        let asked = self.ask::<Vec<WouldTouch>>(&spread, spread.all(), &question).await?;
        let missing = asked.missing;
        let labels = precision(self.all_labels().await?.values());
        let told = asked.into_answers().flatten();
        Ok(json(200, &DryRunAnswer::new(told, &labels, self.policy.mode, self.now_ms, missing)))
    }
}

fn only(session: SessionId) -> Terms<SessionId> {
    Terms { any: vec![session], none: Vec::new() }
}
