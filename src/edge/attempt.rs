//! What a shard is told of a request that rules about the business may stop: the event as it would be recorded if it were
//! answered with success.

use super::exchange::{Exchange, with_body};
use super::isolate::Isolate;
use super::outcome::{USER_AGENT_BYTES, cut};
use super::request::{Described, Told};
use crate::context::Feedback;
use crate::identity::Outcome;
use crate::identity::jwt::TokensAt;
use crate::inventory::templated;
use crate::policy::Policy;
use crate::selector::Side;
use crate::session::{BatchBuilder, Event, Params, limit_params};

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
    /// The request as an encoded batch of one event. The error is a body that was not read to where its values stand.
    pub(super) fn attempt(
        &self,
        described: &Described<'_>,
        policy: &Policy,
        isolate: &mut Isolate,
    ) -> Result<Vec<u8>, ()> {
        let request = with_body(described, policy, self.body.as_ref());
        let found = self.found.view();
        let mut tokens = TokensAt { tokens: &mut isolate.tokens, now_ms: self.time_ms };
        let pseudonym = |kind: &str, value: &str| policy.keys.ring().pseudonym(kind, value);
        let verifies = policy.keys.verifies();
        let read = policy.parameters.read_request(&request, verifies, &pseudonym, &mut tokens);
        let mut values: Vec<_> = read.values.into_iter().map(|(id, value)| (u32::from(id.0), value)).collect();
        let is_cut = self.body.as_ref().is_some_and(|start| start.cut);
        let in_body = policy.parameters.in_body(described.method, described.path);
        if is_cut && in_body.into_iter().any(|wanted| values.iter().all(|(id, _)| *id != u32::from(wanted.0))) {
            return Err(());
        }
        limit_params(&mut values);
        // Who somebody only tries to be is nobody yet, and so is who the answer would have to name.
        let unanswered = Told::default();
        let response = unanswered.parts(policy, 0, None);
        let outcome =
            Outcome::of(&policy.keys, &policy.users, &request, &response, &Feedback::default(), &found, &mut tokens);
        let user = if outcome.who.attempted { "" } else { outcome.who.user.as_str() };
        let path = templated(described.path, policy.limits.path_bytes as usize);
        let client = described.client;
        let mut builder = BatchBuilder::default();
        builder.push(&Event {
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
            user,
            roles: "",
            principal: self.found.principal,
            token: self.found.token,
            feedback: "",
            params: Params::new(&policy.value_names, &values),
            action: self.action,
            marks: self.marks,
        });
        Ok(builder.take().encode())
    }
}
