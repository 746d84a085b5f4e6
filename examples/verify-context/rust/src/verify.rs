//! Verifies that a `Session-Context` was signed by Throughline for exactly this request, within the last minute.
//!
//! Copy this file and `structured.rs`; they need `base64`, `hmac` and `sha2`. ../../README.md says what is covered and what is not.

mod structured;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use structured::{Member, Parameters, Value, dictionary, get};

const LABEL: &str = "throughline";
const COMPONENTS: [&str; 5] = ["@method", "@authority", "@path", "@query", "session-context"];
const ALGORITHM: &str = "hmac-sha256";
const MIN_KEY_BYTES: usize = 32;
/// Clocks differ: a signature may seem to come from the future by this much, seconds.
const SKEW_S: i64 = 5;
const MAX_LIFETIME_S: i64 = 60;

/// A request as it arrived: nothing decoded.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// The Host header, or `:authority`.
    pub authority: &'a str,
    pub path: &'a str,
    /// Without its `?`; empty if there is none.
    pub query: &'a str,
    /// One entry a field line, names of any case.
    pub headers: &'a [(&'a str, &'a str)],
}

/// A context that Throughline signed for this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub context: Context,
    /// The id of the key that was used.
    pub keyid: String,
    /// The id of the request. Remember it until `expires` and refuse it a second time, if a request that is played
    /// again within the minute must not count.
    pub nonce: String,
    /// Epoch seconds.
    pub created: i64,
    pub expires: i64,
}

/// What Throughline knew of the session before this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub id: String,
    /// 0–100.
    pub risk: i64,
    /// False: nothing was known of the session yet, and a risk of 0 says nothing.
    pub known: bool,
    /// `allow`, `tag`, `throttle` or `block`.
    pub verdict: String,
    pub verified: bool,
    pub user: Option<String>,
    pub findings: Vec<String>,
}

/// Why a context must not be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Unsigned,
    Malformed,
    Components,
    Algorithm,
    Key,
    Future,
    Lifetime,
    Expired,
    Mismatch,
}

impl Refusal {
    /// One word, for logs.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
            Self::Components => "components",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Future => "future",
            Self::Lifetime => "lifetime",
            Self::Expired => "expired",
            Self::Mismatch => "mismatch",
        }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the session context cannot be believed: {}", self.reason())
    }
}

impl core::error::Error for Refusal {}

/// Verifies the context of one request.
///
/// `keys` are texts of CONTEXT_SIGNING_KEY, the new and the old one while they are changed; `now` is in epoch seconds.
pub fn verify(request: &Request<'_>, keys: &[&str], now: i64) -> Result<Verified, Refusal> {
    let context = field(request.headers, "session-context");
    let input = member(field(request.headers, "signature-input"))?;
    let signature = member(field(request.headers, "signature"))?;
    let context = context.ok_or(Refusal::Unsigned)?;

    let (signed, parameters) = signed_parameters(&input)?;
    let created = integer(parameters, "created")?;
    let expires = integer(parameters, "expires")?;
    let nonce = string(parameters, "nonce")?;
    let keyid = string(parameters, "keyid")?;
    let usable = |key: &&&str| key.len() >= MIN_KEY_BYTES && key_id(key) == keyid;
    let key = keys.iter().find(usable).ok_or(Refusal::Key)?;
    if created - SKEW_S > now {
        return Err(Refusal::Future);
    }
    if expires <= created || expires - created > MAX_LIFETIME_S {
        return Err(Refusal::Lifetime);
    }
    if now >= expires {
        return Err(Refusal::Expired);
    }

    let base = [
        format!("\"@method\": {}", request.method),
        format!("\"@authority\": {}", request.authority.to_ascii_lowercase()),
        format!("\"@path\": {}", if request.path.is_empty() { "/" } else { request.path }),
        format!("\"@query\": ?{}", request.query),
        format!("\"session-context\": {context}"),
        format!("\"@signature-params\": {signed}"),
    ]
    .join("\n");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| Refusal::Key)?;
    // Compares in constant time.
    mac.chain_update(base).verify_slice(&digest(&signature)?).map_err(|_| Refusal::Mismatch)?;
    Ok(Verified { context: described(&context)?, keyid, nonce, created, expires })
}

