//! The part of the public API that is about who is calling: lookup, samples, stories, subjects, filters by user and
//! request.

use super::admin::{Answer, Api};
use super::isolate;
use super::problem::json;
use super::spread::Spread;
use crate::api::identify::{IdentifyOrder, MAX_SAMPLE_BYTES, identify};
use crate::api::order::LookupOrder;
use crate::api::story::Story;
use crate::api::subject::{SubjectPage, names_of, value_of};
use crate::api::{ListAnswer, LookupAnswer, Refusal};
use crate::identity::UserPlan;
use crate::identity::jwt::TokensAt;
use crate::query::{EventAnswer, EventQuery, Filter, Order, Page, Question, Terms};
use crate::session::SessionId;
use crate::subject::{Kind, SubjectAnswer};

impl Api<'_> {
    pub async fn lookup(&self) -> Answer {
        let order: LookupOrder = self.order().await?;
        let value = order.value()?;
        let candidates = isolate::with(|isolate| {
            let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms: self.now_ms };
            self.policy.keys.candidates(&value, &mut tokens)
        });
        let ids: Vec<SessionId> = candidates.iter().map(|c| c.session).collect();
        let spread = self.spread().await;
        let asked = self.ask::<Vec<SessionId>>(&spread, spread.owners(&ids), &Question::Known(ids)).await?;
        let partial = asked.missing;
        let known: Vec<SessionId> = asked.into_answers().flatten().collect();
        let answer = |c: crate::identity::Candidate| LookupAnswer { session: c.session.to_string(), source: c.source };
        let items = candidates.into_iter().filter(|c| known.contains(&c.session)).map(answer).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial }))
    }

    /// What the shards that own a subject know of it. Each of its names may lie in another shard.
    pub async fn subject(&self, kind: Kind, path: &str) -> Answer {
        let ring = self.policy.keys.ring();
        let names = names_of(kind, &value_of(kind, path)?, ring)?;
        let hash = ring.subjects().0;
        let (whole, partial) = self.known_subject(&self.spread().await, kind, names).await?;
        match whole {
            Some(state) => {
                let mut subject = SubjectAnswer::new(&state, self.now_ms, &hash);
                let mask = self.mask();
                subject.users.items.iter_mut().for_each(|user| mask.name(&mut user.value));
                Ok(json(200, &SubjectPage { subject, partial }))
            }
            None if partial => Err(Refusal::Unavailable),
            None => Err(Refusal::NotFound("Nothing is known of this subject.")),
        }
    }

    /// Users, and hashed parameters, are asked for by their raw values and stored in several forms.
    pub fn resolve_users(&self, filter: &mut Filter) {
        let ring = self.policy.keys.ring();
        filter.resolve_users(|raw| UserPlan::forms(ring, raw));
        let forms = |kind: &str, raw: &str| ring.pseudonyms(kind, raw);
        filter.resolve_params(|name, raw| self.policy.parameters.hashed_forms(name, raw, &forms));
    }

    /// Sessions that are asked for by requests are those the requests belong to: only the events know.
    /// Answers whether some may be missing.
    pub async fn resolve_requests(&self, spread: &Spread, filter: &mut Filter) -> Result<bool, Refusal> {
        let any = core::mem::take(&mut filter.request.any);
        if any.is_empty() {
            return Ok(false);
        }
        let limit = u32::try_from(any.len()).unwrap_or(1);
        let terms = Terms { any, none: Vec::new() };
        let filter_of_events = Filter { request: terms, ..Filter::default() };
        let query = EventQuery::first(filter_of_events, Order::Asc, limit);
        let asked = self.ask::<Page<EventAnswer>>(spread, spread.all(), &Question::Events(query)).await?;
        let missing = asked.missing;
        let events = asked.into_answers().flat_map(|page| page.items);
        let mut found: Vec<SessionId> = events.filter_map(|(.., event)| SessionId::parse(&event.session)).collect();
        if !filter.session.any.is_empty() {
            found.retain(|id| filter.session.any.contains(id));
        }
        // Without a session to look for, none fits: the id of none is no session's.
        filter.session.any = if found.is_empty() { vec![SessionId([0; 16])] } else { found };
        Ok(missing)
    }

    pub async fn identify(&self) -> Answer {
        let order: IdentifyOrder = self.order_of(MAX_SAMPLE_BYTES).await?;
        let identified = isolate::with(|isolate| identify(order, self.policy, &mut isolate.tokens, self.now_ms));
        let (items, partial) = identified?;
        Ok(json(200, &ListAnswer { items, next: None, partial }))
    }

    /// Follows the links of a session in both directions.
    pub async fn story(&self, id: SessionId) -> Answer {
        let spread = &self.spread().await;
        let mut story = Story::from(id);
        loop {
            let wave = story.next_wave();
            if wave.is_empty() {
                break;
            }
            let asked = wave.into_iter().map(|id| self.find(spread, id));
            for answer in futures_util::future::join_all(asked).await {
                match answer {
                    Ok(Some(session)) => story.take(self.mask().session(session)),
                    Ok(None) => {}
                    Err(_) => story.is_missing(),
                }
            }
        }
        story.tell().map(|told| json(200, &told)).ok_or(Refusal::NotFound("No session has this id."))
    }
}
