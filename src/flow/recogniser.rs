//! Which business flows an endpoint belongs to: by the words in its path, unless the policy says otherwise.
//!
//! Segments are cut into words at `-`, `_`, `.` and where a capital follows a small letter; words are compared whole,
//! without the `s` of a plural. So `authors` is not `auth`. Some words mean a flow wherever they stand (`invoice`),
//! others only as a whole segment (`user`, but not `user-agents`), some only with a method that changes something: to
//! post an order is to check out, to look at one is not. Words that mean many things (`card`, `session`, `contact`)
//! are left out: a missing tag is seen and added, a wrong one is believed.

use crate::inventory::{Pattern, path_of};

/// Flows told by words, in the order of their bits.
pub const BUILT_IN: [&str; 8] = ["auth", "account", "billing", "payment", "checkout", "messaging", "admin", "ai"];
/// Further flows a policy may name.
pub const MAX_TAGS: usize = 56;
/// Segments looked at; no API nests deeper.
const MAX_SEGMENTS: usize = 16;
/// Longest word that means anything, bytes.
const MAX_WORD: usize = 16;

/// A set of flows: bits 0 to 7 are [`BUILT_IN`], the others the policy's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct FlowTags(pub u64);

impl FlowTags {
    /// The numbers of the flows.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |bit| self.0 >> bit & 1 == 1)
    }
}

/// What the policy says about endpoints, and the names of all flows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tags {
    names: Vec<String>,
    /// Endpoints with the bits they have; no bits for `none`.
    endpoints: Vec<(Pattern, u64)>,
    /// Steps of flows: they have these bits besides.
    steps: Vec<(Pattern, u64)>,
}

impl Tags {
    /// Adds endpoints to the flow `name`. That of a built-in flow stands for it, `none` for no flow. Answers whether
    /// there was room for the name.
    pub fn add(&mut self, name: &str, endpoints: Vec<Pattern>) -> bool {
        let Some(bits) = self.bits(name) else { return false };
        self.endpoints.extend(endpoints.into_iter().map(|pattern| (pattern, bits)));
        true
    }

    /// Adds the steps of the flow `name`, which may belong to others by their words too. Answers as [`Tags::add`].
    pub fn add_steps(&mut self, name: &str, steps: Vec<Pattern>) -> bool {
        let Some(bits) = self.bits(name) else { return false };
        self.steps.extend(steps.into_iter().map(|pattern| (pattern, bits)));
        true
    }

    fn bits(&mut self, name: &str) -> Option<u64> {
        let known = BUILT_IN.iter().position(|n| *n == name);
        let own = || self.names.iter().position(|n| n == name).map(|at| at + BUILT_IN.len());
        let bit = match known.or_else(own) {
            _ if name == "none" => None,
            Some(at) => Some(at),
            None if self.names.len() >= MAX_TAGS => return None,
            None => {
                self.names.push(name.to_owned());
                Some(BUILT_IN.len() + self.names.len() - 1)
            }
        };
        Some(bit.map_or(0, |bit| 1 << bit))
    }

    /// The name of a flow by its number.
    pub fn name(&self, number: usize) -> &str {
        let own = || self.names.get(number.checked_sub(BUILT_IN.len())?).map(String::as_str);
        BUILT_IN.get(number).copied().or_else(own).unwrap_or("")
    }

    /// The names of the flows of an endpoint.
    pub fn names_of(&self, method: &str, template: &str) -> impl Iterator<Item = &str> {
        self.of(method, template).numbers().map(|number| self.name(number))
    }

    /// The flows of an endpoint. What the policy says of it stands alone; `template` may be a path too.
    pub fn of(&self, method: &str, template: &str) -> FlowTags {
        let template = path_of(template);
        let told = |of: &[(Pattern, u64)]| {
            let fits = of.iter().filter(|(pattern, _)| pattern.matches(method, template));
            fits.map(|(_, bits)| *bits).reduce(|all, bits| all | bits)
        };
        let bits = told(&self.endpoints).unwrap_or_else(|| recognised(method, template));
        FlowTags(bits | told(&self.steps).unwrap_or(0))
    }
}

