//! `GET endpoints`: what the fleet counted, put beside the documents.
//!
//! What an endpoint is to the documents is worked out when it is asked for, so a document that was added a moment ago
//! speaks about everything that was seen before it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::filter::{Terms, parts};
use super::parse::{Asked, ParameterError, TIME, add, error, once, pairs, take, take_page};
use super::time::{parse_time, rfc3339};
use super::{Order, Page, Positions, is_after};
use crate::inventory::contract::Contract;
use crate::inventory::openapi::Operation;
use crate::inventory::{
    Catalogue, Inventory, Known, Learned, Seen, Sensitive, Standing, Tally, Traits, path_of, with_operation,
};
use crate::parameter::Quantiles;

/// What endpoints are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointSort {
    Calls,
    Sessions,
    Users,
    Risk,
    Attacks,
    FirstSeen,
    LastSeen,
}

/// A page of endpoints is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointQuery {
    pub inventory: Terms<Inventory>,
    pub method: Terms<String>,
    pub host: Terms<String>,
    pub auth: Terms<String>,
    /// Substring of the name, lower case.
    pub text: Terms<String>,
    pub min_risk: Option<u8>,
    /// Seen last at or after this time, epoch ms; endpoints that were never called are not.
    pub from_ms: Option<u64>,
    pub sort: EndpointSort,
    pub order: Order,
    pub limit: u32,
    pub after: Option<(u64, u128)>,
}

/// Values of a distribution, within 2 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// An endpoint as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointAnswer {
    pub id: String,
    pub method: String,
    pub host: String,
    pub template: String,
    /// `null` where no document speaks about it.
    pub inventory: Option<Inventory>,
    /// Why it is what it is.
    pub reasons: Vec<String>,
    pub calls: u64,
    pub sessions: u64,
    pub users: u64,
    pub statuses: BTreeMap<String, u64>,
    /// `none`, `mixed`, `consistent`; `unknown` where nothing was answered with success.
    pub auth: &'static str,
    /// By which means callers showed who they are.
    pub auth_means: Vec<&'static str>,
    /// Kinds of sensitive data in its answers.
    pub sensitive: Vec<&'static str>,
    /// Parameters that were sent, with the types of their values.
    pub parameters: Vec<ParameterAnswer>,
    pub attacks: u64,
    /// 0–100, and what it is made of.
    pub risk: u8,
    pub risk_reasons: Vec<String>,
    pub duration_ms: Option<Spread>,
    pub response_bytes: Option<Spread>,
    /// The documents that have it.
    pub documents: Vec<String>,
    /// Whether the template was learned from use.
    pub learned: bool,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
    #[serde(skip)]
    pub first_ms: u64,
    #[serde(skip)]
    pub last_ms: u64,
    /// The templates that events of it have.
    #[serde(skip)]
    pub recorded: Vec<String>,
}

/// A parameter as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterAnswer {
    pub name: String,
    /// `query`, `body` or `form`.
    pub r#in: String,
    /// `integer`, `number`, `boolean`, `uuid`, `date`, `email`, `string`, `nested`.
    pub types: Vec<&'static str>,
}

/// The parameters that were seen.
fn parameters(traits: &Traits) -> Vec<ParameterAnswer> {
    const NAMES: [&str; 8] = ["integer", "number", "boolean", "uuid", "date", "email", "string", "nested"];
    let types =
        |kinds: u8| NAMES.into_iter().enumerate().filter(move |(at, _)| kinds >> at & 1 == 1).map(|(_, name)| name);
    let split = traits.parameters.iter().filter_map(|(name, kinds)| Some((name.split_once('.')?, *kinds)));
    split
        .map(|((place, name), kinds)| ParameterAnswer {
            name: name.to_owned(),
            r#in: place.to_owned(),
            types: types(kinds).collect(),
        })
        .collect()
}

/// What an endpoint is named by, beside the documents.
#[derive(Debug, Clone, Copy)]
pub struct DocumentName<'a> {
    pub title: &'a str,
    pub version: &'a str,
    /// When it was uploaded, epoch ms; 0 for a configured one.
    pub added_ms: u64,
    pub operations: &'a [Operation],
}

impl<'a> DocumentName<'a> {
    fn contract(&self, operation: usize) -> Option<&'a Contract> {
        self.operations.get(operation).map(|operation| &operation.contract)
    }
}

/// Everything that is put together.
#[derive(Debug, Clone, Copy)]
pub struct Survey<'a> {
    pub endpoints: &'a [(String, Tally)],
    pub catalogue: &'a Catalogue,
    /// As the catalogue numbers them.
    pub documents: &'a [DocumentName<'a>],
    pub learned: &'a [Learned],
}

