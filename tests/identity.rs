//! Who is calling, from whole exchanges: namespaces, tokens as keys, what a response issues, whom it names.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests fail by panicking")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use throughline::context::parse_feedback;
use throughline::identity::jwt::{Issuer, KeySet, Tokens, TokensAt};
use throughline::identity::{
    Identified, KeyPlan, Keyring, Naming, Outcome, Role, Sampled, SessionKey, Storing, UserPlan, is_address_bound,
    preview,
};
use throughline::inventory::Pattern;
use throughline::selector::{Body, Client, HeaderView, Request, Response, Selector};
use throughline::session::{Marks, SessionId};

const NOW_MS: u64 = 1_700_000_000_000;
const ISS: &str = "https://login.test";
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn token_with(claims: &str, secret: &[u8], header: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A token of the issuer that holds for an hour.
fn token(claims: &str) -> String {
    let exp = NOW_MS / 1_000 + 3_600;
    token_with(&format!(r#"{{"iss":"{ISS}","exp":{exp},{claims}}}"#), SECRET, r#"{"alg":"HS256"}"#)
}

fn key(from: &str) -> SessionKey {
    SessionKey::new(Selector::parse_request(from).unwrap())
}

fn issued_by(from: &str, by: &str) -> SessionKey {
    SessionKey { issued_by: vec![Selector::parse_response(by).unwrap()], ..key(from) }
}

struct World {
    plan: KeyPlan,
    users: UserPlan,
    tokens: Tokens,
}

/// What a client sends: headers, and `:method`, `:path`, `:query`, `:body`.
type Sent<'a> = &'a [(&'a str, &'a str)];

impl World {
    fn new(keys: Vec<SessionKey>) -> Self {
        let keys_of_issuer = KeySet::hmac(None, "HS256", SECRET).unwrap();
        let issuer = Issuer { iss: Some(ISS.to_owned()), keys: keys_of_issuer, ..Issuer::default() };
        Self {
            plan: KeyPlan::new(keys, Keyring::new(b"0123456789abcdef", None), vec![ISS.to_owned()]),
            users: UserPlan::default(),
            tokens: Tokens::new(vec![issuer]),
        }
    }

    fn naming(mut self, from: &str, on: Option<&str>, role: Role, store: Storing) -> Self {
        let mut namings = self.users.namings().to_vec();
        let on = on.map(|on| Pattern::parse(on).unwrap());
        namings.push(Naming { name: "n".to_owned(), from: Selector::parse(from).unwrap(), on, role, store });
        self.users = UserPlan::new(namings);
        self
    }

    /// Reads an exchange; `answered` has headers, `:status`, `:body`, and any number of `set-cookie`.
    fn play<T>(
        &mut self,
        sent: Sent<'_>,
        answered: Sent<'_>,
        feedback: &str,
        judge: impl FnOnce(&Self, &Request<'_>, &Response<'_>, Identified<'_>, &Outcome) -> T,
    ) -> T {
        let get = |from: Sent<'_>, name: &str| from.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let mut names = self.plan.headers().to_vec();
        names.extend(["content-type", "x-user"].map(str::to_owned));
        let values: Vec<String> = names.iter().map(|name| get(sent, name).unwrap_or_default()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let (method, path) = (get(sent, ":method").unwrap_or("GET".into()), get(sent, ":path").unwrap_or("/".into()));
        let (query, body) = (get(sent, ":query").unwrap_or_default(), get(sent, ":body"));
        let request = Request {
            method: &method,
            host: "shop.test",
            path: &path,
            query: &query,
            headers: HeaderView { names: &names, values: &values },
            client: Client { ip: "192.0.2.7".parse().ok(), user_agent: "Mozilla/5.0", ..Client::default() },
            captures: &[],
            body: body.as_deref().map(|b| Body { content_type: "application/json", bytes: b.as_bytes(), cut: false }),
        };
        let set_cookies: Vec<&str> = answered.iter().filter(|(n, _)| *n == "set-cookie").map(|(_, v)| *v).collect();
        let told = ["content-type", "location"].map(str::to_owned);
        let answered_values: Vec<String> = told.iter().map(|name| get(answered, name).unwrap_or_default()).collect();
        let answered_values: Vec<&str> = answered_values.iter().map(String::as_str).collect();
        let answer_body = get(answered, ":body");
        let response = Response {
            status: get(answered, ":status").map_or(200, |s| s.parse().unwrap()),
            headers: HeaderView { names: &told, values: &answered_values },
            set_cookies: &set_cookies,
            body: answer_body.as_deref().map(|b| Body {
                content_type: "application/json",
                bytes: b.as_bytes(),
                cut: false,
            }),
        };
        let mut tokens = core::mem::take(&mut self.tokens);
        let mut at = TokensAt { tokens: &mut tokens, now_ms: NOW_MS };
        let found = self.plan.identify(&request, &mut at);
        let feedback = parse_feedback(feedback);
        let outcome = Outcome::of(&self.plan, &self.users, &request, &response, &feedback, &found, &mut at);
        let judged = judge(self, &request, &response, found, &outcome);
        self.tokens = tokens;
        judged
    }

    fn session(&mut self, sent: Sent<'_>) -> (SessionId, String, bool) {
        self.play(sent, &[], "", |_, _, _, found, _| (found.session, found.source.to_owned(), found.verified))
    }

    fn marks(&mut self, sent: Sent<'_>) -> Marks {
        self.play(sent, &[], "", |world, request, _, found, _| {
            let mut marks = found.marks;
            marks.set(world.plan.oddities(request, &found));
            marks
        })
    }

    /// Sessions issued, with source and reason.
    fn issued(&mut self, sent: Sent<'_>, answered: Sent<'_>) -> Vec<(SessionId, String, &'static str)> {
        self.play(sent, answered, "", |_, request, _, found, outcome| {
            let feedback = parse_feedback("");
            let reason = |i| outcome.reason(request, &found, i, &feedback).name();
            outcome.issued.iter().map(|i| (i.session, i.source.clone(), reason(i))).collect()
        })
    }

    /// User, whether only attempted, roles.
    fn who(&mut self, sent: Sent<'_>, answered: Sent<'_>, feedback: &str) -> (String, bool, String) {
        self.play(sent, answered, feedback, |_, _, _, _, outcome| {
            (outcome.who.user.clone(), outcome.who.attempted, outcome.who.roles.clone())
        })
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn a_verified_claim_is_a_namespace_that_no_value_a_client_writes_reaches() {
    let joined = SessionKey { join: Some("app".to_owned()), ..key("request.jwt.sid") };
    let cookie = SessionKey { join: Some("app".to_owned()), ..key("request.cookie.app") };
    let mut world = World::new(vec![joined, cookie, key("request.header.x-user"), key("request.query.s")]);
    let real = bearer(&token(r#""sub":"ann","sid":"s1""#));
    let (victim, source, verified) = world.session(&[("authorization", &real)]);
    assert_eq!((source.as_str(), verified), ("request.jwt.sid", true));
    // Another token of the same session is the same session; another claim of equal value is not.
    let again = bearer(&token(r#""sid":"s1","jti":"2""#));
    assert_eq!(world.session(&[("authorization", &again)]).0, victim);
    let exp = NOW_MS / 1_000 + 3_600;
    let claims = format!(r#"{{"iss":"{ISS}","exp":{exp},"sid":"s1"}}"#);
    for forged in [
        token_with(&claims, b"another secret, just as long as it", r#"{"alg":"HS256"}"#),
        token_with(&claims, SECRET, r#"{"alg":"none"}"#),
        token_with(&claims, SECRET, r#"{"alg":"HS512"}"#),
        token_with(&claims.replace(ISS, "https://evil.test"), SECRET, r#"{"alg":"HS256"}"#),
        token_with(&claims.replace(&exp.to_string(), "1000000000"), SECRET, r#"{"alg":"HS256"}"#),
        format!("iss:{ISS}\nsid"),
        "s1".to_owned(),
        "ann".to_owned(),
    ] {
        let (session, source, verified) = world.session(&[("authorization", &bearer(&forged))]);
        assert!(session != victim && !verified, "{forged}");
        assert_eq!(source, "request.jwt.sid", "{forged}");
    }
    for value in ["s1", "ann", &real, &victim.to_string(), &format!("iss:{ISS}\nsid\ns1")] {
        assert_ne!(world.session(&[("cookie", &format!("app={value}"))]).0, victim, "{value}");
        assert_ne!(world.session(&[("x-user", value)]).0, victim, "{value}");
    }
}

#[test]
fn two_claims_of_one_issuer_and_one_claim_of_two_issuers_stay_apart() {
    let mut world = World::new(vec![key("request.jwt.sid"), key("request.jwt.sub")]);
    let sid = world.session(&[("authorization", &bearer(&token(r#""sid":"x""#)))]).0;
    let sub = world.session(&[("authorization", &bearer(&token(r#""sub":"x""#)))]);
    assert_ne!(sid, sub.0);
    assert!(!sub.2, "the token is verified but lacks the first key's claim: its whole text is that key's value");
}

#[test]
fn a_refused_token_is_marked_and_somebody_elses_is_not() {
    let mut world = World::new(vec![key("request.jwt.sid")]);
    let marks = |world: &mut World, token: &str| world.marks(&[("authorization", &bearer(token))]);
    let good = token(r#""sid":"s1""#);
    assert_eq!(marks(&mut world, &good), Marks::default());
    assert!(marks(&mut world, &good[..good.len() - 4]).has(Marks::TOKEN_REFUSED));
    let exp = NOW_MS / 1_000 + 3_600;
    let foreign = token_with(&format!(r#"{{"iss":"https://other.test","exp":{exp}}}"#), SECRET, r#"{"alg":"HS256"}"#);
    assert_eq!(marks(&mut world, &foreign), Marks::default());
    assert_eq!(marks(&mut world, "opaque-oauth-token"), Marks::default());
    let cookies = |world: &mut World, cookie: &str| world.marks(&[("cookie", cookie)]);
    assert!(cookies(&mut world, "sid=1; sid=2").has(Marks::DUPLICATE));
    assert_eq!(cookies(&mut world, "sid=1; sid=1"), Marks::default());
    assert!(cookies(&mut world, "sid=1; x=\u{fffd}").has(Marks::MALFORMED));
    let many = (0..200).map(|i| format!("c{i}=1; ")).collect::<String>() + "sid=1";
    assert!(cookies(&mut world, &many).has(Marks::MALFORMED));
}

#[test]
fn what_a_response_issues_is_the_session_the_client_will_be_in() {
    let keys = || vec![issued_by("request.jwt.sid", "response.body#/access_token"), key("request.cookie.app")];
    let mut world = World::new(keys());
    let fresh = token(r#""sub":"ann","sid":"s2""#);
    let body = format!(r#"{{"access_token":"{fresh}"}}"#);
    let next = world.session(&[("authorization", &bearer(&fresh))]).0;
    let login: Sent<'_> = &[(":method", "POST"), (":path", "/login")];
    assert_eq!(world.issued(login, &[(":body", &body)]), [(next, "request.jwt.sid".to_owned(), "login")]);
    let cookie = world.session(&[("cookie", "app=two")]).0;
    let set: Sent<'_> = &[("set-cookie", "app=two; Path=/; HttpOnly")];
    assert_eq!(world.issued(&[("cookie", "app=one")], set), [(cookie, "request.cookie.app".to_owned(), "rotation")]);
    assert_eq!(world.issued(&[], set), [(cookie, "request.cookie.app".to_owned(), "start")]);
    // The same value once more, a refused request, a deletion: nothing is issued.
    assert_eq!(world.issued(&[("cookie", "app=two")], set), []);
    assert_eq!(world.issued(&[], &[("set-cookie", "app=two"), (":status", "404")]), []);
    assert_eq!(world.issued(&[("cookie", "app=one")], &[("set-cookie", "app=; Max-Age=0")]), []);
    // A key of lower rank than the one the client has changes nothing for it.
    let old = bearer(&token(r#""sub":"ann","sid":"s1""#));
    assert_eq!(world.issued(&[("authorization", &old)], set), []);
    let refresh: Sent<'_> = &[("authorization", &old), (":path", "/auth/refresh")];
    assert_eq!(world.issued(refresh, &[(":body", &body)]), [(next, "request.jwt.sid".to_owned(), "refresh")]);
    // Built-in cookies too.
    let php = world.session(&[("cookie", "PHPSESSID=9")]).0;
    let from = world.issued(&[("cookie", "PHPSESSID=8")], &[("set-cookie", "PHPSESSID=9; path=/")]);
    assert_eq!(from, [(php, "request.cookie.PHPSESSID".to_owned(), "rotation")]);
}

#[test]
fn a_session_ends_where_its_key_is_taken_back() {
    let mut world = World::new(vec![key("request.cookie.app")]);
    let mut ended = |sent: Sent<'_>, answered: Sent<'_>, feedback: &str| {
        world.play(sent, answered, feedback, |_, _, _, _, outcome| outcome.ended)
    };
    let mine = ("cookie", "app=1");
    assert!(ended(&[mine], &[("set-cookie", "app=; Max-Age=0")], ""));
    assert!(ended(&[mine, (":path", "/logout"), (":method", "POST")], &[], ""));
    assert!(ended(&[mine], &[], "logout"));
    assert!(!ended(&[mine], &[("set-cookie", "other=; Max-Age=0")], ""));
    assert!(!ended(&[mine], &[("set-cookie", "app=; Max-Age=0"), ("set-cookie", "app=2")], ""));
    assert!(!ended(&[mine, (":path", "/logout"), (":method", "POST")], &[(":status", "403")], ""));
    assert!(!ended(&[mine, (":path", "/logout")], &[], ""), "a page that asks first");
    assert!(!ended(&[mine], &[("set-cookie", "app=2"), ("set-cookie", "app=; Domain=.old.test; Max-Age=0")], ""));
    assert!(!ended(&[(":path", "/logout")], &[], ""));
}

#[test]
fn a_name_is_an_attempt_until_the_origin_lets_it_pass() {
    let mut world = World::new(vec![key("request.cookie.app")])
        .naming("request.body#/username", Some("POST /login"), Role::User, Storing::Plain)
        .naming("response.body#/roles/*", Some("POST /login"), Role::Role, Storing::Plain);
    let login: Sent<'_> = &[(":method", "POST"), (":path", "/login"), (":body", r#"{"username":"ann"}"#)];
    let named = |user: &str, attempted, roles: &str| (user.to_owned(), attempted, roles.to_owned());
    let body: Sent<'_> = &[(":body", r#"{"roles":["buyer","admin"]}"#)];
    assert_eq!(world.who(login, body, ""), named("ann", false, "buyer,admin"));
    assert_eq!(world.who(login, &[(":status", "401")], ""), named("ann", true, ""));
    assert_eq!(world.who(login, &[(":status", "302")], ""), named("ann", true, ""));
    let moved: Sent<'_> = &[(":status", "302"), ("set-cookie", "app=new")];
    assert_eq!(world.who(login, moved, ""), named("ann", false, ""));
    let form: Sent<'_> = &[("content-type", "text/html; charset=utf-8")];
    assert_eq!(world.who(login, form, ""), named("ann", true, ""), "the form again");
    let back: Sent<'_> = &[(":status", "302"), ("set-cookie", "app=new"), ("location", "/login?error=1")];
    assert_eq!(world.who(login, back, ""), named("ann", true, ""), "back to the form");
    assert_eq!(world.who(login, body, "login-failure"), named("ann", true, ""));
    assert_eq!(world.who(login, &[], r#"login-failure;user="eve""#), named("eve", true, ""));
    assert_eq!(world.who(login, &[], r#"login-success;user="ann@b.c";role="vip""#), named("ann@b.c", false, "vip"));
    let elsewhere: Sent<'_> = &[(":method", "POST"), (":path", "/profile"), (":body", r#"{"username":"ann"}"#)];
    assert_eq!(world.who(elsewhere, &[], ""), named("", false, ""));
}

#[test]
fn a_claim_names_somebody_only_out_of_a_verified_token() {
    let mut world = World::new(vec![]).naming("request.jwt.name", None, Role::User, Storing::Plain);
    let real = bearer(&token(r#""name":"ann""#));
    assert_eq!(world.who(&[("authorization", &real)], &[(":status", "500")], "").0, "ann");
    let forged = bearer(&token_with(r#"{"name":"ann"}"#, b"x", r#"{"alg":"HS256"}"#));
    assert_eq!(world.who(&[("authorization", &forged)], &[], "").0, "");
    // Without any naming the verified `sub` is the user, as a pseudonym that a search by the raw name finds.
    let mut world = World::new(vec![]);
    let sub = bearer(&token(r#""sub":"ann""#));
    let (user, ..) = world.who(&[("authorization", &sub)], &[], "");
    assert!(UserPlan::forms(world.plan.ring(), "ann").contains(&user) && user.starts_with("h:"), "{user}");
}

#[test]
fn a_preview_says_what_was_tried_and_why_not() {
    let on = Some(Pattern::parse("POST /pay").unwrap());
    let world = World::new(vec![
        SessionKey { on, ..key("request.header.x-user") },
        key("request.query.s"),
        key("request.jwt.sid"),
        key("request.cookie.app"),
    ]);
    let World { plan, users, mut tokens } = world;
    let names = plan.headers().to_vec();
    let values: Vec<&str> =
        names.iter().map(|name| if name == "authorization" { "Bearer a.b.c" } else { "" }).collect();
    let headers = HeaderView { names: &names, values: &values };
    let request = Request { method: "GET", path: "/", headers, ..Request::default() };
    let mut at = TokensAt { tokens: &mut tokens, now_ms: NOW_MS };
    let shown = preview(&plan, &users, &Sampled { request, response: None, feedback: "" }, &mut at);
    let tried: Vec<_> = shown.tried.iter().map(|a| (a.source.as_str(), a.outcome)).collect();
    let expected =
        [("request.header.x-user", "elsewhere"), ("request.query.s", "absent"), ("request.jwt.sid", "unverified")];
    assert_eq!(tried, expected);
    assert_eq!((shown.key.source.as_str(), shown.key.verified), ("request.jwt.sid", false));
    assert!(!is_address_bound(&shown.key.source));
}
