//! What shards are told of a request that is decided inline: the event as it would be recorded if it were answered with
//! success.

use super::exchange::{Exchange, with_body};
use super::isolate::Isolate;
use super::outcome::{USER_AGENT_BYTES, cut};
use super::request::Described;
use crate::identity::jwt::TokensAt;
use crate::inventory::templated;
use crate::parameter::Value;
use crate::policy::Policy;
use crate::selector::Side;
use crate::session::{BatchBuilder, Event, Kinds, Marks, Params, limit_params};
use crate::subject::subjects_of;

/// An event to be, encoded, with the other shards that own a subject of it and which those are.
#[derive(Default)]
pub(super) struct Attempt {
    pub(super) batch: Vec<u8>,
    pub(super) elsewhere: Vec<(u32, Kinds)>,
}

/// Whether the body has to be read before the request is decided.
pub fn wants_body(described: &Described<'_>, policy: &Policy) -> bool {
    let (method, path) = (described.method, described.path);
    !described.preflight
        && described.request_bytes != Some(0)
        && policy.inline(method, path).is_some_and(|inline| inline.judged)
        && policy.parameters.needs_body(Side::Request, method, path)
        && policy.route(method, path).is_none_or(|route| route.record)
}

impl Exchange {
    /// The request as the event that it is about to be, with its values where `judged` says that rules look at them. The
    /// error is a body that was not read to where those stand.
    pub(super) fn attempt(
        &self,
        described: &Described<'_>,
        policy: &Policy,
        judged: bool,
        isolate: &mut Isolate,
    ) -> Result<Attempt, ()> {
        let values = if judged { self.values_asked(described, policy, isolate)? } else { Vec::new() };
        let path = templated(described.path, policy.limits.path_bytes as usize);
        let client = described.client;
        let mut marks = self.marks;
        if self.is_user_attempted {
            // Who somebody only tries to be is nobody yet.
            marks.set(Marks::USER_ATTEMPTED);
        }
        let event = Event {
            id: self.id,
            inventory: None,
            session: self.found.session,
            key_source: &self.found.source,
            verified: self.found.verified,
            time_ms: self.time_ms,
            duration_ms: 0,
            method: described.method,
            host: cut(described.host, 255),
            path: &path.path,
            template: &path.template,
            status: 200,
            request_bytes: described.request_bytes,
            response_bytes: None,
            ip: client.ip,
            country: cut(client.country, 8),
            asn: client.asn,
            colo: "",
            user_agent: cut(client.user_agent, USER_AGENT_BYTES),
            ja4: cut(client.ja4, 64),
            user: &self.user,
            roles: "",
            principal: self.found.principal,
            token: self.found.token,
            feedback: "",
            params: Params::new(&policy.value_names, &values),
            action: self.action,
            marks,
        };
        let mut elsewhere: Vec<(u32, Kinds)> = Vec::new();
        let (own, hash) = (self.found.session.shard(policy.shards), policy.keys.ring().subjects().0);
        for (key, _) in subjects_of(&event, &hash).filter(|_| policy.shards > 1) {
            let (shard, kind) = (key.shard(policy.shards), key.kind.alone());
            match elsewhere.iter_mut().find(|(there, _)| *there == shard) {
                Some((_, kinds)) => kinds.0 |= kind.0,
                None if shard != own => elsewhere.push((shard, kind)),
                None => {}
            }
        }
        let mut batch = BatchBuilder::default();
        batch.push(&event);
        Ok(Attempt { batch: batch.take().encode(), elsewhere })
    }

    /// The values that the request brings.
    fn values_asked(
        &self,
        described: &Described<'_>,
        policy: &Policy,
        isolate: &mut Isolate,
    ) -> Result<Vec<(u32, Value)>, ()> {
        let request = with_body(described, policy, self.body.as_ref());
        let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms: self.time_ms };
        let pseudonym = |kind: &str, value: &str| policy.keys.ring().pseudonym(kind, value);
        let read = policy.parameters.read_request(&request, policy.keys.verifies(), &pseudonym, &mut tokens);
        let mut values: Vec<_> = read.values.into_iter().map(|(id, value)| (u32::from(id.0), value)).collect();
        let is_cut = self.body.as_ref().is_some_and(|start| start.cut);
        let in_body = policy.parameters.in_body(described.method, described.path);
        if is_cut && in_body.into_iter().any(|wanted| values.iter().all(|(id, _)| *id != u32::from(wanted.0))) {
            return Err(());
        }
        limit_params(&mut values);
        Ok(values)
    }
}
