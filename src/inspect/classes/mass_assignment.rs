//! Mass assignment: members that a person does not set for themselves, in a request in which a person writes about themselves.
//!
//! Without knowing the endpoint nobody can tell it from an administrator at work: a hint for what else the session does.

use crate::inspect::{Attack, Part, Place, Request, RequestClass, Sign, Tell};
use crate::selector::{Item, stream_json};
use crate::session::Severity;

/// Mass assignment.
pub static MASS_ASSIGNMENT: RequestClass = RequestClass { attack: Attack::MassAssignment, judge, header: None };

/// Members that give rights, without `_` and `-` and in lower case.
const RIGHTS: &[&str] = &[
    "isadmin",
    "admin",
    "issuperuser",
    "superuser",
    "isstaff",
    "isroot",
    "isowner",
    "ismoderator",
    "role",
    "roles",
    "userrole",
    "roleid",
    "permissions",
    "privileges",
    "scopes",
    "isverified",
    "verified",
    "emailverified",
    "isactive",
    "isapproved",
    "approved",
    "accesslevel",
    "usertype",
    "accounttype",
    "grouptype",
    "isinternal",
];
/// Members that are worth money or belong to others.
const ASSETS: &[&str] = &[
    "balance",
    "credit",
    "credits",
    "creditlimit",
    "walletbalance",
    "ispremium",
    "plan",
    "subscriptionstatus",
    "discount",
    "userid",
    "ownerid",
    "owner",
    "accountid",
    "tenantid",
    "organizationid",
    "createdby",
    "passwordhash",
];
/// Segments of paths at which people write about themselves; the first ones make an account.
const REGISTRATION: &[&str] = &["register", "registration", "signup", "sign-up", "sign_up", "join"];
const OWN: &[&str] =
    &["profile", "me", "users", "user", "account", "accounts", "settings", "customers", "members", "self"];

/// Members looked at.
const MAX_MEMBERS: usize = 1_024;
/// Longest name that is compared.
const LONGEST: usize = 24;

fn judge(request: &Request<'_>, tell: &mut Tell<'_>) {
    if !matches!(request.method, "POST" | "PUT" | "PATCH") {
        return;
    }
    let at =
        |words: &[&str]| request.path.split('/').any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)));
    let registers = at(REGISTRATION);
    if !registers && !at(OWN) {
        return;
    }
    let Some(body) = request.body else { return };
    let mut best: Option<(Sign, Part, String)> = None;
    let mut members = 0;
    let mut see = |part: Part, pointer: &str, value: &str| {
        members += 1;
        // Deep members are what the request is about, not who sends it.
        if members > MAX_MEMBERS || pointer.bytes().filter(|byte| *byte == b'/').count() > 3 {
            return;
        }
        let name = pointer.rsplit('/').next().unwrap_or(pointer);
        let Some(confidence) = confidence(name, value, registers) else { return };
        if best.as_ref().is_none_or(|(best, ..)| best.confidence < confidence) {
            let what = "a member that people do not set for themselves";
            best =
                Some((Sign { confidence, severity: Severity::Low, at: 0..name.len(), what }, part, pointer.to_owned()));
        }
    };
    let is_form = body.content_type.trim_start().starts_with("application/x-www-form-urlencoded");
    if is_form {
        for (name, value) in form_urlencoded::parse(body.bytes) {
            see(Part::FormName, &name, &value);
        }
    } else if let Ok(text) = core::str::from_utf8(body.bytes)
        && text.trim_start().starts_with('{')
    {
        stream_json(text, "", &mut |pointer, item| match item {
            Item::Name(_) => {}
            Item::Text(value) | Item::Scalar(value) => see(Part::JsonName, pointer.trim_end_matches("/*"), value),
        });
    }
    if let Some((sign, part, pointer)) = best {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        tell(Place { part, name: &pointer }, name.as_bytes(), sign);
    }
}

/// How telling it is that the member has the value.
fn confidence(name: &str, value: &str, registers: bool) -> Option<u8> {
    let mut lower = [0_u8; LONGEST];
    let mut length = 0;
    // `user[is_admin]` in forms.
    let name = name.strip_suffix(']').and_then(|name| name.rsplit('[').next()).unwrap_or(name);
    for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *lower.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = lower.get(..length).and_then(|name| core::str::from_utf8(name).ok())?;
    let is = |values: &[&str]| values.iter().any(|known| value.eq_ignore_ascii_case(known));
    let nothing = is(&["", "false", "0", "null", "user", "customer", "member", "free"]);
    if RIGHTS.contains(&name) {
        let high = is(&[
            "true",
            "1",
            "yes",
            "admin",
            "administrator",
            "root",
            "superuser",
            "superadmin",
            "super_admin",
            "owner",
            "staff",
            "*",
        ]);
        return Some(match (high, nothing, registers) {
            (true, _, true) => 60,
            (true, _, false) => 45,
            (_, true, _) => 10,
            _ => 25,
        });
    }
    (ASSETS.contains(&name) && !nothing).then_some(if registers { 40 } else { 30 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Body;

    fn told(method: &str, path: &str, content_type: &str, body: &str) -> Option<(u8, String)> {
        let body = Body { content_type, bytes: body.as_bytes(), ..Body::default() };
        let request = Request { method, path, body: Some(body), ..Request::default() };
        let mut told = None;
        judge(&request, &mut |place, _, sign| told = Some((sign.confidence, place.name.to_owned())));
        told
    }

    #[test]
    fn rights_are_a_hint_where_people_write_about_themselves() {
        let json = "application/json";
        let at = |path, body| told("POST", path, json, body);
        assert_eq!(at("/api/register", r#"{"email":"a@b.c","isAdmin":true}"#), Some((60, "/isAdmin".to_owned())));
        assert_eq!(at("/api/users/me", r#"{"name":"a","role":"admin"}"#), Some((45, "/role".to_owned())));
        assert_eq!(at("/api/users", r#"{"user":{"roles":["admin"]}}"#), Some((45, "/user/roles".to_owned())));
        assert_eq!(at("/profile", r#"{"balance": 100000}"#), Some((30, "/balance".to_owned())));
        assert_eq!(at("/profile", r#"{"name":"Ann","city":"Rome"}"#), None);
        assert_eq!(at("/api/orders", r#"{"role":"admin"}"#), None);
        assert_eq!(told("GET", "/api/users", json, r#"{"role":"admin"}"#), None);
    }

    #[test]
    fn forms_are_read_too() {
        let form = "application/x-www-form-urlencoded";
        assert_eq!(
            told("POST", "/signup", form, "name=a&user%5Bis_admin%5D=1"),
            Some((60, "user[is_admin]".to_owned()))
        );
        assert_eq!(told("POST", "/signup", form, "name=a&plan=free"), None);
    }

    #[test]
    fn no_value_is_more_than_a_hint() {
        for path in ["/register", "/me"] {
            for value in ["true", "1", "admin", "x", ""] {
                let (confidence, _) = told("PUT", path, "", &format!(r#"{{"admin":"{value}"}}"#)).unwrap();
                assert!(confidence <= 60);
            }
        }
    }
}
