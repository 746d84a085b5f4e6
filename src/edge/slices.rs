//! Questions that take a shard more than one slice: it is asked again until it is through, or time is up.
//!
//! Between two slices the shard serves traffic. What is not through in time is answered as far as it got, and called
//! partial.

use super::admin::Api;
use super::clock;
use super::object::CallError;
use crate::query::{
    EventAnswer, EventQuery, Order, Page, Question, SessionAnswer, SessionQuery, StatsPart, StatsQuery, add_slice,
};
use crate::session::EventId;
use crate::wire::Place;

impl Api<'_> {
    /// A shard's page of sessions.
    pub async fn sessions_of(&self, place: Place, mut query: SessionQuery) -> Result<Page<SessionAnswer>, CallError> {
        let (order, limit) = (query.order, query.limit);
        let mut page: Page<SessionAnswer> = self.ask_one(place, &Question::Sessions(query.clone())).await?;
        query.position = Some(page.position);
        while let Some(resume) = page.resume {
            if self.is_time_up() {
                page.partial = true;
                break;
            }
            query.resume = Some(resume);
            // Only once it is known that there is more than the page is what comes after its end of no interest.
            let last = page.items.last().map(|(value, id, _)| (*value, *id));
            query.floor = last.filter(|_| page.more);
            match self.ask_one(place, &Question::Sessions(query.clone())).await {
                Ok(slice) => add_slice(&mut page, slice, order, limit),
                Err(error) => {
                    error.log(place);
                    page.partial = true;
                    break;
                }
            }
        }
        page.resume = None;
        Ok(page)
    }

    /// A shard's page of events.
    pub async fn events_of(&self, place: Place, mut query: EventQuery) -> Result<Page<EventAnswer>, CallError> {
        let (order, limit) = (query.order, query.limit);
        let mut page: Page<EventAnswer> = self.ask_one(place, &Question::Events(query.clone())).await?;
        while let Some(resume) = page.resume {
            query.resume = Some(resume);
            let last = page.items.last().map(|(value, id, _)| (*value, *id));
            query.floor = last.filter(|_| page.more);
            let slice = match self.is_time_up() {
                true => None,
                false => self.ask_one::<Page<EventAnswer>>(place, &Question::Events(query.clone())).await.ok(),
            };
            let Some(slice) = slice else {
                // What lies beyond was not looked at: the next page begins there.
                page.cut = Some((resume.bound, EventId::bound(resume.bound, order == Order::Desc).0));
                break;
            };
            add_slice(&mut page, slice, order, limit);
        }
        page.resume = None;
        Ok(page)
    }

    /// A shard's statistic.
    pub async fn stats_of(&self, place: Place, mut query: StatsQuery) -> Result<StatsPart, CallError> {
        let mut whole = StatsPart::default();
        loop {
            match self.ask_one::<StatsPart>(place, &Question::Stats(query.clone())).await {
                Ok(part) => {
                    whole.add(&part);
                    query.resume = part.resume;
                }
                Err(error) if query.resume.is_none() => return Err(error),
                Err(error) => {
                    error.log(place);
                    whole.cut = true;
                    return Ok(whole);
                }
            }
            if query.resume.is_none() {
                return Ok(whole);
            }
            if self.is_time_up() {
                whole.cut = true;
                return Ok(whole);
            }
        }
    }

    fn is_time_up(&self) -> bool {
        clock::real_now_ms() >= self.until_ms
    }
}
