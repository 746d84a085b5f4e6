//! `POST replay`: the sessions of a page with their requests, played under the policy in force and under another one.

use super::admin::{Answer, Api, next_of};
use super::isolate;
use super::object;
use super::problem::json;
use super::spread::{QUESTION_TIMEOUT_MS, Spread};
use crate::api::Refusal;
use crate::api::replay::{MAX_EVENTS, MAX_REPLAY_BYTES, ReplayAnswer, ReplayOrder, Source};
use crate::policy::Policy;
use crate::query::{Asked, EventQuery, Filter, MAX_LIMIT, Order, Page, Terms, merge, parse_sessions};
use crate::query::{EventAnswer, SessionAnswer};
use crate::replay::Exchanged;
use crate::session::SessionId;
use crate::wire::{AuditEntry, FleetOrder, FleetReply};

impl Api<'_> {
    /// Tries another policy. Nothing is changed by it; who tried is noted.
    pub async fn replay(&self) -> Answer {
        let order: ReplayOrder = self.order_of(MAX_REPLAY_BYTES).await?;
        let (then, source) = order.resolve(&|name| isolate::binding(self.env, name), self.now_ms)?;
        let what = if matches!(source, Source::Har(_)) { "a HAR" } else { "stored sessions" };
        let entry = AuditEntry {
            time_ms: self.now_ms,
            actor: self.caller.name.clone(),
            act: "replay".to_owned(),
            subject: String::new(),
            detail: what.to_owned(),
        };
        let reply = object::order_fleet(self.env, &FleetOrder::Note(entry), QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Done { .. } = reply else { return Err(Refusal::Unavailable) };
        let answer = match source {
            Source::Har(log) => isolate::with(|isolate| {
                ReplayAnswer::of_har(self.policy, &then, log, &mut isolate.tokens, self.now_ms)
            })?,
            Source::Stored(question) => self.replay_stored(&then, &question).await?,
        };
        Ok(json(200, &answer))
    }

    async fn replay_stored(&self, then: &Policy, question: &str) -> Result<ReplayAnswer, Refusal> {
        let Asked { query, question, as_of_ms, mut positions } = parse_sessions(question, self.now_ms)?;
        let spread = self.spread().await;
        let page = self.page_of(&spread, query, &mut positions).await?;
        let next = next_of(&page, question, as_of_ms, positions);
        let mut partial = page.partial;
        let sessions: Vec<SessionAnswer> = page.items.into_iter().map(|(_, _, session)| session).collect();
        let first_ms = sessions.iter().filter_map(|s| crate::query::parse_time(&s.first_seen, self.now_ms)).min();
        let mut exchanges = Vec::new();
        for session in &sessions {
            let Some(id) = SessionId::parse(&session.id) else { continue };
            let (events, is_whole) = self.all_events(&spread, id, MAX_EVENTS - exchanges.len()).await?;
            partial |= !is_whole;
            let (source, verified) = (session.key.source.as_str(), session.key.verified);
            let issued = session.proof == "issued";
            exchanges.extend(events.into_iter().filter_map(|e| Exchanged::recorded(e, source, verified, issued)));
        }
        exchanges.sort_by_key(|exchange| exchange.id);
        let installed_ms = isolate::with(|i| i.installed_ms).or(first_ms).unwrap_or(self.now_ms);
        let answer = ReplayAnswer::of_stored(self.policy, then, &exchanges, installed_ms)?;
        Ok(ReplayAnswer { sessions: sessions.len(), next, partial, ..answer })
    }

    /// The events of a session, at most `most` of them, and whether these are all.
    async fn all_events(
        &self,
        spread: &Spread,
        id: SessionId,
        most: usize,
    ) -> Result<(Vec<EventAnswer>, bool), Refusal> {
        let filter = Filter { session: Terms { any: vec![id], none: Vec::new() }, ..Filter::default() };
        let mut query = EventQuery::first(filter, Order::Asc, MAX_LIMIT);
        let mut events = Vec::new();
        loop {
            let asked =
                self.ask_each(spread, spread.owners(&[id]), |place| self.events_of(place, query.clone())).await?;
            let missing = asked.missing;
            let page: Page<EventAnswer> = merge(asked.into_answers().collect(), Order::Asc, MAX_LIMIT);
            query.after = page.items.last().map(|(_, id, _)| *id);
            let more = page.more && page.cut.is_none();
            let is_partial = missing || page.partial || page.cut.is_some();
            events.extend(page.items.into_iter().map(|(_, _, event)| event));
            if events.len() > most {
                events.truncate(most);
                return Ok((events, false));
            }
            if !more || is_partial {
                return Ok((events, !is_partial));
            }
        }
    }
}
