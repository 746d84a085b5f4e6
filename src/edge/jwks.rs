//! The keys of token issuers in this isolate: when to fetch them is [`crate::identity::jwt::JwksSource`]'s to say,
//! fetching them is `entry.mjs`' to do.

use wasm_bindgen::prelude::*;

use super::clock::real_now_ms;
use super::gateway::Gateway;
use super::isolate::{self, Isolate};
use crate::identity::jwt::{KeySet, MAX_JWKS_BYTES, Want, max_age};
use crate::policy::{KeySource, Policy};

/// What `entry.mjs` has to know to fetch keys.
#[derive(serde::Serialize)]
struct Source<'a> {
    url: &'a str,
    asset: bool,
    /// Longest document taken, bytes.
    most: usize,
}

/// The issuer whose keys a request may wait for, where a token has a key that `issuer` does not know: that one, or
/// another of the same name.
pub fn worth_waiting(issuer: usize, policy: &Policy, isolate: &mut Isolate) -> Option<usize> {
    let iss_of = |at: usize| policy.issuers.get(at).map(|i| &i.issuer.iss);
    let others = (0..policy.issuers.len()).filter(|at| *at != issuer);
    let alike = others.filter(|at| iss_of(*at) == iss_of(issuer) || iss_of(*at) == Some(&None));
    core::iter::once(issuer).chain(alike).find(|at| is_worth_waiting(*at, isolate))
}

fn is_worth_waiting(issuer: usize, isolate: &mut Isolate) -> bool {
    let now_ms = real_now_ms();
    let Some(Some(source)) = isolate.key_sources.get_mut(issuer) else { return false };
    match source.schedule.wants(now_ms) {
        Some(Want::First) => true,
        Some(Want::Refresh) | None => source.schedule.unknown_kid(now_ms),
    }
}

#[wasm_bindgen]
impl Gateway {
    /// Issuers whose keys are to be renewed, ahead of the end of their life; or those that never had any.
    #[wasm_bindgen(js_name = keysDue)]
    pub fn keys_due(first: bool) -> Vec<u32> {
        let now_ms = real_now_ms();
        let wanted = Some(if first { Want::First } else { Want::Refresh });
        isolate::with(|isolate| {
            let due = |source: &KeySource| source.schedule.wants(now_ms) == wanted;
            let sources = (0u32..).zip(&isolate.key_sources);
            sources.filter(|(_, source)| source.as_ref().is_some_and(due)).map(|(issuer, _)| issuer).collect()
        })
    }

    /// Where the keys of an issuer are fetched from, as JSON; somebody sets out to fetch them.
    #[wasm_bindgen(js_name = keySource)]
    pub fn key_source(issuer: u32) -> String {
        isolate::with(|isolate| {
            let Some(Some(source)) = isolate.key_sources.get_mut(issuer as usize) else { return String::new() };
            source.schedule.started(real_now_ms());
            let told = Source { url: source.schedule.url(), asset: source.asset, most: MAX_JWKS_BYTES };
            serde_json::to_string(&told).unwrap_or_default()
        })
    }

    /// Takes in the keys of an issuer.
    pub fn learned(issuer: u32, text: &str, cache_control: &str) {
        match KeySet::from_jwks(text) {
            Ok(read) => isolate::with(|isolate| {
                let Some(Some(source)) = isolate.key_sources.get_mut(issuer as usize) else { return };
                let read = if source.asset { read } else { read.published() };
                if read.keys.is_empty() {
                    source.schedule.failed(real_now_ms());
                    isolate.buffers.counts.key_fetch_failures += 1;
                    let url = source.schedule.url();
                    worker::console_error!("{url} holds no key that can be used; the last ones are kept");
                    return;
                }
                for (at, reason) in &read.skipped {
                    worker::console_warn!("{}: keys[{at}] is not used: {reason}", source.schedule.url());
                }
                source.schedule.took(max_age(cache_control), real_now_ms());
                match &mut isolate.access {
                    Some(access) if issuer as usize == isolate.tokens.issuers().len() => access.keys = read.keys,
                    _ => isolate.tokens.set_keys(issuer as usize, read.keys),
                }
            }),
            Err(error) => Self::unlearned(issuer, &error.to_string()),
        }
    }

    /// Takes in that the keys of an issuer were not to be had; the last good ones are kept.
    pub fn unlearned(issuer: u32, reason: &str) {
        isolate::with(|isolate| {
            let Some(Some(source)) = isolate.key_sources.get_mut(issuer as usize) else { return };
            source.schedule.failed(real_now_ms());
            isolate.buffers.counts.key_fetch_failures += 1;
            let url = source.schedule.url();
            worker::console_error!("keys of {url} were not to be had, the last ones are kept: {reason}");
        });
    }
}
