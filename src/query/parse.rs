//! Query strings → typed questions. Whatever is not understood is refused by name: a filter that is silently ignored
//! shows an analyst the wrong sessions.

use core::fmt;
use core::net::IpAddr;

use ipnet::IpNet;

use super::cursor::{Cursor, Positions};
use super::filter::{EndpointTerm, Filter, StatusTerm, Terms, UserTerm};
use super::params::ParamTest;
use super::time::parse_time;
use super::{DEFAULT_LIMIT, EventQuery, GroupBy, MAX_LIMIT, Order, SessionQuery, SortBy, StatsQuery};
use crate::inspect::Attack;
use crate::inventory::Inventory;
use crate::policy::parse_duration_ms;
use crate::session::{Detector, EventId, Judgement, SessionId, State};
use crate::sorting;

/// A parameter that cannot be taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterError {
    pub name: String,
    pub reason: String,
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter `{}` {}", self.name, self.reason)
    }
}

impl core::error::Error for ParameterError {}

/// Terms one question may have, all filters together.
const MAX_TERMS: usize = 64;
/// Longest value of a parameter, bytes.
const MAX_VALUE: usize = 2_048;
/// … and of a cursor, which says how far each shard was.
const MAX_CURSOR: usize = 16_384;
/// Buckets of one statistic.
pub(super) const MAX_BUCKETS: u64 = 1_500;
const MINUTE_MS: u64 = 60_000;

pub(super) type Pairs = Vec<(String, String)>;

/// A typed question about a list, with what its cursors carry.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<Q> {
    pub query: Q,
    /// Hash of the question, so that a cursor is good for its own only.
    pub question: u32,
    /// Moment the first page was asked for, epoch ms: what is relative in the question is relative to it.
    pub as_of_ms: u64,
    /// How far the journals were then; nothing on the first page.
    pub positions: Positions,
}

/// Parses `GET sessions`.
pub fn parse_sessions(query: &str, now_ms: u64) -> Result<Asked<SessionQuery>, ParameterError> {
    let mut pairs = pairs(query)?;
    let page = take_page(&mut pairs, "sessions", Order::Desc)?;
    let sort = match take(&mut pairs, "sort")?.as_deref() {
        None | Some("last_seen") => SortBy::LastSeen,
        Some("first_seen") => SortBy::FirstSeen,
        Some("risk") => SortBy::Risk,
        Some("requests") => SortBy::Requests,
        Some("duration") => SortBy::Duration,
        Some(_) => return Err(error("sort", "is none of: last_seen, first_seen, risk, requests, duration")),
    };
    let as_of_ms = page.cursor.as_ref().map_or(now_ms, |c| c.as_of_ms);
    let filter = filter(pairs, as_of_ms)?;
    let after = page.cursor.as_ref().map(|c| (c.value, c.id));
    let positions = page.cursor.map(|c| c.positions).unwrap_or_default();
    let (order, limit) = (page.order, page.limit);
    let query = SessionQuery { filter, sort, order, limit, as_of_ms, position: None, after, resume: None, floor: None };
    Ok(Asked { query, question: page.question, as_of_ms, positions })
}

/// Parses `GET events` and, with `of` a session, `GET sessions/{id}/events`, whose default order is the other one.
pub fn parse_events(query: &str, now_ms: u64, of: Option<SessionId>) -> Result<Asked<EventQuery>, ParameterError> {
    let mut pairs = pairs(query)?;
    let list = of.map_or_else(|| "events".to_owned(), |id| format!("sessions/{id}/events"));
    let page = take_page(&mut pairs, &list, if of.is_some() { Order::Asc } else { Order::Desc })?;
    if take(&mut pairs, "sort")?.is_some_and(|sort| sort != "time") {
        return Err(error("sort", "is not `time`, the only one for events"));
    }
    let as_of_ms = page.cursor.as_ref().map_or(now_ms, |c| c.as_of_ms);
    let mut filter = filter(pairs, as_of_ms)?;
    if let Some(name) = filter.asks_of_session() {
        return Err(error(name, "filters sessions, not events"));
    }
    if let Some(id) = of {
        // A `session` filter beside the path can only narrow it.
        filter.session.none.extend(
            filter
                .session
                .any
                .iter()
                .all(|other| *other != id)
                .then_some(id)
                .filter(|_| !filter.session.any.is_empty()),
        );
        filter.session.any = vec![id];
    }
    let after = page.cursor.as_ref().map(|c| c.id);
    let positions = page.cursor.map(|c| c.positions).unwrap_or_default();
    let query = EventQuery { after, ..EventQuery::first(filter, page.order, page.limit) };
    Ok(Asked { query, question: page.question, as_of_ms, positions })
}