const AUTH: u64 = 1;
const ACCOUNT: u64 = 1 << 1;
const BILLING: u64 = 1 << 2;
const PAYMENT: u64 = 1 << 3;
const CHECKOUT: u64 = 1 << 4;
const MESSAGING: u64 = 1 << 5;
const ADMIN: u64 = 1 << 6;
const AI: u64 = 1 << 7;

fn recognised(method: &str, path: &str) -> u64 {
    let changes = matches!(method, "POST" | "PUT" | "PATCH");
    let mut found = 0;
    let mut before_is_chat = false;
    let segments = path.split('/').filter(|s| !s.is_empty()).take(MAX_SEGMENTS);
    for segment in segments {
        if segment.starts_with('{') {
            continue;
        }
        if is_file(segment) {
            return 0;
        }
        let mut whole = Word::default();
        let mut word = Word::default();
        let mut parts = 0;
        let mut was_small = false;
        for c in segment.bytes() {
            if !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && was_small) {
                parts += u32::from(word.len > 0);
                found |= anywhere(word.text());
                word = Word::default();
            }
            was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
            if c.is_ascii_alphanumeric() {
                word.push(c);
                whole.push(c);
            }
        }
        found |= anywhere(word.text()) | anywhere(whole.text());
        if parts == 0 {
            found |= alone(whole.text(), changes);
        }
        let is_chat = whole.text() == "chat";
        if before_is_chat && whole.text() == "completion" {
            // `/chat/completions` is what models are asked at, not a message to anybody.
            found = (found & !MESSAGING) | AI;
        }
        before_is_chat = is_chat;
    }
    found
}

/// A word in small letters, without the `s` of a plural; one that is too long means nothing.
#[derive(Default)]
struct Word {
    letters: [u8; MAX_WORD],
    len: usize,
}

impl Word {
    fn push(&mut self, c: u8) {
        if let Some(place) = self.letters.get_mut(self.len) {
            *place = c.to_ascii_lowercase();
        }
        self.len += 1;
    }

    fn text(&self) -> &str {
        let text = self.letters.get(..self.len).and_then(|letters| str::from_utf8(letters).ok()).unwrap_or("");
        match text.strip_suffix('s') {
            Some(one) if one.len() > 2 && !one.ends_with('s') => one,
            _ => text,
        }
    }
}

/// What a word means wherever it stands.
fn anywhere(word: &str) -> u64 {
    match word {
        "auth" | "oauth" | "oauth2" | "authenticate" | "authentication" | "authorize" | "authorise" | "login"
        | "logon" | "logout" | "logoff" | "signin" | "signout" | "sso" | "saml" | "oidc" | "openid" | "mfa" | "2fa"
        | "otp" | "totp" | "passkey" | "webauthn" | "password" | "passwd" => AUTH,
        "account" | "signup" | "registration" | "onboarding" | "enrollment" => ACCOUNT,
        "billing" | "invoice" | "subscription" | "statement" | "dunning" => BILLING,
        "payment" | "payout" | "refund" | "paypal" | "withdrawal" | "iban" | "creditcard" | "debitcard" => PAYMENT,
        "checkout" | "cart" | "basket" | "coupon" | "voucher" => CHECKOUT,
        "messaging" | "chat" | "inbox" | "sms" => MESSAGING,
        "admin" | "administrator" | "administration" | "backoffice" | "superuser" | "sysadmin" => ADMIN,
        "ai" | "llm" | "gpt" | "chatgpt" | "openai" | "genai" | "chatbot" | "copilot" | "embedding" => AI,
        _ => 0,
    }
}

