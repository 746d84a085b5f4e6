//! Share links: one session or one filter, read-only, for a while, until revoked.
//!
//! A link's token names the share, says when it ends, and is signed; what it shows is looked up in the fleet, which is
//! also where revoking it takes effect. Every operation is checked against the scope here, and nothing is allowed that is
//! not named here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Operation, Refusal, bad};
use crate::export::Of;
use crate::identity::Keyring;
use crate::policy::parse_duration_ms;
use crate::query::{parse_events, parse_findings, parse_sessions, parse_time, rfc3339};
use crate::session::SessionId;

/// What a share's token begins with, so that it is recognised where it is found.
const PREFIX: &str = "tls_";
/// How long a share holds when nothing is said, and at the most, ms.
const DEFAULT_FOR_MS: u64 = 7 * 86_400_000;
const MAX_FOR_MS: u64 = 90 * 86_400_000;
const MIN_FOR_MS: u64 = 60_000;
/// Longest note and longest filter, bytes.
const MAX_NOTE: usize = 200;
const MAX_FILTER: usize = 2_048;
/// Shares that hold at the same time.
pub const MAX_SHARES: usize = 1_000;

/// What a share shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    Session(SessionId),
    /// A list with the filters of this query string, in which no time is relative.
    List(Of, String),
}

/// A share as the fleet keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub id: u64,
    pub scope: Scope,
    pub created_ms: u64,
    pub until_ms: u64,
    pub by: String,
    pub note: String,
}

/// `POST share`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareOrder {
    session: Option<String>,
    list: Option<String>,
    filter: Option<String>,
    r#for: Option<String>,
    note: Option<String>,
}

impl ShareOrder {
    /// The share that is asked for.
    pub fn resolve(self, id: u64, by: String, now_ms: u64) -> Result<Share, Refusal> {
        let wrong = |text: &str| Err(Refusal::Body(text.to_owned()));
        let scope = match (self.session, self.list) {
            (Some(session), None) if self.filter.is_none() => match SessionId::parse(&session) {
                Some(id) => Scope::Session(id),
                None => return wrong("`session` is no session id"),
            },
            (None, Some(list)) => {
                let Some(of) = Of::from_name(&list) else {
                    return wrong("`list` is none of: sessions, events, findings");
                };
                Scope::List(of, settled(of, self.filter.as_deref().unwrap_or(""), now_ms)?)
            }
            _ => return wrong("name either a `session`, or a `list` with its `filter`"),
        };
        let for_ms = match self.r#for.as_deref().map(parse_duration_ms) {
            None => DEFAULT_FOR_MS,
            Some(Some(ms)) if (MIN_FOR_MS..=MAX_FOR_MS).contains(&ms) => ms,
            Some(_) => return wrong("`for` is no duration from 1m to 90d"),
        };
        let note = self.note.unwrap_or_default();
        if note.len() > MAX_NOTE {
            return Err(Refusal::Body(format!("`note` is longer than {MAX_NOTE} bytes")));
        }
        // Whole seconds: the token says them.
        let until_ms = now_ms.saturating_add(for_ms) / 1_000 * 1_000;
        Ok(Share { id, scope, created_ms: now_ms, until_ms, by, note })
    }
}

/// Checks a filter and makes its times absolute: a link shows tomorrow what it shows today.
fn settled(of: Of, filter: &str, now_ms: u64) -> Result<String, Refusal> {
    if filter.len() > MAX_FILTER {
        return Err(Refusal::Body(format!("`filter` is longer than {MAX_FILTER} bytes")));
    }
    let mut settled = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(filter.as_bytes()) {
        if matches!(name.as_ref(), "limit" | "cursor" | "sort" | "order") {
            return Err(Refusal::Body(format!("`filter` has `{name}`, which is no filter")));
        }
        let time = matches!(name.as_ref(), "from" | "to").then(|| parse_time(&value, now_ms)).flatten();
        settled.append_pair(&name, &time.map_or_else(|| value.clone().into_owned(), rfc3339));
    }
    let settled = settled.finish();
    let parsed = match of {
        Of::Sessions => parse_sessions(&settled, now_ms).err(),
        Of::Events => parse_events(&settled, now_ms, None).err(),
        Of::Findings => parse_findings(&settled, now_ms).err(),
    };
    parsed.map_or(Ok(settled), |error| Err(Refusal::Body(format!("`filter`: {error}"))))
}