/// Parses `GET stats`.
pub fn parse_stats(query: &str, now_ms: u64) -> Result<StatsQuery, ParameterError> {
    let mut pairs = pairs(query)?;
    let bucket = take(&mut pairs, "bucket")?;
    let bucket_ms = match bucket.as_deref().map(parse_duration_ms) {
        None => 0,
        Some(Some(ms)) if ms >= MINUTE_MS && ms % MINUTE_MS == 0 => ms,
        Some(_) => return Err(error("bucket", "is no whole number of minutes; write for example 1m, 1h, 1d")),
    };
    let group_by = match take(&mut pairs, "group_by")?.as_deref() {
        None => None,
        Some("country") => Some(GroupBy::Country),
        Some("endpoint") => Some(GroupBy::Endpoint),
        Some("status") => Some(GroupBy::Status),
        Some("method") => Some(GroupBy::Method),
        Some("host") => Some(GroupBy::Host),
        Some("asn") => Some(GroupBy::Asn),
        Some("flow") => Some(GroupBy::Flow),
        Some(_) => return Err(error("group_by", "is none of: country, endpoint, status, method, host, asn, flow")),
    };
    let param = take(&mut pairs, "param")?;
    let filter = filter(pairs, now_ms)?;
    if let Some(name) = filter.asks_of_session() {
        return Err(error(name, "filters sessions; a statistic counts events"));
    }
    if bucket_ms != 0 {
        let from = filter.from_ms.ok_or_else(|| error("bucket", "needs `from`, so that the buckets can be counted"))?;
        let span = filter.to_ms.unwrap_or(now_ms).saturating_sub(from);
        if span >= MAX_BUCKETS.saturating_mul(bucket_ms) {
            return Err(error(
                "bucket",
                &format!("gives more than {MAX_BUCKETS} buckets; make it wider or the range shorter"),
            ));
        }
    }
    Ok(StatsQuery { filter, bucket_ms, group_by, param, resume: None })
}

pub(super) struct PageRequest {
    pub(super) order: Order,
    pub(super) limit: u32,
    pub(super) cursor: Option<Cursor>,
    pub question: u32,
}

pub(super) fn take_page(pairs: &mut Pairs, list: &str, default_order: Order) -> Result<PageRequest, ParameterError> {
    let limit = match take(pairs, "limit")? {
        None => DEFAULT_LIMIT,
        Some(text) => match text.parse() {
            Ok(n) if (1..=MAX_LIMIT).contains(&n) => n,
            _ => return Err(error("limit", &format!("is no whole number from 1 to {MAX_LIMIT}"))),
        },
    };
    let cursor = take(pairs, "cursor")?;
    // Everything but the page's size and place is the question; a cursor belongs to one question.
    let question = question_hash(list, pairs);
    let cursor =
        cursor.map(|text| Cursor::decode(&text, question).map_err(|reason| error("cursor", reason))).transpose()?;
    let order = match take(pairs, "order")?.as_deref() {
        None => default_order,
        Some("asc") => Order::Asc,
        Some("desc") => Order::Desc,
        Some(_) => return Err(error("order", "is neither asc nor desc")),
    };
    Ok(PageRequest { order, limit, cursor, question })
}

fn question_hash(list: &str, pairs: &Pairs) -> u32 {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorting::sort(&mut sorted);
    let bytes = sorted.into_iter().flat_map(|(n, v)| n.bytes().chain([0]).chain(v.bytes()).chain([1]));
    list.bytes()
        .chain([2])
        .chain(bytes)
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

pub(super) fn error(name: &str, reason: &str) -> ParameterError {
    ParameterError { name: name.to_owned(), reason: reason.to_owned() }
}

pub(super) fn pairs(query: &str) -> Result<Pairs, ParameterError> {
    let pairs: Pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if pairs.len() > MAX_TERMS {
        return Err(error("query", &format!("has more than {MAX_TERMS} parameters")));
    }
    let most = |name: &str| if name == "cursor" { MAX_CURSOR } else { MAX_VALUE };
    match pairs.iter().find(|(name, value)| value.len() > most(name)) {
        Some((name, _)) => Err(error(name, &format!("is longer than {} bytes", most(name)))),
        None => Ok(pairs),
    }
}

/// Removes a parameter that may stand once.
pub(super) fn take(pairs: &mut Pairs, name: &str) -> Result<Option<String>, ParameterError> {
    let mut values = pairs.extract_if(.., |(n, _)| n == name).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(error(name, "is given more than once"));
    }
    Ok(first)
}