/// Parses `GET endpoints`.
pub fn parse_endpoints(query: &str, now_ms: u64) -> Result<Asked<EndpointQuery>, ParameterError> {
    let mut pairs = pairs(query)?;
    let page = take_page(&mut pairs, "endpoints", Order::Desc)?;
    let sort = match take(&mut pairs, "sort")?.as_deref() {
        None | Some("calls") => EndpointSort::Calls,
        Some("sessions") => EndpointSort::Sessions,
        Some("users") => EndpointSort::Users,
        Some("risk") => EndpointSort::Risk,
        Some("attacks") => EndpointSort::Attacks,
        Some("first_seen") => EndpointSort::FirstSeen,
        Some("last_seen") => EndpointSort::LastSeen,
        Some(_) => {
            return Err(error("sort", "is none of: calls, sessions, users, risk, attacks, first_seen, last_seen"));
        }
    };
    let as_of_ms = page.cursor.as_ref().map_or(now_ms, |cursor| cursor.as_of_ms);
    let after = page.cursor.as_ref().map(|cursor| (cursor.value, cursor.id));
    let mut query = EndpointQuery {
        inventory: Terms::default(),
        method: Terms::default(),
        host: Terms::default(),
        auth: Terms::default(),
        text: Terms::default(),
        min_risk: None,
        from_ms: None,
        sort,
        order: page.order,
        limit: page.limit,
        after,
    };
    for (name, value) in pairs {
        let (field, excluded) = name.strip_suffix('!').map_or((name.as_str(), false), |field| (field, true));
        set(&mut query, field, excluded, &value, as_of_ms).map_err(|reason| error(&name, &reason))?;
    }
    Ok(Asked { query, question: page.question, as_of_ms, positions: Positions::default() })
}

fn set(query: &mut EndpointQuery, field: &str, excluded: bool, value: &str, now_ms: u64) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    match field {
        "inventory" => {
            let wrong = "is none of: documented, shadow, zombie, orphan";
            add(&mut query.inventory, excluded, Inventory::parse(value), wrong)
        }
        "method" => {
            let method = value.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-').then(|| value.to_owned());
            add(&mut query.method, excluded, method, "is no HTTP method")
        }
        "host" => add(&mut query.host, excluded, Some(value.to_owned()), ""),
        "auth" => {
            let known = ["none", "mixed", "consistent", "unknown"].contains(&value);
            add(
                &mut query.auth,
                excluded,
                known.then(|| value.to_owned()),
                "is none of: none, mixed, consistent, unknown",
            )
        }
        "q" => add(&mut query.text, excluded, Some(value.to_ascii_lowercase()), ""),
        "from" | "min_risk" if excluded => Err("cannot exclude; use it without `!`".to_owned()),
        "from" => once(&mut query.from_ms, parse_time(value, now_ms), TIME),
        "min_risk" => {
            let risk = value.parse().ok().filter(|risk| *risk <= 100);
            once(&mut query.min_risk, risk, "is no whole number from 0 to 100")
        }
        _ => Err("is not known here".to_owned()),
    }
}

impl EndpointQuery {
    fn fits(&self, row: &EndpointAnswer) -> bool {
        let holds = |terms: &Terms<String>, value: &str| {
            let same = |term: &String| term.eq_ignore_ascii_case(value);
            (terms.any.is_empty() || terms.any.iter().any(same)) && !terms.none.iter().any(same)
        };
        let name = [&row.method, " ", &row.host, &row.template].map(|part| part.to_ascii_lowercase()).concat();
        let inventory = |state: &Inventory| row.inventory == Some(*state);
        (self.inventory.any.is_empty() || self.inventory.any.iter().any(inventory))
            && !self.inventory.none.iter().any(inventory)
            && holds(&self.method, &row.method)
            && holds(&self.host, &row.host)
            && holds(&self.auth, row.auth)
            && (self.text.any.is_empty() || self.text.any.iter().any(|text| name.contains(text)))
            && !self.text.none.iter().any(|text| name.contains(text))
            && self.min_risk.is_none_or(|least| row.risk >= least)
            && self.from_ms.is_none_or(|from| row.calls > 0 && row.last_ms >= from)
    }

    fn value(&self, row: &EndpointAnswer) -> u64 {
        match self.sort {
            EndpointSort::Calls => row.calls,
            EndpointSort::Sessions => row.sessions,
            EndpointSort::Users => row.users,
            EndpointSort::Risk => u64::from(row.risk),
            EndpointSort::Attacks => row.attacks,
            EndpointSort::FirstSeen => row.first_ms,
            EndpointSort::LastSeen => row.last_ms,
        }
    }

