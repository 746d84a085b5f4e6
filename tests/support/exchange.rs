//! Requests and responses for selectors, and a reader of tokens that counts.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use throughline::selector::{Body, Claims, Client, HeaderView, ReadTokens, Request, Response, Trust};

/// What is sent one way, owned, so that a message can be borrowed from it.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub method: String,
    pub path: String,
    pub query: String,
    pub names: Vec<String>,
    pub values: Vec<String>,
    pub status: u16,
    pub set_cookies: Vec<String>,
    pub content_type: String,
    pub body: Option<Vec<u8>>,
    pub cut: bool,
}

impl Sent {
    /// A message with this body.
    pub fn body(content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let body = Some(body.as_ref().to_vec());
        Self { method: "POST".to_owned(), content_type: content_type.to_owned(), body, ..Self::default() }
    }

    /// A message with this header.
    pub fn header(name: &str, value: &str) -> Self {
        Self { names: vec![name.to_owned()], values: vec![value.to_owned()], ..Self::default() }
    }

    /// Hands the message over as a request.
    pub fn with_request<T>(&self, read: impl FnOnce(&Request<'_>) -> T) -> T {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        read(&Request {
            method: &self.method,
            host: "shop.test",
            path: if self.path.is_empty() { "/" } else { &self.path },
            query: &self.query,
            headers: HeaderView { names: &self.names, values: &values },
            client: client(),
            captures: &[("id", "a%2Fb"), ("bad", "%zz"), ("plain", "42")],
            body: self.borrowed_body(),
        })
    }

    /// Hands the message over as a response.
    pub fn with_response<T>(&self, read: impl FnOnce(&Response<'_>) -> T) -> T {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let set_cookies: Vec<&str> = self.set_cookies.iter().map(String::as_str).collect();
        read(&Response {
            status: self.status,
            headers: HeaderView { names: &self.names, values: &values },
            set_cookies: &set_cookies,
            body: self.borrowed_body(),
        })
    }

    fn borrowed_body(&self) -> Option<Body<'_>> {
        let bytes = self.body.as_deref()?;
        Some(Body { content_type: &self.content_type, bytes, cut: self.cut })
    }
}

/// A client of which everything is known.
pub fn client() -> Client<'static> {
    let ip = "2001:db8::7".parse().ok();
    Client { ip, country: "DE", asn: 3320, colo: "FRA", ja4: "t13d", user_agent: "Mozilla/5.0" }
}

/// A token with these claims; one signed `good` counts as verified.
pub fn token(claims: &str, signature: &str) -> String {
    ["eyJhbGciOiJub25lIn0", &URL_SAFE_NO_PAD.encode(claims), signature].join(".")
}

/// Decodes tokens and counts how often it was asked to.
#[derive(Debug, Default)]
pub struct Tokens {
    pub asked: usize,
}

impl ReadTokens for Tokens {
    fn claims(&mut self, token: &str) -> Option<Claims> {
        self.asked += 1;
        let (payload, signature) = token.split_once('.')?.1.split_once('.')?;
        let json: Rc<str> = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?.into();
        let trust = if signature == "good" { Trust::Verified(0) } else { Trust::Unverified };
        Some(Claims { json, trust })
    }
}