fn filter(pairs: Pairs, now_ms: u64) -> Result<Filter, ParameterError> {
    let mut filter = Filter::default();
    for (name, value) in pairs {
        // `name!=value` arrives as the name `name!`.
        let (field, excluded) = name.strip_suffix('!').map_or((name.as_str(), false), |field| (field, true));
        let done = set(&mut filter, field, excluded, &value, now_ms);
        done.map_err(|reason| ParameterError { name: name.clone(), reason })?;
    }
    if let (Some(from), Some(to)) = (filter.from_ms, filter.to_ms)
        && from > to
    {
        return Err(error("from", "is later than `to`"));
    }
    Ok(filter)
}

fn set(filter: &mut Filter, field: &str, excluded: bool, value: &str, now_ms: u64) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    match field {
        "ip" => add(&mut filter.ip, excluded, network(value), "is no address or CIDR block"),
        "country" => {
            let country =
                (value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| value.to_owned());
            add(&mut filter.country, excluded, country, "is no two-letter country code")
        }
        "asn" => {
            let number = value.strip_prefix("AS").or_else(|| value.strip_prefix("as")).unwrap_or(value);
            let digits = number.bytes().all(|b| b.is_ascii_digit());
            add(&mut filter.asn, excluded, number.parse().ok().filter(|_| digits), "is no AS number")
        }
        "host" => add(&mut filter.host, excluded, Some(value.to_owned()), ""),
        "endpoint" => {
            let wrong = "is none of: /path/{name}, METHOD /path, METHOD host/path";
            add(&mut filter.endpoint, excluded, EndpointTerm::parse(value), wrong)
        }
        "method" => {
            let method = value.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-').then(|| value.to_owned());
            add(&mut filter.method, excluded, method, "is no HTTP method")
        }
        "status" => {
            add(&mut filter.status, excluded, status(value), "is neither a status like 404 nor a class like 4xx")
        }
        "attack" => {
            let attack = Detector::from_name(value).and_then(Detector::attack);
            let known = format!("is none of: {}", Attack::ALL.map(Attack::name).join(", "));
            add(&mut filter.attack, excluded, attack, &known)
        }
        "detector" => add(&mut filter.detector, excluded, Detector::from_name(value), &known_detectors()),
        "state" => {
            let state = [("clear", State::Clear), ("flagged", State::Flagged), ("blocked", State::Blocked)];
            let state = state.into_iter().find(|(name, _)| *name == value).map(|(_, state)| state);
            add(&mut filter.state, excluded, state, "is none of: clear, flagged, blocked")
        }
        "label" => add(&mut filter.label, excluded, Judgement::parse(value), super::feed::LABELS),
        "inventory" => {
            let wrong = "is none of: documented, shadow, zombie, orphan";
            add(&mut filter.inventory, excluded, Inventory::parse(value), wrong)
        }
        "user" => add(&mut filter.user, excluded, Some(UserTerm(vec![value.to_owned()])), ""),
        "attempted_user" => add(&mut filter.attempted_user, excluded, Some(UserTerm(vec![value.to_owned()])), ""),
        "role" => add(&mut filter.role, excluded, Some(value.to_owned()), ""),
        "flow" => add(&mut filter.flow, excluded, Some(value.to_owned()), ""),
        "session" => add(&mut filter.session, excluded, SessionId::parse(value), "is no session id (32 hex digits)"),
        "request" => add(&mut filter.request, excluded, EventId::parse(value), "is no request id (26 base32 digits)"),
        "q" => add(&mut filter.text, excluded, Some(value.to_ascii_lowercase()), ""),
        "from" | "to" | "min_risk" | "min_requests" if excluded => Err("cannot exclude; use it without `!`".to_owned()),
        "from" => once(&mut filter.from_ms, parse_time(value, now_ms), TIME),
        "to" => once(&mut filter.to_ms, parse_time(value, now_ms), TIME),
        "min_risk" => {
            let risk = value.parse().ok().filter(|risk| *risk <= 100);
            once(&mut filter.min_risk, risk, "is no whole number from 0 to 100")
        }
        "min_requests" => once(&mut filter.min_requests, value.parse().ok(), "is no whole number"),
        _ => match field.strip_prefix("param.").filter(|name| !name.is_empty()) {
            Some(name) => {
                let test = ParamTest::parse(value).ok_or("compares with what is neither a number nor a time")?;
                filter.add_param(name, excluded, test);
                Ok(())
            }
            None => Err("is not known here".to_owned()),
        },
    }
}

pub(super) const TIME: &str = "is neither an RFC 3339 time like 2026-01-31T12:00:00Z nor a time back like -1h";

