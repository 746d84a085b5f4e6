//! The compact serialization of a JWS (RFC 7515 section 7.1), taken apart: three parts, each strict base64url, and
//! a header of which nothing is obeyed but what is written here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::object::{NotText, Object};
use super::{Algorithm, Refusal};

/// Longest token that is looked at, bytes. Servers refuse header lines beyond 8 or 16 KiB, so a longer one does not
/// get to an origin either.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Longest header that is looked at, bytes of JSON. A header with a certificate chain in it fits.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;

/// What of the header counts. The rest is either refused (`crit`, `b64`) or ignored: `jku`, `jwk`, `x5u` and `x5c`
/// name keys of the token's own choice and are never followed (RFC 8725 section 3.10).
#[derive(Debug)]
pub(super) struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

/// A token in parts; the signature is not checked yet.
pub(super) struct Compact<'t> {
    pub header: Header,
    /// What the signature is over: header and payload as sent, with the dot between them.
    pub signed: &'t [u8],
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart. Refuses everything that is no JWS in compact serialization, and every algorithm that is
    /// not verified here, `none` among them (RFC 8725 section 3.2). An empty payload is allowed: it is no JWT, but a
    /// JWS.
    pub(super) fn read(token: &'t str) -> Result<Self, Refusal> {
        let parts = Parts::of(token)?;
        let header = header(&decoded(parts.header).ok_or(Refusal::NoToken)?)?;
        let payload = decoded(parts.payload).ok_or(Refusal::Malformed("the payload is not base64url"))?;
        let signature = decoded(parts.signature).ok_or(Refusal::Malformed("the signature is not base64url"))?;
        if signature.is_empty() {
            return Err(Refusal::Malformed("there is no signature"));
        }
        Ok(Self { header, signed: parts.signed, payload, signature })
    }
}

/// The payload of something that has a JSON object as its header and one as its payload, whatever else is wrong.
pub(super) fn payload_of(token: &str) -> Option<String> {
    let parts = Parts::of(token).ok()?;
    let object = |part| {
        let text = String::from_utf8(decoded(part)?).ok()?;
        Object::read(&text, &[]).map(|_| text)
    };
    object(parts.header)?;
    object(parts.payload)
}

/// The parts as sent.
struct Parts<'t> {
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
    signed: &'t [u8],
}

impl<'t> Parts<'t> {
    fn of(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::Malformed("longer than 16 KiB"));
        }
        match token.bytes().filter(|byte| *byte == b'.').count() {
            2 => {}
            4 => return Err(Refusal::Malformed("encrypted (JWE), not signed")),
            _ => return Err(Refusal::NoToken),
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::NoToken)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::NoToken)?;
        // Four characters carry three bytes.
        if header.len() / 4 * 3 + header.len() % 4 * 3 / 4 > MAX_HEADER_BYTES {
            return Err(Refusal::Malformed("the header is longer than 4 KiB"));
        }
        Ok(Self { header, payload, signature, signed: signed.as_bytes() })
    }
}

/// Base64url as RFC 7515 section 2 wants it. Padding, white space, other alphabets and bits that carry nothing but
/// are set are refused: otherwise one token would have many spellings.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn header(json: &[u8]) -> Result<Header, Refusal> {
    let json = core::str::from_utf8(json).map_err(|_| Refusal::NoToken)?;
    let object = Object::read(json, &["alg", "kid", "typ", "crit", "b64"]).ok_or(Refusal::NoToken)?;
    if object.repeated {
        return Err(Refusal::Duplicate);
    }
    // Both change what a verifier has to do, and nothing of it is done here (RFC 7515 section 4.1.11, RFC 7797).
    if object.get("crit").is_some() || object.get("b64").is_some() {
        return Err(Refusal::Critical);
    }
    let text = |name| object.text(name).map(|text| text.map(str::to_owned));
    let kid = text("kid").map_err(|NotText| Refusal::Malformed("kid is not a string"))?;
    let typ = text("typ").map_err(|NotText| Refusal::Malformed("typ is not a string"))?;
    let Ok(Some(alg)) = object.text("alg") else {
        return Err(Refusal::Malformed("alg is missing or not a string"));
    };
    let algorithm = Algorithm::named(alg).ok_or(Refusal::Algorithm)?;
    Ok(Header { algorithm, kid, typ })
}
