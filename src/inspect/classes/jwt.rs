//! Forged tokens: what the header of a JWT says when its signature is to be skipped, or checked with a key of the forger's choice
//! (RFC 8725 sections 3.1, 3.5, 3.10). Whether the signature holds is not asked here.

use super::system::{Best, begins, find, from, high, is_one_of, part};
use crate::inspect::{Attack, Class, Part, Place, Reading, RequestClass, Scan, Sign, Tell};

/// Longest token and header that are looked at, bytes as sent: servers refuse longer header lines.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// Tokens in cookies, parameters and bodies.
pub static JWT_ABUSE: Class = Class {
    attack: Attack::JwtAbuse,
    words: &[],
    chars: b".",
    may_be: |scan: Scan, _: Place<'_>| {
        scan.all(b".e") && !scan.any(b"/<>(){}@") && scan.any(b"wxyz") && scan.any(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    },
    judge: |reading: &Reading<'_>| judge(reading.place, reading.text),
};

/// The token in `Authorization`, which no other class is shown.
pub static JWT_ABUSE_BEARER: RequestClass =
    RequestClass { attack: Attack::JwtAbuse, judge: |_, _| (), header: Some(judge_bearer) };

/// Whatever payload and signature are, as long as there are both, the header alone decides whether anything is told.
fn judge_bearer(name: &str, value: &str, tell: &mut Tell<'_>) {
    if matches!(name, "authorization" | "proxy-authorization") {
        let place = Place { part: Part::Header, name };
        if let Some(sign) = judge(place, value.as_bytes()) {
            tell(place, value.as_bytes(), sign);
        }
    }
}

fn judge(place: Place<'_>, text: &[u8]) -> Option<Sign> {
    let scheme = ["bearer ", "jwt ", "token ", "dpop "]
        .into_iter()
        .find(|scheme| begins(text, scheme.as_bytes()))
        .map_or(0, str::len);
    let token = from(text, scheme).trim_ascii();
    // `{` begins all headers of tokens: `e` and one of these, in base64.
    if !matches!(token, [b'e', b'w'..=b'z', ..]) || token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || header.len() > MAX_HEADER_BYTES {
        return None;
    }
    let json = decoded(header)?;
    let at = scheme..scheme + header.len().min(text.len() - scheme);
    let mut best = Best::default();
    let mut seen = Seen { alg: 0, has_none: false, is_proof: false, has_key: false };
    members(&json, &mut |name, value| {
        if let Some((confidence, what)) = member(name, value, payload, &mut seen) {
            best.take(high(confidence, at.clone(), what));
        }
    });
    if seen.alg > 1 {
        best.take(high(84, at.clone(), "names two algorithms"));
    }
    if seen.has_key && !seen.is_proof {
        best.take(high(84, at.clone(), "brings the key it is to be checked with"));
    }
    if seen.alg > 0 && signature.is_empty() && !seen.has_none {
        best.take(high(86, at, "has its signature taken away"));
    }
    let mut sign = best.0?;
    // OpenID Connect lets clients send their own wishes as a token without signature (Core 1.0 section 6.1).
    if seen.has_none && is_one_of(place.name.as_bytes(), &["request", "request_object"]) {
        sign.confidence = sign.confidence.min(60);
    }
    Some(sign)
}

/// What was met in a header.
struct Seen {
    alg: u32,
    has_none: bool,
    /// A proof of possession (RFC 9449) or a request to a certificate authority (RFC 8555): these bring their own key.
    is_proof: bool,
    has_key: bool,
}

