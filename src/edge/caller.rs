//! Who calls the API: by a bearer token, through Cloudflare Access, or by a share link, which the fleet is asked about.

use worker::Env;
use worker::worker_sys::web_sys::Request;

use super::isolate;
use super::object;
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::Refusal;
use crate::api::access::{Caller, Role, is_own_site, named, role_of};
use crate::api::share::{Share, read_token};
use crate::identity::jwt::verify;
use crate::policy::Policy;
use crate::wire::{FleetOrder, FleetReply};

/// For how long an isolate goes by what the fleet said of a share, ms: so soon after it is revoked it shows nothing.
const SHARE_FRESH_MS: u64 = 2_000;
/// Shares an isolate remembers.
pub const SHARES_REMEMBERED: usize = 64;

/// The role of the token in a request.
pub fn role(request: &Request, env: &Env) -> Option<Role> {
    let authorization = request.headers().get("authorization").ok().flatten()?;
    let token = |name| isolate::binding(env, name);
    role_of(&authorization, token("ADMIN_TOKEN").as_deref(), token("VIEWER_TOKEN").as_deref())
}

/// Who sent a request; nobody where nothing vouches for it.
pub async fn recognise(request: &Request, env: &Env, policy: &Policy, now_ms: u64) -> Result<Option<Caller>, Refusal> {
    if let Some(role) = role(request, env) {
        return Ok(Some(Caller::of_role(role, policy.viewer_sees_users)));
    }
    let header = |name: &str| request.headers().get(name).ok().flatten().unwrap_or_default();
    let assertion = header("cf-access-jwt-assertion");
    if let (Some(access), false) = (&policy.access, assertion.is_empty()) {
        // The browser sends it by itself, also where another site made it ask.
        let (origin, site) = (header("origin"), header("sec-fetch-site"));
        let host = crate::api::access::host_of(&request.url()).to_owned();
        if is_own_site(&origin, &site, &host) {
            let verified = isolate::with(|isolate| {
                let issuer = isolate.access.as_ref()?;
                verify(&assertion, core::slice::from_ref(issuer), super::clock::real_now_ms()).ok()
            });
            let who = verified.and_then(|verified| named(&verified.json));
            if let Some((who, is_admin)) = who.and_then(|who| access.is_admin(&who).map(|is_admin| (who, is_admin))) {
                let role = if is_admin { Role::Admin } else { Role::Viewer };
                return Ok(Some(Caller::of_role(role, policy.viewer_sees_users).called(&who)));
            }
        }
    }
    let authorization = header("authorization");
    let token = authorization.split_once(' ').map_or("", |(_, token)| token.trim());
    let Some(id) = read_token(token, policy.keys.ring(), now_ms) else { return Ok(None) };
    Ok(share(id, env, now_ms).await?.filter(|share| share.until_ms > now_ms).map(Caller::of_share))
}

/// The share as the fleet knows it; nothing where it was revoked.
async fn share(id: u64, env: &Env, now_ms: u64) -> Result<Option<Share>, Refusal> {
    let real_ms = super::clock::real_now_ms();
    let known = isolate::with(|isolate| isolate.shares.get(&id).cloned());
    if let Some((heard_ms, share)) = known
        && real_ms.saturating_sub(heard_ms) < SHARE_FRESH_MS
    {
        return Ok(share);
    }
    let reply = object::order_fleet(env, &FleetOrder::OpenShare { id, now_ms }, QUESTION_TIMEOUT_MS).await?;
    let FleetReply::Shares(mut found) = reply else { return Err(Refusal::Unavailable) };
    let share = found.pop();
    isolate::with(|isolate| isolate.shares.insert(id, (real_ms, share.clone())));
    Ok(share)
}