pub(super) fn add<T>(terms: &mut Terms<T>, excluded: bool, term: Option<T>, wrong: &str) -> Result<(), String> {
    let term = term.ok_or_else(|| wrong.to_owned())?;
    if excluded { &mut terms.none } else { &mut terms.any }.push(term);
    Ok(())
}

pub(super) fn once<T>(slot: &mut Option<T>, value: Option<T>, wrong: &str) -> Result<(), String> {
    if slot.is_some() {
        return Err("is given more than once".to_owned());
    }
    *slot = Some(value.ok_or_else(|| wrong.to_owned())?);
    Ok(())
}

fn network(text: &str) -> Option<IpNet> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(net);
    }
    text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()))
}

fn status(text: &str) -> Option<StatusTerm> {
    if let [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
        return Some(StatusTerm::Class(u16::from(class - b'0')));
    }
    text.parse().ok().filter(|code| (100..=999).contains(code)).map(StatusTerm::Code)
}

pub(super) fn known_detectors() -> String {
    format!("is none of: {}", Detector::all().map(Detector::name).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        parse_sessions(query, 1_000_000_000_000).expect_err(query).name
    }

    #[test]
    fn every_filter_is_understood_alone_repeated_and_excluded() {
        let query = "ip=203.0.113.0/24&ip=2001:db8::1&country=DE&country!=AT&asn=AS3320&host=shop.test&endpoint=GET+/a/{id}\
                     &method=GET&status=404&status=5xx&detector=forced_browsing&state=flagged&q=ADMIN\
                     &from=-1h&to=2033-05-18T03:33:20Z&min_risk=50&min_requests=3&sort=risk&order=asc&limit=500\
                     &session=00112233445566778899aabbccddeeff&request=01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let parsed = parse_sessions(query, 1_000_000_000_000).unwrap().query;
        assert_eq!((parsed.filter.ip.any.len(), parsed.filter.country.none.len()), (2, 1));
        assert_eq!(parsed.filter.asn.any, [3320]);
        assert_eq!(parsed.filter.status.any, [StatusTerm::Code(404), StatusTerm::Class(5)]);
        assert_eq!(parsed.filter.text.any, ["admin"]);
        assert_eq!((parsed.sort, parsed.order, parsed.limit), (SortBy::Risk, Order::Asc, 500));
        assert_eq!(parsed.filter.from_ms, Some(1_000_000_000_000 - 3_600_000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, name) in [
            ("colour=red", "colour"),
            ("ip=300.1.1.1", "ip"),
            ("ip=", "ip"),
            ("country=Germany", "country"),
            ("status=40x", "status"),
            ("status=99", "status"),
            ("from=yesterday", "from"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
            ("from!=-1h", "from!"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=1&limit=2", "limit"),
            ("sort=colour", "sort"),
            ("order=up", "order"),
            ("cursor=x", "cursor"),
            ("min_risk=101", "min_risk"),
            ("min_requests=-1", "min_requests"),
            ("session=xyz", "session"),
            ("request=xyz", "request"),
            ("detector=magic", "detector"),
            ("endpoint=orders", "endpoint"),
            ("method=G%20T", "method"),
            ("inventory=ghost", "inventory"),
        ] {
            assert_eq!(refused(query), name, "{query}");
        }
        let long = |n: usize| format!("q={}", "a".repeat(n));
        assert!(parse_sessions(&long(MAX_VALUE), 0).is_ok());
        assert_eq!(refused(&long(MAX_VALUE + 1)), "q");
        let many = |n: usize| vec!["method=GET"; n].join("&");
        assert!(parse_sessions(&many(MAX_TERMS), 0).is_ok());
        assert_eq!(refused(&many(MAX_TERMS + 1)), "query");
    }

    #[test]
    fn events_have_one_order_and_no_filters_of_sessions() {
        assert!(parse_events("sort=time&status=4xx", 0, None).is_ok());
        assert!(parse_events("sort=risk", 0, None).is_err());
        assert_eq!(parse_events("min_risk=5", 0, None).map_err(|e| e.name), Err("min_risk".to_owned()));
    }

    #[test]
    fn a_statistic_has_at_most_so_many_buckets() {
        let now = MAX_BUCKETS * MINUTE_MS;
        assert!(parse_stats("bucket=1m&from=1970-01-01T00:00:01Z", now).is_ok());
        assert!(parse_stats("bucket=1m&from=1970-01-01T00:00:00Z", now).is_err());
        for bad in ["bucket=1s", "bucket=1m", "bucket=90s&from=-1h", "group_by=user", "state=clear"] {
            assert!(parse_stats(bad, now).is_err(), "{bad}");
        }
    }
}