fn member(name: &[u8], value: &[u8], payload: &[u8], seen: &mut Seen) -> Option<(u8, &'static str)> {
    let text = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    match name {
        b"alg" => {
            seen.alg += 1;
            let Some(alg) = text else { return Some((70, "names no algorithm")) };
            if alg.trim_ascii().eq_ignore_ascii_case(b"none") {
                seen.has_none = true;
                return Some((93, "is a token without signature"));
            }
            let is_odd = !alg.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-+_/.".contains(byte));
            match alg {
                b"" => Some((84, "names no algorithm")),
                _ if is_odd => Some((84, "names an algorithm that is none")),
                _ => None,
            }
        }
        b"jku" | b"x5u" => {
            let url = text?;
            let host = host(url);
            let is_plain = begins(url, b"https://") && !url.contains(&b'@') && find(url, b"..").is_none();
            // Some issuers name their own keys so; then the issuer of the payload is the same host.
            let is_own = !host.is_empty()
                && decoded(payload).is_some_and(|claims| issuer(&claims).is_some_and(|issuer| issuer == host));
            Some((if is_plain && is_own { 30 } else { 85 }, "says where the key is that it is to be checked with"))
        }
        b"jwk" => {
            seen.has_key = value.first() == Some(&b'{');
            None
        }
        b"typ" => {
            let text = text?;
            seen.is_proof |= find(text, b"dpop").is_some()
                || find(text, b"proof").is_some()
                || find(text, b"oauth-client-attestation").is_some();
            None
        }
        b"nonce" => {
            seen.is_proof = true;
            None
        }
        b"kid" => key_id(text?),
        b"crit" => Some((50, "demands an extension")),
        b"cty" if find(value, b"java-serialized").is_some() || find(value, b"text/xml").is_some() => {
            Some((84, "carries objects of a language"))
        }
        _ => None,
    }
}

/// Key ids are names, hashes, addresses; what looks up a key by one may be a file system, a database or a shell.
fn key_id(kid: &[u8]) -> Option<(u8, &'static str)> {
    let is_root = ["/dev/", "\\/dev", "/etc/", "/proc/", "/var/", "/tmp/", "/usr/", "/home/", "file:"];
    if find(kid, b"../").is_some()
        || find(kid, b"..\\").is_some()
        || is_root.iter().any(|root| begins(kid, root.as_bytes()))
    {
        return Some((92, "names a file as its key"));
    }
    if kid.contains(&b'\'')
        || find(kid, b"\\\"").is_some()
        || find(kid, b" union ").is_some()
        || find(kid, b"\\u0027").is_some()
    {
        return Some((88, "names its key in SQL"));
    }
    if begins(kid, b"http://") {
        return Some((84, "says where the key is that it is to be checked with"));
    }
    let has_shell =
        kid.iter().any(|byte| b"|;`<>".contains(byte)) || find(kid, b"$(").is_some() || find(kid, b"\\u0000").is_some();
    has_shell.then_some((86, "names its key in the language of a shell"))
}

fn host(url: &[u8]) -> &[u8] {
    let rest = find(url, b"//").map_or(url, |at| from(url, at + 2));
    let end = rest.iter().position(|byte| b"/?#:\\".contains(byte)).unwrap_or(rest.len());
    part(rest, 0..end)
}

fn issuer(claims: &[u8]) -> Option<Vec<u8>> {
    let mut issuer = None;
    members(claims, &mut |name, value| {
        if name == b"iss" {
            issuer = Some(host(value.strip_prefix(b"\"").unwrap_or(value)).to_vec());
        }
    });
    issuer
}

/// Calls `each` with name and value, as written, of the members of a JSON object; of what is none with those there seem to be.
fn members(json: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    let (mut start, mut name) = (0, 0..0);
    for (at, byte) in json.iter().enumerate() {
        if in_string {
            (in_string, escaped) = (escaped || *byte != b'"', !escaped && *byte == b'\\');
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b':' if depth == 1 => {
                name = start..at;
                start = at + 1;
            }
            b',' | b'}' if depth == 1 => {
                let named = part(json, name.clone()).trim_ascii();
                let named = named.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(named);
                if !named.is_empty() {
                    each(named, part(json, start..at).trim_ascii());
                }
                (start, name) = (at + 1, 0..0);
                depth -= u32::from(*byte == b'}');
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}

/// Base64 in either alphabet, with or without padding: some programs take what RFC 7515 forbids.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