/// The id under which Throughline names this key.
pub fn key_id(key: &str) -> String {
    let digest = Sha256::new().chain_update(b"throughline/context-key-id\0").chain_update(key).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A field's value: its lines without the white space around them, joined (RFC 9421 §2.1).
fn field(headers: &[(&str, &str)], wanted: &str) -> Option<String> {
    let named = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let lines: Vec<&str> = named.map(|(_, line)| line.trim_matches([' ', '\t'])).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn member(field: Option<String>) -> Result<Member, Refusal> {
    let mut members = dictionary(&field.ok_or(Refusal::Unsigned)?)?;
    let at = members.iter().rposition(|(label, _)| label == LABEL).ok_or(Refusal::Unsigned)?;
    Ok(members.swap_remove(at).1)
}

/// What follows the label in Signature-Input, as it was signed (RFC 9421 §2.3, §2.5), and its parameters.
fn signed_parameters(input: &Member) -> Result<(String, &Parameters), Refusal> {
    let Value::List(items) = &input.value else { return Err(Refusal::Malformed) };
    let names = items.iter().map(|item| match &item.value {
        Value::String(name) => Ok(name.as_str()),
        _ => Err(Refusal::Malformed),
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    if names != COMPONENTS || items.iter().any(|item| !item.parameters.is_empty()) {
        return Err(Refusal::Components);
    }
    let mut signed = format!("(\"{}\")", names.join("\" \""));
    for (name, value) in &input.parameters {
        match value {
            Value::String(text) => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                signed += &format!(";{name}=\"{escaped}\"");
            }
            Value::Integer(number) => signed += &format!(";{name}={number}"),
            _ => return Err(Refusal::Malformed),
        }
    }
    match get(&input.parameters, "alg") {
        Some(Value::String(algorithm)) if algorithm == ALGORITHM => Ok((signed, &input.parameters)),
        _ => Err(Refusal::Algorithm),
    }
}

fn digest(signature: &Member) -> Result<[u8; 32], Refusal> {
    let Value::Bytes(encoded) = &signature.value else { return Err(Refusal::Malformed) };
    let decoded = STANDARD.decode(encoded).map_err(|_| Refusal::Malformed)?;
    decoded.try_into().map_err(|_| Refusal::Malformed)
}

fn described(text: &str) -> Result<Context, Refusal> {
    let members = dictionary(text)?;
    let read = |name: &str| members.iter().rfind(|(key, _)| key == name).map(|(_, member)| member);
    let token = |value: &Value| match value {
        Value::Token(text) => Ok(text.clone()),
        _ => Err(Refusal::Malformed),
    };
    let Some(Member { value: Value::String(id), .. }) = read("id") else { return Err(Refusal::Malformed) };
    let Some(Member { value: Value::Integer(risk), parameters }) = read("risk") else { return Err(Refusal::Malformed) };
    let Some(Member { value: Value::Boolean(verified), .. }) = read("verified") else { return Err(Refusal::Malformed) };
    let Some(Member { value: Value::List(findings), .. }) = read("findings") else { return Err(Refusal::Malformed) };
    let user = match read("user").map(|member| &member.value) {
        None => None,
        Some(Value::String(user) | Value::Display(user)) => Some(user.clone()),
        Some(_) => return Err(Refusal::Malformed),
    };
    Ok(Context {
        id: id.clone(),
        risk: *risk,
        known: !matches!(get(parameters, "unknown"), Some(Value::Boolean(true))),
        verdict: token(&read("verdict").ok_or(Refusal::Malformed)?.value)?,
        verified: *verified,
        user,
        findings: findings.iter().map(|finding| token(&finding.value)).collect::<Result<_, _>>()?,
    })
}

fn integer(parameters: &Parameters, name: &str) -> Result<i64, Refusal> {
    match get(parameters, name) {
        Some(Value::Integer(number)) => Ok(*number),
        _ => Err(Refusal::Malformed),
    }
}

fn string(parameters: &Parameters, name: &str) -> Result<String, Refusal> {
    match get(parameters, name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(Refusal::Malformed),
    }
}