impl Share {
    /// The token that opens it.
    pub fn token(&self, ring: &Keyring) -> String {
        let said = said(self.id, self.until_ms / 1_000);
        let bytes = [said.as_slice(), &ring.sign_share(&said)].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The share's id as the API writes it.
    pub fn name(&self) -> String {
        format!("{:016x}", self.id)
    }

    /// As the API shows it.
    pub fn answer(&self) -> ShareAnswer {
        let (session, list, filter) = match &self.scope {
            Scope::Session(id) => (Some(id.to_string()), None, None),
            Scope::List(of, filter) => (None, Some(of.name()), Some(filter.clone())),
        };
        let (created, until) = (rfc3339(self.created_ms), rfc3339(self.until_ms));
        let (by, note) = (self.by.clone(), self.note.clone());
        ShareAnswer { id: self.name(), session, list, filter, created, until, by, note, token: None, link: None }
    }
}

/// A share as the API shows it; token and link only to who made it, and only then.
#[derive(Debug, Serialize)]
pub struct ShareAnswer {
    id: String,
    session: Option<String>,
    list: Option<&'static str>,
    filter: Option<String>,
    created: String,
    until: String,
    by: String,
    note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// The share a token names, if it was signed here and has not ended.
pub fn read_token(token: &str, ring: &Keyring, now_ms: u64) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
    let (said, signature) = bytes.split_at_checked(16)?;
    if signature.len() != 32 || !ring.has_signed_share(said, signature) {
        return None;
    }
    let number = |at: usize| said.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
    let (id, until_s) = (number(0)?, number(8)?);
    (until_s.saturating_mul(1_000) > now_ms).then_some(id)
}

fn said(id: u64, until_s: u64) -> [u8; 16] {
    (u128::from(id) << 64 | u128::from(until_s)).to_be_bytes()
}

/// The share a path ends in.
pub fn share_id(text: &str) -> Result<u64, Refusal> {
    let is_id = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let id = u64::from_str_radix(text, 16).ok().filter(|_| is_id);
    id.ok_or(Refusal::NotFound("A share's id has 16 hex digits."))
}

/// What has to hold of an operation that the scope allows at all.
#[derive(Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may be asked this.
    Ask(String),
    /// … once the session was found to be in the shared list.
    AskOf(SessionId, String),
}

/// What may be asked with this scope where `query` is wanted.
pub fn permit(scope: &Scope, operation: Operation, query: &str) -> Result<Permit, Refusal> {
    const OUTSIDE: Refusal = Refusal::Outside;
    let plain = || Ok(Permit::Ask(query.to_owned()));
    match (operation, scope) {
        (Operation::Health | Operation::OpenApi | Operation::Shares, _) => plain(),
        (
            Operation::Session(id) | Operation::SessionEvents(id) | Operation::SessionExport(id),
            Scope::Session(shared),
        ) => {
            if id == *shared {
                plain()
            } else {
                Err(OUTSIDE)
            }
        }
        (Operation::Events | Operation::Findings | Operation::Stream, Scope::Session(id)) => {
            Ok(Permit::Ask(with(query, |name| name != "session" && name != "session!", &format!("session={id}"))?))
        }
        (
            Operation::Session(id) | Operation::SessionEvents(id) | Operation::SessionExport(id),
            Scope::List(Of::Sessions, _),
        ) => Ok(Permit::AskOf(id, query.to_owned())),
        (Operation::Sessions | Operation::Export(Of::Sessions), Scope::List(Of::Sessions, filter))
        | (Operation::Events | Operation::Export(Of::Events), Scope::List(Of::Events, filter))
        | (Operation::Findings | Operation::Export(Of::Findings), Scope::List(Of::Findings, filter)) => {
            let own = |name: &str| matches!(name, "limit" | "cursor" | "sort" | "order" | "format");
            Ok(Permit::Ask(with(query, own, filter)?))
        }
        _ => Err(OUTSIDE),
    }
}

