//! Sessions that live in several layouts, because they went on after the number of shards was changed: their parts
//! become one, and a list shows them once.
//!
//! Each part is judged by a filter, and sorted, by itself. A session is listed where the part of the greatest value stands
//! (by first seen: of the least), which for `last_seen`, `first_seen` and `risk` is the place of the whole. Every page comes
//! to the same verdict whatever else it holds, and so each session comes once over all pages.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::answer::{AddressAnswer, EndpointCount, FlowCount, LinkAnswer, ParamAnswer, SessionAnswer};
use super::page::Page;
use super::time::parse_time;
use super::{SessionQuery, SortBy};
use crate::ordered::OrderedMap;
use crate::session::{Proof, SessionId, State};
use crate::sorting;

/// What a session shows at the most, as many as one part of it keeps; of links the newest, of endpoints those asked for
/// most, with the others counted together.
const USERS: usize = 16;
const ADDRESSES: usize = 64;
const AGENTS: usize = 8;
const ENDPOINTS: usize = 256;
const LINKS: usize = crate::session::MAX_LINKS;

/// What a shard knows of the sessions on a page.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Where those that fit the question stand: value and id.
    pub listed: Vec<(u64, u128)>,
    /// All of them, whether they fit or not.
    pub parts: Vec<SessionAnswer>,
    /// Whether something may be missing.
    pub partial: bool,
}

impl SessionQuery {
    /// The same question about these sessions only, wherever they stand.
    #[must_use]
    pub fn about(&self, ids: Vec<SessionId>) -> Self {
        let limit = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let mut query = Self { limit, after: None, resume: None, floor: None, position: None, ..self.clone() };
        query.filter.session.any = ids;
        query
    }
}

/// Lists each session once, with all its parts. `page` holds items with the layout they come from, `others` what the other
/// layouts say of each session on it. A page may so become shorter; where it ended stays in `cut`.
pub fn list_once(
    page: Page<(u32, SessionAnswer)>,
    others: impl IntoIterator<Item = (u32, Parts)>,
    sort: SortBy,
) -> Page<SessionAnswer> {
    let (mut listed, mut parts) = (OrderedMap::<u128, Vec<(u32, u64)>>::new(), OrderedMap::<u128, Vec<_>>::new());
    let mut partial = page.partial;
    for (layout, other) in others {
        partial |= other.partial;
        other.listed.iter().for_each(|(value, id)| listed.entry(*id).or_default().push((layout, *value)));
        for part in other.parts {
            let Some(id) = SessionId::parse(&part.id) else { continue };
            parts.entry(u128::from_be_bytes(id.0)).or_default().push((layout, part));
        }
    }
    let end = page.items.last().map(|(value, id, _)| (*value, *id));
    let better = |value: u64, than: u64| if sort == SortBy::FirstSeen { value < than } else { value > than };
    let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
    for (value, id, (layout, session)) in page.items {
        let elsewhere = listed.get(&id).into_iter().flatten().filter(|(other, _)| *other != layout);
        let stands_elsewhere = elsewhere.into_iter().any(|(_, other)| better(*other, value));
        // Parts of equal value stand side by side.
        if stands_elsewhere || !seen.insert(id) {
            continue;
        }
        let rest = parts.remove(&id).into_iter().flatten().filter(|(other, _)| *other != layout).map(|(_, part)| part);
        let whole = SessionAnswer::whole(rest.chain([session]));
        items.extend(whole.map(|whole| (value, id, whole)));
    }
    Page { items, more: page.more, cut: page.cut.or(end), partial, position: page.position, resume: None }
}

impl SessionAnswer {
    /// Two parts of one session as one; which comes first does not matter.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let earlier_first = (&self.first_seen, &self.last_seen) <= (&other.first_seen, &other.last_seen);
        let (mut whole, later) = if earlier_first { (self, other) } else { (other, self) };
        whole.state = worse(whole.state, later.state);
        whole.risk = whole.risk.max(later.risk);
        whole.last_seen = whole.last_seen.max(later.last_seen);
        let at = |text: &str| parse_time(text, 0).unwrap_or(0);
        whole.duration_ms = at(&whole.last_seen).saturating_sub(at(&whole.first_seen));
        whole.requests += later.requests;
        whole.attacks += later.attacks;
        whole.key.verified |= later.key.verified;
        if rank(&later.proof) > rank(&whole.proof) {
            whole.proof = later.proof;
        }
        unite(&mut whole.users, later.users, USERS);
        unite(&mut whole.roles, later.roles, USERS);
        unite(&mut whole.attempted_users, later.attempted_users, USERS);
        unite(&mut whole.user_agents, later.user_agents, AGENTS);
        unite(&mut whole.marks, later.marks, usize::MAX);
        add_addresses(&mut whole.ips, later.ips);
        whole.endpoints_rest += later.endpoints_rest + add_endpoints(&mut whole.endpoints, later.endpoints);
        add_flows(&mut whole.flows, later.flows, whole.requests);
        add_counts(&mut whole.statuses, later.statuses);
        add_counts(&mut whole.methods, later.methods);
        add_counts(&mut whole.findings, later.findings);
        add_params(&mut whole.params, later.params);
        whole.params_rest += later.params_rest;
        add_links(&mut whole.predecessors, later.predecessors);
        add_links(&mut whole.successors, later.successors);
        whole.ended = whole.ended.max(later.ended);
        whole.partial |= later.partial;
        whole
    }

    /// All parts of one session as one; nothing where there is none.
    pub fn whole(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts: Vec<Self> = parts.into_iter().collect();
        sorting::sort_by(&mut parts, |one, other| {
            (&one.first_seen, &one.last_seen).cmp(&(&other.first_seen, &other.last_seen))
        });
        parts.into_iter().reduce(Self::merge)
    }
}

