//! Asking shards for the API: which there are in every layout that may hold something, what they answer, who is missing.
//!
//! Traffic knows one layout, the configured one. What was recorded under another number of shards is found by asking
//! those shards too; while there is only one layout, none of this costs a call.

use std::collections::BTreeSet;

use super::admin::Api;
use super::object::{self, CallError};
use super::{clock, isolate};
use crate::api::Refusal;
use crate::ordered::OrderedMap;
use crate::query::{Page, Parts, Positions, Question, SessionAnswer, SessionQuery, list_once, merge};
use crate::session::SessionId;
use crate::wire::{FleetOrder, FleetReply, Place};

/// How long a shard or the fleet may take to an analyst's question, ms; who is late is missing and the answer partial.
pub const QUESTION_TIMEOUT_MS: u32 = 5_000;
/// … and all questions together that one answer takes, ms.
pub const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// How long the fleet may take to name the layouts, ms.
const LAYOUTS_TIMEOUT_MS: u32 = 1_000;
/// For how long an isolate goes by what it was told of the layouts, ms.
const LAYOUTS_FRESH_MS: u64 = 5_000;

/// The layouts to ask.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    /// The configured one first.
    layouts: Vec<u32>,
    /// Whether there may be others.
    partial: bool,
}

impl Spread {
    /// Every shard.
    pub fn all(&self) -> Vec<Place> {
        self.layouts.iter().flat_map(|layout| Place::all(*layout)).collect()
    }

    /// The shards that may know these sessions.
    pub fn owners(&self, ids: &[SessionId]) -> Vec<Place> {
        self.places(|layout| ids.iter().map(move |id| Place::of(*id, layout)))
    }

    /// In each layout the shards that `of` names, each once.
    pub fn places<I: Iterator<Item = Place>>(&self, of: impl Fn(u32) -> I) -> Vec<Place> {
        let places: BTreeSet<Place> = self.layouts.iter().flat_map(|layout| of(*layout)).collect();
        places.into_iter().collect()
    }
}

/// What the shards answered, and whether one of them is missing.
pub struct Gathered<T> {
    pub answers: Vec<(Place, T)>,
    pub missing: bool,
}

impl<T> Gathered<T> {
    /// The answers alone.
    pub fn into_answers(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().map(|(_, answer)| answer)
    }
}