/// The query with what is shared behind it; a parameter that may not be chosen is refused.
fn with(query: &str, may: impl Fn(&str) -> bool, shared: &str) -> Result<String, Refusal> {
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if !may(&name) {
            return Err(bad(&name, "is decided by the share"));
        }
    }
    let between = if query.is_empty() || shared.is_empty() { "" } else { "&" };
    Ok([query, between, shared].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Kind;

    const NOW_MS: u64 = 1_700_000_000_000;
    const ID: SessionId = SessionId([7; 16]);
    const OTHER: SessionId = SessionId([8; 16]);

    fn ring() -> Keyring {
        Keyring::new(b"0123456789abcdef", None)
    }

    fn order(body: &str) -> Result<Share, Refusal> {
        crate::api::order::read::<ShareOrder>(body.as_bytes())?.resolve(9, "admin".into(), NOW_MS)
    }

    #[test]
    fn a_token_opens_its_share_until_it_ends_and_no_other_does() {
        let share = order(r#"{"list":"sessions","for":"1h"}"#).unwrap();
        let token = share.token(&ring());
        assert_eq!(read_token(&token, &ring(), NOW_MS), Some(9));
        assert_eq!(read_token(&token, &ring(), share.until_ms - 1), Some(9));
        assert_eq!(read_token(&token, &ring(), share.until_ms), None);
        assert_eq!(read_token(&token, &Keyring::new(b"another-secret-!", None), NOW_MS), None);
        let rotated = Keyring::new(b"another-secret-!", Some(b"0123456789abcdef"));
        assert_eq!(read_token(&token, &rotated, NOW_MS), Some(9));
        for at in 4..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read_token(core::str::from_utf8(&changed).unwrap(), &ring(), NOW_MS), None, "byte {at}");
        }
        for bad in ["", "tls_", "tls_AAAA", token.get(..40).unwrap(), &format!("{token}AAAA"), token.get(4..).unwrap()]
        {
            assert_eq!(read_token(bad, &ring(), NOW_MS), None, "{bad}");
        }
    }

    #[test]
    fn an_order_is_checked_and_its_times_become_absolute() {
        let share = order(r#"{"list":"events","filter":"from=-1h&status=4xx"}"#).unwrap();
        let from = "from=2023-11-14T21%3A13%3A20.000Z&status=4xx";
        assert_eq!(share.scope, Scope::List(Of::Events, from.to_owned()));
        assert_eq!(share.until_ms, NOW_MS + DEFAULT_FOR_MS);
        for bad in [
            "{}",
            r#"{"session":"x"}"#,
            r#"{"list":"users"}"#,
            r#"{"list":"events","session":"07070707070707070707070707070707"}"#,
            r#"{"list":"events","filter":"status=9xxx"}"#,
            r#"{"list":"events","filter":"limit=5"}"#,
            r#"{"list":"sessions","for":"91d"}"#,
            r#"{"list":"sessions","for":"59s"}"#,
        ] {
            assert!(matches!(order(bad), Err(Refusal::Body(_))), "{bad}");
        }
        assert!(order(r#"{"list":"sessions","for":"90d"}"#).is_ok());
    }

    /// Every operation there is, about a session where it is about one.
    fn operations(id: SessionId) -> Vec<Operation> {
        use Operation as O;
        vec![
            O::Metrics,
            O::Policy,
            O::Sessions,
            O::Session(id),
            O::SessionEvents(id),
            O::SessionAction(id),
            O::SessionStory(id),
            O::Identify,
            O::Events,
            O::Stats,
            O::Findings,
            O::Rollups,
            O::Lookup,
            O::Blocks,
            O::Block,
            O::Unblock,
            O::Audit,
            O::Export(Of::Sessions),
            O::Export(Of::Events),
            O::Export(Of::Findings),
            O::SessionExport(id),
            O::Stream,
            O::Share,
            O::Unshare(1),
            O::Alerts,
            O::RetryAlert(1),
            O::Subject(Kind::User),
            O::EraseUser,
        ]
    }

    fn allowed(scope: &Scope, id: SessionId) -> Vec<Operation> {
        operations(id).into_iter().filter(|operation| permit(scope, *operation, "").is_ok()).collect()
    }

    #[test]
    fn a_shared_session_shows_itself_and_nothing_else() {
        use Operation as O;
        let scope = Scope::Session(ID);
        let shown = [O::Session(ID), O::SessionEvents(ID), O::Events, O::Findings, O::SessionExport(ID), O::Stream];
        assert_eq!(allowed(&scope, ID), shown);
        assert_eq!(allowed(&scope, OTHER), [O::Events, O::Findings, O::Stream]);
        let asked = permit(&scope, O::Findings, "severity=high");
        assert_eq!(asked, Ok(Permit::Ask(format!("severity=high&session={ID}"))));
        for query in [format!("session={OTHER}"), format!("session%21={ID}"), format!("session={ID}&session={OTHER}")] {
            assert!(permit(&scope, O::Events, &query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_shared_list_shows_itself_with_its_own_filter() {
        use Operation as O;
        let scope = Scope::List(Of::Sessions, "country=DE".to_owned());
        let shown = [O::Sessions, O::Session(ID), O::SessionEvents(ID), O::Export(Of::Sessions), O::SessionExport(ID)];
        assert_eq!(allowed(&scope, ID), shown);
        assert_eq!(permit(&scope, O::Session(ID), ""), Ok(Permit::AskOf(ID, String::new())));
        assert_eq!(
            permit(&scope, O::Sessions, "limit=5&sort=risk"),
            Ok(Permit::Ask("limit=5&sort=risk&country=DE".into()))
        );
        for query in ["country=US", "country%21=DE", "q=x", "from=-1h"] {
            assert!(permit(&scope, O::Sessions, query).is_err(), "{query}");
        }
        let events = Scope::List(Of::Events, String::new());
        assert_eq!(allowed(&events, ID), [O::Events, O::Export(Of::Events)]);
        assert_eq!(permit(&events, O::Events, ""), Ok(Permit::Ask(String::new())));
    }
}