fn worse(one: State, other: State) -> State {
    match (one, other) {
        (State::Blocked, _) | (_, State::Blocked) => State::Blocked,
        (State::Flagged, _) | (_, State::Flagged) => State::Flagged,
        (State::Clear, State::Clear) => State::Clear,
    }
}

fn rank(proof: &str) -> Option<Proof> {
    [Proof::Unproven, Proof::Used, Proof::Issued, Proof::Verified].into_iter().find(|known| known.name() == proof)
}

/// Adds what is not there yet; lists of a session are short.
fn unite(all: &mut Vec<String>, more: Vec<String>, most: usize) {
    for text in more {
        if all.len() < most && !all.contains(&text) {
            all.push(text);
        }
    }
}

fn add_counts(sums: &mut OrderedMap<String, u64>, more: OrderedMap<String, u64>) {
    for (key, count) in more {
        *sums.entry(key).or_default() += count;
    }
}

fn add_addresses(all: &mut Vec<AddressAnswer>, more: Vec<AddressAnswer>) {
    for address in more {
        if let Some(known) = all.iter_mut().find(|known| known.ip == address.ip) {
            known.requests += address.requests;
        } else if all.len() < ADDRESSES {
            all.push(address);
        }
    }
}

/// Answers how many requests went to endpoints that found no place.
fn add_endpoints(all: &mut Vec<EndpointCount>, more: Vec<EndpointCount>) -> u64 {
    let mut sums: OrderedMap<String, u64> = OrderedMap::new();
    for EndpointCount { endpoint, requests } in all.drain(..).chain(more) {
        *sums.entry(endpoint).or_default() += requests;
    }
    all.extend(sums.into_iter().map(|(endpoint, requests)| EndpointCount { endpoint, requests }));
    // Stable: endpoints asked for equally often stay in the order of their names.
    sorting::sort_by_key(all, |count| core::cmp::Reverse(count.requests));
    all.drain(ENDPOINTS.min(all.len())..).map(|count| count.requests).sum()
}

fn add_flows(all: &mut Vec<FlowCount>, more: Vec<FlowCount>, of_requests: u64) {
    for flow in more {
        match all.iter_mut().find(|known| known.flow == flow.flow) {
            Some(known) => known.requests += flow.requests,
            None => all.push(flow),
        }
    }
    for flow in all {
        // Counts of requests are far below 2⁵³.
        flow.percent = flow.requests as f64 * 100.0 / of_requests.max(1) as f64;
    }
}

/// How many different values there are in all is not known: at least as many as either part has.
fn add_params(all: &mut OrderedMap<String, ParamAnswer>, more: OrderedMap<String, ParamAnswer>) {
    for (name, later) in more {
        let Some(known) = all.get_mut(&name) else {
            all.insert(name, later);
            continue;
        };
        let both = |one: Option<f64>, other: Option<f64>, join: fn(f64, f64) -> f64| match (one, other) {
            (Some(one), Some(other)) => Some(join(one, other)),
            (one, other) => one.or(other),
        };
        later.sums.into_iter().for_each(|(currency, sum)| *known.sums.entry(currency).or_default() += sum);
        if known.sums.len() > 1 {
            (known.sum, known.min, known.max) = (None, None, None);
        } else {
            known.sum = both(known.sum, later.sum, |one, other| one + other);
            known.min = both(known.min, later.min, f64::min);
            known.max = both(known.max, later.max, f64::max);
        }
        known.count += later.count;
        known.invalid += later.invalid;
        known.last = later.last.or(known.last.take());
        known.distinct = known.distinct.max(later.distinct);
    }
}

fn add_links(all: &mut Vec<LinkAnswer>, more: Vec<LinkAnswer>) {
    for link in more {
        if !all.iter().any(|known| known.session == link.session && known.request == link.request) {
            all.push(link);
        }
    }
    sorting::sort_by(all, |one, other| one.time.cmp(&other.time));
    all.drain(..all.len().saturating_sub(LINKS));
}