    /// The page that is asked for.
    pub fn page(&self, rows: Vec<EndpointAnswer>) -> Page<EndpointAnswer> {
        let placed = rows.into_iter().filter(|row| self.fits(row)).map(|row| {
            let id = u128::from_str_radix(&row.id, 16).unwrap_or(0);
            (self.value(&row), id, row)
        });
        let wanted =
            placed.filter(|(value, id, _)| self.after.is_none_or(|after| is_after((*value, *id), after, self.order)));
        Page::of(wanted.collect(), self.order, self.limit)
    }
}

impl Survey<'_> {
    /// Every endpoint, called or documented.
    pub fn rows(&self) -> Vec<EndpointAnswer> {
        // By method, host and template, as the documents name them.
        let mut joined: BTreeMap<(String, String, String), (Tally, Vec<String>)> = BTreeMap::new();
        let mut called: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (key, tally) in self.endpoints {
            let (method, host, template) = parts(key);
            let (path, operation) = template.split_once('#').unwrap_or((template, ""));
            let found = self.catalogue.find(method, host, path).map(|(known, _)| known);
            if let Some(known) = found {
                called.extend(self.catalogue.claims(known).map(|other| (other.document, other.operation)));
            }
            let compared = self.catalogue.compare(&Seen { method, host, path, status: 200, ..Seen::default() });
            let name = with_operation(compared.template.unwrap_or(path), operation);
            let (sum, recorded) = joined.entry((method.to_owned(), host.to_owned(), name)).or_default();
            sum.merge(tally);
            recorded.push(template.to_owned());
        }
        let mut rows: Vec<EndpointAnswer> = joined
            .into_iter()
            .map(|((method, host, template), (tally, recorded))| self.row(&method, &host, template, &tally, recorded))
            .collect();
        let mut told = BTreeSet::new();
        for known in self.catalogue.known() {
            let operation = (known.document, known.operation);
            if known.standing < Standing::Removed && !called.contains(&operation) && told.insert(operation) {
                rows.push(self.orphan(known));
            }
        }
        rows
    }

    fn row(&self, method: &str, host: &str, template: String, tally: &Tally, recorded: Vec<String>) -> EndpointAnswer {
        let path = path_of(&template);
        let found = self.catalogue.find(method, host, path).map(|(known, _)| known);
        let retiring = found.is_none_or(|known| {
            let since = self.documents.get(known.document).map_or(0, |document| document.added_ms);
            known.standing == Standing::Current && tally.zombie_ms > since
        }) && tally.zombie_ms > 0;
        let seen = Seen { method, host, path, status: 200, retiring, ..Seen::default() };
        let inventory = self.catalogue.compare(&seen).inventory;
        let mut reasons = Vec::new();
        let mut documents = Vec::new();
        if let Some(known) = found {
            let name = self.name(known);
            match known.standing {
                Standing::Current => {}
                Standing::Deprecated => reasons.push(format!("deprecated in {name}")),
                Standing::Removed => reasons.push(format!("removed in a later version than {name}")),
            }
            documents.push(name);
            let is_listed = self
                .catalogue
                .claims(known)
                .any(|claim| claim.host.as_deref().is_none_or(|h| h == crate::inventory::openapi::host_of(host)));
            if !is_listed {
                reasons.push("the host is in no document".to_owned());
            }
        } else if inventory == Some(Inventory::Shadow) {
            reasons.push(match self.catalogue.has_path(path) {
                true => format!("no document has {method} on this path"),
                false => "the path is in no document".to_owned(),
            });
        }
        let unlisted = found.map_or_else(Vec::new, |known| self.unlisted(known, tally));
        if !unlisted.is_empty() {
            reasons.push(format!("answers with statuses that are not in its document: {}", unlisted.join(", ")));
        }
        if retiring {
            reasons.push("it answers with Deprecation or Sunset".to_owned());
        }
        let (auth, auth_means) = tally.posture();
        let (risk, risk_reasons) = risk(method, path, inventory, tally, auth, found);
        let learned = self.learned.iter().any(|learned| learned.template == template);
        EndpointAnswer {
            id: id_of(method, host, &template),
            method: method.to_owned(),
            host: host.to_owned(),
            inventory,
            reasons,
            calls: tally.calls,
            sessions: tally.sessions.count(),
            users: tally.users.count(),
            statuses: tally.statuses.iter().map(|(status, calls)| (status.to_string(), *calls)).collect(),
            auth,
            auth_means,
            sensitive: tally.traits.sensitive.names(),
            parameters: parameters(&tally.traits),
            attacks: tally.attacks,
            risk,
            risk_reasons,
            duration_ms: spread(&tally.durations),
            response_bytes: spread(&tally.response_sizes),
            documents,
            learned,
            first_seen: Some(rfc3339(tally.first_ms)),
            last_seen: Some(rfc3339(tally.last_ms)),
            first_ms: tally.first_ms,
            last_ms: tally.last_ms,
            recorded,
            template,
        }
    }

    /// Statuses answered that the document lists none of, where it lists any.
    fn unlisted(&self, known: &Known, tally: &Tally) -> Vec<String> {
        let Some(contract) = self.documents.get(known.document).and_then(|d| d.contract(known.operation)) else {
            return Vec::new();
        };
        let is_listed = |status: u16| contract.answers.iter().any(|a| [0, status, status / 100].contains(&a.status));
        let statuses = tally.statuses.keys().filter(|status| **status > 0 && !is_listed(**status));
        if contract.answers.is_empty() { Vec::new() } else { statuses.map(u16::to_string).collect() }
    }

    fn orphan(&self, known: &Known) -> EndpointAnswer {
        let (method, host, template) = (&*known.method, known.host.as_deref().unwrap_or(""), &*known.template);
        EndpointAnswer {
            id: id_of(method, host, template),
            method: method.to_owned(),
            host: host.to_owned(),
            template: template.to_owned(),
            inventory: Some(Inventory::Orphan),
            reasons: vec!["documented, and never called".to_owned()],
            calls: 0,
            sessions: 0,
            users: 0,
            statuses: BTreeMap::new(),
            auth: "unknown",
            auth_means: Vec::new(),
            sensitive: Vec::new(),
            parameters: Vec::new(),
            attacks: 0,
            risk: 0,
            risk_reasons: Vec::new(),
            duration_ms: None,
            response_bytes: None,
            documents: vec![self.name(known)],
            learned: false,
            first_seen: None,
            last_seen: None,
            first_ms: 0,
            last_ms: 0,
            recorded: Vec::new(),
        }
    }

    fn name(&self, known: &Known) -> String {
        let document = self.documents.get(known.document);
        document.map_or_else(String::new, |document| [document.title, " ", document.version].concat().trim().to_owned())
    }
}