/// What a word means where it is the whole segment.
fn alone(word: &str, changes: bool) -> u64 {
    match word {
        "token" | "introspect" | "jwk" => AUTH,
        "user" | "me" | "profile" | "member" | "register" | "enroll" => ACCOUNT,
        "plan" | "bill" if changes => BILLING,
        "pay" | "charge" | "transfer" | "wallet" | "transaction" | "withdraw" | "deposit" => PAYMENT,
        "order" | "purchase" | "buy" if changes => CHECKOUT,
        "message" | "conversation" | "dm" | "mail" => MESSAGING,
        "prompt" | "inference" => AI,
        _ => 0,
    }
}

/// A script, a style, a picture: named after what it is for, and not part of it.
fn is_file(segment: &str) -> bool {
    let Some((_, extension)) = segment.rsplit_once('.') else { return false };
    let files = ["js", "mjs", "css", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "woff", "woff2", "ttf"];
    files.iter().any(|file| extension.eq_ignore_ascii_case(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tags: &Tags, method: &str, path: &str) -> String {
        tags.of(method, path).numbers().map(|n| tags.name(n).to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn endpoints_are_tagged_by_what_their_words_mean() {
        let tags = Tags::default();
        for (endpoint, flows) in [
            ("POST /api/login", "auth"),
            ("POST /sign-in", "auth"),
            ("POST /v1/signIn", "auth"),
            ("POST /oauth2/token", "auth"),
            ("POST /users/{integer}/reset-password", "auth account"),
            ("GET /api/authors", ""),
            ("GET /authority/{integer}", ""),
            ("POST /device-tokens", ""),
            ("POST /api/signup", "account"),
            ("POST /register", "account"),
            ("GET /users/{uuid}", "account"),
            ("GET /user-agents", ""),
            ("GET /accounts/{integer}/statement", "account billing"),
            ("GET /accounting/ledgers", ""),
            ("GET /invoices/{integer}", "billing"),
            ("GET /plans", ""),
            ("PUT /plan", "billing"),
            ("POST /api/payments", "payment"),
            ("POST /pay", "payment"),
            ("GET /payload", ""),
            ("GET /display", ""),
            ("POST /orders/{integer}/checkout", "checkout"),
            ("GET /api/orders/{integer}", ""),
            ("POST /api/orders", "checkout"),
            ("POST /sort-orders", ""),
            ("GET /charts", ""),
            ("GET /shopping-cart", "checkout"),
            ("POST /messages", "messaging"),
            ("GET /error-messages", ""),
            ("GET /admin/users", "account admin"),
            ("GET /administered", ""),
            ("POST /v1/chat/completions", "ai"),
            ("POST /chat", "messaging"),
            ("GET /orders/{integer}/completion", ""),
            ("GET /email", ""),
            ("GET /aid", ""),
            ("GET /static/login.js", ""),
            ("GET /", ""),
            ("GET /%E4%BD%A0//..;/", ""),
        ] {
            let (method, path) = endpoint.split_once(' ').unwrap();
            assert_eq!(names(&tags, method, path), flows, "{endpoint}");
        }
    }

    #[test]
    fn what_the_policy_says_of_an_endpoint_stands_alone() {
        let mut tags = Tags::default();
        let on = |text: &str| vec![Pattern::parse(text).unwrap()];
        assert!(tags.add("loyalty", on("* /points/*")));
        assert!(tags.add("checkout", on("POST /buy-now")));
        assert!(tags.add("none", on("GET /admin/ping")));
        assert!(tags.add("loyalty", on("POST /buy-now")));
        assert_eq!(names(&tags, "GET", "/points/account"), "loyalty");
        assert_eq!(names(&tags, "POST", "/buy-now"), "checkout loyalty");
        assert_eq!(names(&tags, "GET", "/admin/ping"), "");
        assert_eq!(names(&tags, "GET", "/admin/pong"), "admin");
        assert!(tags.add_steps("booking", on("POST /payments")));
        assert_eq!(names(&tags, "POST", "/payments"), "payment booking");
        let more = (2..MAX_TAGS).all(|n| tags.add(&format!("flow{n}"), Vec::new()));
        assert!(more && !tags.add("one_too_many", Vec::new()));
    }
}
