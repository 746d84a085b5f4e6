//! Exports: a whole list, page by page, as it is read.
//!
//! A page that lacks something is asked for again; what is still missing then does not keep the rest from being sent, but
//! the transfer ends with an error, so that nobody takes it for the whole.

use super::admin::{Answer, Api};
use super::glue;
use super::object;
use super::parts::{Asker, Next, Source};
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::Refusal;
use crate::api::export::{audited, disposition};
use crate::export::{Of, Writer, take_format};
use crate::query::{
    EventQuery, FindingAnswer, FindingQuery, LabelAnswer, MAX_LIMIT, Page, Positions, SessionQuery, parse_events,
    parse_findings, parse_sessions,
};
use crate::session::{Finding, Label, SessionId};
use crate::wire::{AuditEntry, FleetOrder, FleetReply};

/// Times a page that lacks something is asked for again, and how long after, ms.
const AGAIN: u32 = 2;
const AGAIN_AFTER_MS: u32 = 500;

/// What is still to be listed.
enum Rest {
    Sessions(SessionQuery, Positions),
    Events(EventQuery),
    Findings(FindingQuery),
    Nothing,
}

struct Export {
    asker: Asker,
    rest: Rest,
    writer: Writer,
    /// Something could not be read.
    lacks: bool,
}

impl Api<'_> {
    pub async fn export(&self, of: Of, session: Option<SessionId>) -> Answer {
        let (format, question) = take_format(self.query, of)?;
        let spread = self.spread().await;
        let rest = match of {
            Of::Sessions => {
                let mut query = parse_sessions(&question, self.now_ms)?.query;
                self.resolve_users(&mut query.filter);
                self.resolve_requests(&spread, &mut query.filter).await?;
                Rest::Sessions(SessionQuery { limit: MAX_LIMIT, ..query }, Positions::new())
            }
            Of::Events => {
                let mut query = parse_events(&question, self.now_ms, session)?.query;
                self.resolve_users(&mut query.filter);
                Rest::Events(EventQuery { limit: MAX_LIMIT, ..query })
            }
            Of::Findings => {
                let query = parse_findings(&question, self.now_ms)?.query;
                Rest::Findings(FindingQuery { limit: MAX_LIMIT, ..query })
            }
        };
        if let Some(id) = session
            && !self.is_known(&spread, id).await?
        {
            return Err(Refusal::NotFound("No session has this id."));
        }
        let subject = session.map_or_else(|| of.name().to_owned(), |id| format!("session:{id}"));
        self.note("export", subject, audited(format, &question, self.policy.keys.ring())).await?;
        let writer = Writer::new(format, of);
        let disposition = disposition(&writer, session);
        let source = Export { asker: self.asker(), rest, writer, lacks: false };
        let headers = [("content-type", format.content_type()), ("content-disposition", &disposition)];
        self.streamed(Box::new(source), &headers)
    }

    /// Notes an act in the audit log; without that it does not happen.
    pub async fn note(&self, act: &str, subject: String, detail: String) -> Result<(), Refusal> {
        let (time_ms, actor) = (self.now_ms, self.caller.name.clone());
        let entry = AuditEntry { time_ms, actor, act: act.to_owned(), subject, detail };
        match object::order_fleet(self.env, &FleetOrder::Note(entry), QUESTION_TIMEOUT_MS).await? {
            FleetReply::Done { .. } => Ok(()),
            _ => Err(Refusal::Unavailable),
        }
    }
}

impl Source for Export {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async move {
            loop {
                let written = self.writer.take();
                if !written.is_empty() {
                    return Ok(Some(written.into_bytes()));
                }
                if matches!(self.rest, Rest::Nothing) {
                    return if self.lacks { Err("something could not be read".to_owned()) } else { Ok(None) };
                }
                self.page().await?;
                if matches!(self.rest, Rest::Nothing) {
                    self.writer.end();
                }
            }
        })
    }
}

impl Export {
    /// Writes the next page.
    async fn page(&mut self) -> Result<(), String> {
        let mut tries = if self.lacks { 0 } else { AGAIN };
        loop {
            match self.ask().await {
                Ok((partial, page)) if !partial || tries == 0 => {
                    self.lacks |= partial;
                    self.rest = page.write(core::mem::replace(&mut self.rest, Rest::Nothing), &mut self.writer);
                    return Ok(());
                }
                Err(refusal) if tries == 0 => return Err(refusal.describe().2),
                Ok(_) | Err(_) => {
                    tries -= 1;
                    let _ = wasm_bindgen_futures::JsFuture::from(glue::sleep(AGAIN_AFTER_MS)).await;
                }
            }
        }
    }

    /// The next page, and whether it lacks something.
    async fn ask(&mut self) -> Result<(bool, Found), Refusal> {
        let api = self.asker.api();
        let spread = api.spread().await;
        Ok(match &mut self.rest {
            Rest::Sessions(query, positions) => {
                let page = api.page_of(&spread, query.clone(), positions).await?;
                let mask = api.mask();
                (page.partial && page.cut.is_none(), Found::Sessions(page.map(|session| mask.session(session))))
            }
            Rest::Events(query) => {
                let (page, missing) = api.events_page(&spread, query.clone()).await?;
                (missing || page.partial && page.cut.is_none(), Found::Events(page))
            }
            Rest::Findings(query) => {
                let order = FleetOrder::Findings(query.clone());
                let reply = object::order_fleet(api.env, &order, QUESTION_TIMEOUT_MS).await?;
                let FleetReply::Findings(page) = reply else { return Err(Refusal::Unavailable) };
                // What the feed dropped for want of room is nothing that could be asked for again.
                let answer = |(finding, label): (Finding, Option<Label>)| FindingAnswer {
                    label: label.as_ref().map(LabelAnswer::new),
                    ..FindingAnswer::new(&finding)
                };
                (false, Found::Findings(page.map(answer)))
            }
            Rest::Nothing => return Err(Refusal::Unavailable),
        })
    }
}

/// A page that was found.
enum Found {
    Sessions(Page<crate::query::SessionAnswer>),
    Events(Page<crate::query::EventAnswer>),
    Findings(Page<FindingAnswer>),
}

impl Found {
    /// Writes the page; answers what is left of the question then.
    fn write(self, rest: Rest, writer: &mut Writer) -> Rest {
        match (self, rest) {
            (Self::Sessions(page), Rest::Sessions(query, positions)) => {
                let after = ended(&page);
                page.items.iter().for_each(|(.., session)| writer.session(session));
                after.map_or(Rest::Nothing, |after| {
                    Rest::Sessions(SessionQuery { after: Some(after), ..query }, positions)
                })
            }
            (Self::Events(page), Rest::Events(query)) => {
                let after = ended(&page);
                page.items.iter().for_each(|(.., event)| writer.event(event));
                after.map_or(Rest::Nothing, |(_, id)| Rest::Events(EventQuery { after: Some(id), ..query }))
            }
            (Self::Findings(page), Rest::Findings(query)) => {
                let after = ended(&page);
                page.items.iter().for_each(|(.., finding)| writer.finding(finding));
                after.map_or(Rest::Nothing, |after| Rest::Findings(FindingQuery { after: Some(after), ..query }))
            }
            _ => Rest::Nothing,
        }
    }
}

/// Where a page ended; nothing where it was the last.
fn ended<T>(page: &Page<T>) -> Option<(u64, u128)> {
    page.cut.or_else(|| page.items.last().map(|(value, id, _)| (*value, *id))).filter(|_| page.more)
}
