//! `GET endpoints/changes`: what the fleet noted about endpoints, under the names that documents give them now.

use serde::Serialize;

use super::endpoints::id_of;
use super::filter::{Terms, contains_ignore_case, parts};
use super::parse::{Asked, ParameterError, TIME, add, error, once, pairs, take_page};
use super::time::{parse_time, rfc3339};
use super::{Order, Page, Positions, is_after};
use crate::inventory::{Catalogue, ChangeKind, EndpointChange, Seen, with_operation};

/// A page of changes is asked for, newest first unless told otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeQuery {
    pub kind: Terms<ChangeKind>,
    /// Substring of the endpoint's name, lower case.
    pub text: Terms<String>,
    pub from_ms: Option<u64>,
    pub to_ms: Option<u64>,
    pub order: Order,
    pub limit: u32,
    pub after: Option<(u64, u128)>,
}

/// A change as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeAnswer {
    pub id: u64,
    pub time: String,
    pub kind: &'static str,
    /// Id of the endpoint.
    pub endpoint: String,
    pub method: String,
    pub host: String,
    pub template: String,
    /// What it was, and what it is; `null` for nothing.
    pub from: Option<String>,
    pub to: Option<String>,
    #[serde(skip)]
    time_ms: u64,
}

impl ChangeAnswer {
    /// A change under the name that the documents give its endpoint.
    pub fn new(change: &EndpointChange, catalogue: &Catalogue) -> Self {
        let (method, host, template) = parts(&change.endpoint);
        let (path, operation) = template.split_once('#').unwrap_or((template, ""));
        let compared = catalogue.compare(&Seen { method, host, path, status: 200, ..Seen::default() });
        let template = with_operation(compared.template.unwrap_or(path), operation);
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            id: change.id,
            time: rfc3339(change.time_ms),
            kind: change.kind.name(),
            endpoint: id_of(method, host, &template),
            method: method.to_owned(),
            host: host.to_owned(),
            template,
            from: said(&change.from),
            to: said(&change.to),
            time_ms: change.time_ms,
        }
    }
}

/// Parses `GET endpoints/changes`.
pub fn parse_changes(query: &str, now_ms: u64) -> Result<Asked<ChangeQuery>, ParameterError> {
    let mut pairs = pairs(query)?;
    let page = take_page(&mut pairs, "changes", Order::Desc)?;
    let as_of_ms = page.cursor.as_ref().map_or(now_ms, |cursor| cursor.as_of_ms);
    let after = page.cursor.as_ref().map(|cursor| (cursor.value, cursor.id));
    let (kind, text) = (Terms::default(), Terms::default());
    let mut query = ChangeQuery { kind, text, from_ms: None, to_ms: None, order: page.order, limit: page.limit, after };
    for (name, value) in pairs {
        let (field, excluded) = name.strip_suffix('!').map_or((name.as_str(), false), |field| (field, true));
        set(&mut query, field, excluded, &value, as_of_ms).map_err(|reason| error(&name, &reason))?;
    }
    Ok(Asked { query, question: page.question, as_of_ms, positions: Positions::default() })
}

fn set(query: &mut ChangeQuery, field: &str, excluded: bool, value: &str, now_ms: u64) -> Result<(), String> {
    match field {
        _ if value.is_empty() => Err("is empty".to_owned()),
        "kind" => {
            let wrong = "is none of: new, gone, inventory, auth, status, sensitive";
            add(&mut query.kind, excluded, ChangeKind::parse(value), wrong)
        }
        "q" => add(&mut query.text, excluded, Some(value.to_ascii_lowercase()), ""),
        "from" | "to" if excluded => Err("cannot exclude; use it without `!`".to_owned()),
        "from" => once(&mut query.from_ms, parse_time(value, now_ms), TIME),
        "to" => once(&mut query.to_ms, parse_time(value, now_ms), TIME),
        _ => Err("is not known here".to_owned()),
    }
}

impl ChangeQuery {
    fn fits(&self, change: &ChangeAnswer) -> bool {
        let name = [change.method.as_str(), " ", &change.host, &change.template].concat();
        let is_kind = |kind: &ChangeKind| kind.name() == change.kind;
        let is_in = |text: &String| contains_ignore_case(&name, text);
        (self.kind.any.is_empty() || self.kind.any.iter().any(is_kind))
            && !self.kind.none.iter().any(is_kind)
            && (self.text.any.is_empty() || self.text.any.iter().any(is_in))
            && !self.text.none.iter().any(is_in)
            && self.from_ms.is_none_or(|from| change.time_ms >= from)
            && self.to_ms.is_none_or(|to| change.time_ms <= to)
    }

    /// The page that is asked for.
    pub fn page(&self, changes: Vec<ChangeAnswer>) -> Page<ChangeAnswer> {
        let placed = changes.into_iter().filter(|change| self.fits(change)).map(|change| (change.id, 0, change));
        let wanted = placed.filter(|(id, ..)| self.after.is_none_or(|after| is_after((*id, 0), after, self.order)));
        Page::of(wanted.collect(), self.order, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_filtered_and_paged() {
        let change = |id: u64, kind, endpoint: &str| EndpointChange {
            id,
            time_ms: id * 1_000,
            endpoint: endpoint.into(),
            kind,
            from: "".into(),
            to: "zombie".into(),
        };
        let all: Vec<ChangeAnswer> = [
            change(1, ChangeKind::New, "GET a.test/orders/{integer}"),
            change(2, ChangeKind::New, "POST a.test/graphql#query Cart"),
            change(3, ChangeKind::Inventory, "GET a.test/orders/{integer}"),
        ]
        .iter()
        .map(|change| ChangeAnswer::new(change, &Catalogue::default()))
        .collect();
        let ids = |query: &str| {
            let asked = parse_changes(query, 10_000).unwrap().query;
            asked.page(all.clone()).items.into_iter().map(|(id, ..)| id).collect::<Vec<_>>()
        };
        assert_eq!(ids(""), [3, 2, 1]);
        assert_eq!(ids("order=asc&limit=2"), [1, 2]);
        assert_eq!(ids("kind=new"), [2, 1]);
        assert_eq!(ids("kind!=new"), [3]);
        assert_eq!(ids("q=GRAPHQL"), [2]);
        assert_eq!(ids("from=-8s&to=-7s"), [3, 2]);
        assert_eq!((all[2].from.as_deref(), all[2].to.as_deref()), (None, Some("zombie")));
        for (query, name) in [("kind=odd", "kind"), ("from!=-1h", "from!"), ("sort=id", "sort"), ("q=", "q")] {
            assert_eq!(parse_changes(query, 0).map_err(|e| e.name), Err(name.to_owned()), "{query}");
        }
    }
}