impl Api<'_> {
    /// The layouts that may hold something, as the fleet knows them; where it does not answer, those known so far.
    pub async fn spread(&self) -> Spread {
        let now_ms = clock::real_now_ms();
        let (heard_ms, mut spread) = isolate::with(|i| i.spread.clone());
        if heard_ms != 0 && now_ms.saturating_sub(heard_ms) < LAYOUTS_FRESH_MS {
            return spread;
        }
        let order = FleetOrder::Layouts { now_ms: self.now_ms };
        match object::order_fleet(self.env, &order, LAYOUTS_TIMEOUT_MS).await {
            Ok(FleetReply::Layouts(told)) => {
                let current = self.policy.shards;
                let others = told.layouts.into_iter().map(|layout| layout.shards).filter(|shards| *shards != current);
                spread = Spread { layouts: core::iter::once(current).chain(others).collect(), partial: told.forgotten };
                isolate::with(|i| i.spread = (clock::real_now_ms(), spread.clone()));
                return spread;
            }
            Ok(_) => worker::console_error!("the fleet did not name the layouts"),
            Err(error) => worker::console_error!("the fleet did not name the layouts: {}", error.text),
        }
        if spread.layouts.is_empty() {
            spread.layouts.push(self.policy.shards);
        }
        Spread { partial: true, ..spread }
    }

    /// Puts one question to some shards of a spread.
    ///
    /// # Errors
    ///
    /// When none of them answers: with nobody there an empty list would be a lie.
    pub async fn ask<T>(&self, spread: &Spread, places: Vec<Place>, question: &Question) -> Result<Gathered<T>, Refusal>
    where
        T: serde::de::DeserializeOwned,
    {
        self.ask_each(spread, places, |place| self.ask_one(place, question)).await
    }

    /// Asks some shards of a spread, each in its own way; errs as [`Api::ask`] does.
    pub async fn ask_each<T, A>(
        &self,
        spread: &Spread,
        places: Vec<Place>,
        ask: impl Fn(Place) -> A,
    ) -> Result<Gathered<T>, Refusal>
    where
        A: Future<Output = Result<T, CallError>>,
    {
        let nobody = places.is_empty();
        let asked = places.into_iter().map(|place| {
            let answer = ask(place);
            async move { (place, answer.await) }
        });
        let mut gathered = Gathered { answers: Vec::new(), missing: spread.partial };
        for (place, answer) in futures_util::future::join_all(asked).await {
            gathered.take(place, answer);
        }
        if gathered.answers.is_empty() && !nobody { Err(Refusal::Unavailable) } else { Ok(gathered) }
    }

    pub(super) async fn ask_one<T>(&self, place: Place, question: &Question) -> Result<T, CallError>
    where
        T: serde::de::DeserializeOwned,
    {
        let left_ms = self.until_ms.saturating_sub(clock::real_now_ms());
        let timeout_ms = u32::try_from(left_ms).map_or(QUESTION_TIMEOUT_MS, |left| left.min(QUESTION_TIMEOUT_MS));
        if timeout_ms == 0 {
            return Err(CallError::new("the time for this answer is up"));
        }
        let asked = object::Asked { now_ms: self.now_ms, question };
        object::ask_shard(self.env, place, &asked, timeout_ms).await
    }

    /// A session with all its parts; nothing where it is not known.
    ///
    /// # Errors
    ///
    /// When it was not found and a shard that may know it is missing.
    pub async fn find(&self, spread: &Spread, id: SessionId) -> Result<Option<SessionAnswer>, Refusal> {
        let asked = self.ask::<Option<SessionAnswer>>(spread, spread.owners(&[id]), &Question::Session(id)).await?;
        let missing = asked.missing;
        match SessionAnswer::whole(asked.into_answers().flatten()) {
            Some(session) => Ok(Some(SessionAnswer { partial: session.partial || missing, ..session })),
            None if missing => Err(Refusal::Unavailable),
            None => Ok(None),
        }
    }

    /// Whether a session is known anywhere.
    ///
    /// # Errors
    ///
    /// When it was not found and a shard that may know it is missing.
    pub async fn is_known(&self, spread: &Spread, id: SessionId) -> Result<bool, Refusal> {
        let asked = self.ask::<Vec<SessionId>>(spread, spread.owners(&[id]), &Question::Known(vec![id])).await?;
        let missing = asked.missing;
        let known = asked.into_answers().any(|ids| !ids.is_empty());
        if missing && !known { Err(Refusal::Unavailable) } else { Ok(known) }
    }

    /// A page of sessions, each once and whole. `positions` say how far each shard was at the first page; what is
    /// missing there is added.
    pub async fn page_of(
        &self,
        spread: &Spread,
        query: SessionQuery,
        positions: &mut Positions,
    ) -> Result<Page<SessionAnswer>, Refusal> {
        let (sort, order, limit) = (query.sort, query.order, query.limit);
        let at = |place: Place| SessionQuery { position: positions.get(&place).copied(), ..query.clone() };
        let asked = self.ask_each(spread, spread.all(), |place| self.sessions_of(place, at(place))).await?;
        let missing = asked.missing;
        positions.extend(asked.answers.iter().map(|(place, page)| (*place, page.position)));
        let from = |(place, page): (Place, Page<SessionAnswer>)| page.map(|session| (place.layout, session));
        let mut page = merge(asked.answers.into_iter().map(from).collect(), order, limit);
        page.partial |= missing;
        if spread.layouts.len() <= 1 {
            let partial = spread.partial;
            return Ok(page.map(|(_, session)| SessionAnswer { partial: session.partial || partial, ..session }));
        }
        // Every other layout is asked for the parts it has of what is on the page.
        let mut wanted: OrderedMap<Place, BTreeSet<SessionId>> = OrderedMap::new();
        for (_, id, (from, _)) in &page.items {
            let id = SessionId(id.to_be_bytes());
            for layout in spread.layouts.iter().filter(|layout| *layout != from) {
                wanted.entry(Place::of(id, *layout)).or_default().insert(id);
            }
        }
        let (query, positions) = (&query, &*positions);
        let asked = wanted.into_iter().map(|(place, ids)| async move {
            let position = positions.get(&place).copied();
            let query = SessionQuery { position, ..query.about(ids.iter().copied().collect()) };
            let question = Question::Parts(query);
            (place, ids, self.ask_one::<Parts>(place, &question).await)
        });
        let (mut others, mut lacking) = (Vec::new(), BTreeSet::new());
        for (place, ids, answer) in futures_util::future::join_all(asked).await {
            match answer {
                Ok(parts) => others.push((place.layout, parts)),
                Err(error) => {
                    error.log(place);
                    lacking.extend(ids.into_iter().map(|id| u128::from_be_bytes(id.0)));
                }
            }
        }
        let mut page = list_once(page, others, sort);
        page.partial |= !lacking.is_empty();
        for (_, id, session) in &mut page.items {
            session.partial |= spread.partial || lacking.contains(id);
        }
        Ok(page)
    }
}

impl<T> Gathered<T> {
    fn take(&mut self, place: Place, answer: Result<T, CallError>) {
        match answer {
            Ok(answer) => self.answers.push((place, answer)),
            Err(error) => {
                error.log(place);
                self.missing = true;
            }
        }
    }
}
