//! Share links: made, listed, taken back; and what is asked of with one is held to what it shows.

use super::admin::{Answer, Api};
use super::isolate;
use super::object;
use super::problem::{json, respond};
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::share::{Permit, Scope, ShareOrder, permit};
use crate::api::{ListAnswer, Operation, Refusal};
use crate::query::{Positions, parse_sessions};
use crate::session::SessionId;
use crate::wire::{FleetOrder, FleetReply};

impl Api<'_> {
    /// The query string as the caller's share narrows it; nothing where it does not.
    pub async fn narrowed(&self, operation: Operation) -> Result<Option<String>, Refusal> {
        let Some(share) = &self.caller.share else { return Ok(None) };
        match permit(&share.scope, operation, self.query)? {
            Permit::Ask(query) => Ok(Some(query)),
            Permit::AskOf(id, query) if self.is_shared(&share.scope, id).await? => Ok(Some(query)),
            Permit::AskOf(..) => Err(Refusal::Outside),
        }
    }

    /// Whether a session is in a shared list.
    async fn is_shared(&self, scope: &Scope, id: SessionId) -> Result<bool, Refusal> {
        let Scope::List(_, filter) = scope else { return Ok(false) };
        let mut query = parse_sessions(filter, self.now_ms)?.query;
        let spread = self.spread().await;
        self.resolve_users(&mut query.filter);
        self.resolve_requests(&spread, &mut query.filter).await?;
        let any = &query.filter.session.any;
        if !any.is_empty() && !any.contains(&id) {
            return Ok(false);
        }
        query.filter.session.any = vec![id];
        query.limit = 1;
        Ok(!self.page_of(&spread, query, &mut Positions::new()).await?.items.is_empty())
    }

    pub async fn share(&self) -> Answer {
        let order: ShareOrder = self.order().await?;
        let mut id = [0u8; 8];
        getrandom::fill(&mut id).map_err(|_| Refusal::Unavailable)?;
        let share = order.resolve(u64::from_le_bytes(id), self.caller.name.clone(), self.now_ms)?;
        if let Scope::Session(id) = share.scope
            && !self.is_known(&self.spread().await, id).await?
        {
            return Err(Refusal::NotFound("No session has this id."));
        }
        match object::order_fleet(self.env, &FleetOrder::Share(share.clone()), QUESTION_TIMEOUT_MS).await? {
            FleetReply::Done { .. } => {}
            FleetReply::Full => return Err(Refusal::FullOfShares),
            _ => return Err(Refusal::Unavailable),
        }
        let token = share.token(self.policy.keys.ring());
        let mut answer = share.answer();
        answer.link = Some(format!("/_throughline/console/shared#{token}"));
        answer.token = Some(token);
        Ok(json(201, &answer))
    }

    /// All shares, or to who came by one that one.
    pub async fn shares(&self) -> Answer {
        let shares = match &self.caller.share {
            Some(own) => vec![own.clone()],
            None => {
                let order = FleetOrder::Shares { now_ms: self.now_ms };
                let reply = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
                let FleetReply::Shares(shares) = reply else { return Err(Refusal::Unavailable) };
                shares
            }
        };
        let items = shares.iter().map(crate::api::share::Share::answer).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial: false }))
    }

    pub async fn unshare(&self, id: u64) -> Answer {
        let order = FleetOrder::Unshare { id, actor: self.caller.name.clone(), now_ms: self.now_ms };
        let reply = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
        isolate::with(|isolate| isolate.shares.clear());
        match reply {
            FleetReply::Done { existed: true } => Ok(respond(204, "application/json", b"", &[])),
            FleetReply::Done { existed: false } => Err(Refusal::NotFound("No share that holds has this id.")),
            _ => Err(Refusal::Unavailable),
        }
    }
}