/// A sum of what makes an endpoint worth a look, each with its share.
fn risk(
    method: &str,
    template: &str,
    inventory: Option<Inventory>,
    tally: &Tally,
    auth: &str,
    known: Option<&Known>,
) -> (u8, Vec<String>) {
    const INTERNAL: [&str; 12] = [
        "admin", "debug", "internal", "actuator", "config", "backup", "metrics", "private", "console", "env", "dump",
        "test",
    ];
    let (mut risk, mut reasons) = (0u64, Vec::new());
    let mut count = |points: u64, reason: String| {
        if points > 0 {
            risk += points;
            reasons.push(format!("{reason}: {points}"));
        }
    };
    match inventory {
        Some(Inventory::Shadow) => count(30, "in no document".to_owned()),
        Some(Inventory::Zombie) => count(25, "to be gone, and still answered".to_owned()),
        _ => {}
    }
    let rogue = matches!(inventory, Some(Inventory::Shadow | Inventory::Zombie));
    let open = matches!(auth, "none" | "mixed");
    if known.is_some_and(|known| known.secured) && open {
        count(30, "answers callers without authentication, against its document".to_owned());
    } else if rogue && open {
        count(15, "answers callers without authentication".to_owned());
    }
    if rogue && !matches!(method, "GET" | "HEAD") {
        count(10, "changes something".to_owned());
    }
    let sensitive = tally.traits.sensitive;
    if sensitive.0 != 0 {
        let names = sensitive.names().join(", ");
        let grave = sensitive.0 & Sensitive::GRAVE.0 != 0;
        match (open, grave) {
            (true, _) => count(if grave { 30 } else { 15 }, format!("shows {names} to callers without authentication")),
            (false, true) => count(10, format!("shows {names}")),
            (false, false) => {}
        }
    }
    let is_internal = template.split('/').any(|part| INTERNAL.iter().any(|word| part.eq_ignore_ascii_case(word)));
    if rogue && is_internal {
        count(20, "has the name of something internal".to_owned());
    }
    let share = |calls: u64| calls.saturating_mul(100) / tally.calls.max(1);
    count(share(tally.attacks).min(20), format!("{} of {} calls completed a finding", tally.attacks, tally.calls));
    let failed = tally.statuses.range(500..).map(|(_, calls)| calls).sum::<u64>();
    if share(failed) >= 5 {
        count(10, format!("{failed} of {} calls failed", tally.calls));
    }
    (risk.min(100) as u8, reasons)
}

fn spread(quantiles: &Quantiles) -> Option<Spread> {
    let at = |q| quantiles.quantile(q).map(|value| (value * 10.0).round() / 10.0);
    Some(Spread { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)? })
}

/// Names an endpoint: FNV-1a of 128 bits over method, host and template.
pub fn id_of(method: &str, host: &str, template: &str) -> String {
    let bytes = [method, "\n", host, "\n", template].map(str::as_bytes).concat();
    let fold = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    format!("{:032x}", bytes.into_iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, fold))
}

#[cfg(test)]
mod tests;
