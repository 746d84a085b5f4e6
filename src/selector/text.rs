//! The texts that sources hold, and the decoders that lead from one text to the next.

use std::borrow::Cow;

use super::collect::Collector;
use super::cookie::cookie_and_repeated;
use super::found::{Found, Kind, ReadMarks, Value};
use super::message::{Body, Client, ReadTokens, Request, Response, Trust};
use super::set_cookie::SetCookie;
use super::source::{Meta, Source};
use super::trie::Trie;
use super::{body, decode, form, json};

/// A request or a response.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message<'m, 'a> {
    Request(&'m Request<'a>),
    Response(&'m Response<'a>),
}

impl<'a> Message<'_, 'a> {
    pub fn body(self) -> Option<Body<'a>> {
        match self {
            Self::Request(request) => request.body,
            Self::Response(response) => response.body,
        }
    }
}

/// A text on its way through the decoders.
#[derive(Debug, Clone, Default)]
pub(super) struct Text<'a> {
    /// `None` where there is none, or it could not be decoded.
    pub text: Option<Cow<'a, str>>,
    pub kind: Kind,
    pub trust: Option<Trust>,
    pub marks: ReadMarks,
    /// The text is only the start of what was sent.
    pub cut: bool,
}

impl<'a> Text<'a> {
    fn borrowed(text: Option<&'a str>) -> Self {
        Self { text: text.map(Cow::Borrowed), ..Self::default() }
    }

    pub fn owned(text: String) -> Self {
        Self { text: Some(Cow::Owned(text)), ..Self::default() }
    }

    /// The first value of what was found.
    pub fn first(found: &'a Found) -> Self {
        let value = found.values.first();
        let (kind, trust) = value.map(|value| (value.kind, value.trust)).unwrap_or_default();
        let text = value.map(|value| Cow::Borrowed(value.text.as_str()));
        Self { text, kind, trust, marks: found.marks, cut: false }
    }

    /// The same, of what nobody else needs.
    pub fn only(found: Found) -> Self {
        let Some(Value { text, kind, trust }) = found.values.into_iter().next() else {
            return Self { marks: found.marks, ..Self::default() };
        };
        Self { kind, trust, marks: found.marks, ..Self::owned(text) }
    }

    pub fn into_owned(self) -> Text<'static> {
        Text { text: self.text.map(|text| Cow::Owned(text.into_owned())), ..self }
    }

    /// The text as a value; a part of one is none.
    pub fn into_found(self) -> Found {
        let mut found = Found::marked(self.marks);
        match self.text {
            _ if self.cut => found.marks.set(ReadMarks::CUT),
            Some(text) => found.push(Value { text: text.into_owned(), kind: self.kind, trust: self.trust }),
            None => {}
        }
        found
    }
}

/// The text that stands at `source`; for structured sources and on the other side there is none.
pub(super) fn at<'a>(source: &Source, message: Message<'_, 'a>) -> Text<'a> {
    match (source, message) {
        (Source::Body, message) => whole(message.body()),
        (Source::Header(name), Message::Request(request)) => Text::borrowed(request.headers.get(name)),
        (Source::Header(name), Message::Response(response)) => Text::borrowed(response.headers.get(name)),
        (Source::Cookie(name), Message::Request(request)) => {
            let header = request.headers.get("cookie").unwrap_or_default();
            let (value, repeated) = cookie_and_repeated(header, name);
            Text { marks: duplicate(repeated), ..Text::borrowed(value) }
        }
        (Source::Query(name), Message::Request(request)) => form::parameter(request.query, name),
        (Source::Path, Message::Request(request)) => path(Some(request.path)),
        (Source::Capture(name), Message::Request(request)) => {
            path(request.captures.iter().find(|(known, _)| known == name).map(|(_, segment)| *segment))
        }
        (Source::Token, Message::Request(request)) => {
            Text::borrowed(request.headers.get("authorization").and_then(decode::bearer_token))
        }
        (Source::Meta(Meta::Host), Message::Request(request)) => Text::borrowed(Some(request.host)),
        (Source::Meta(Meta::Method), Message::Request(request)) => Text::borrowed(Some(request.method)),
        (Source::Meta(meta), Message::Request(request)) => known(*meta, &request.client),
        (Source::Status, Message::Response(response)) => {
            let text = (response.status > 0).then(|| Cow::Owned(response.status.to_string()));
            Text { text, kind: Kind::Number, ..Text::default() }
        }
        (Source::SetCookie(name), Message::Response(response)) => {
            let set = response.set_cookies.iter().filter_map(|field| SetCookie::parse(field));
            let (mut value, mut count) = (None, 0);
            for cookie in set.filter(|cookie| cookie.name == name) {
                // Of those that set a value the last holds; a deletion beside them is of an older path or domain.
                value = Some(cookie.value).filter(|_| !cookie.deleted).or(value);
                count += 1;
            }
            Text { marks: duplicate(count > 1), ..Text::borrowed(value) }
        }
        _ => Text::default(),
    }
}

fn duplicate(repeated: bool) -> ReadMarks {
    if repeated { ReadMarks::DUPLICATE } else { ReadMarks::default() }
}

fn malformed(sound: bool) -> ReadMarks {
    if sound { ReadMarks::default() } else { ReadMarks::MALFORMED }
}

fn whole(body: Option<Body<'_>>) -> Text<'_> {
    let Some(body) = body.filter(|body| !body.is_nothing()) else { return Text::default() };
    let (text, marks) = body::text(&body);
    Text { text: Some(text), marks, cut: body.cut, ..Text::default() }
}

fn path(raw: Option<&str>) -> Text<'_> {
    let Some((text, sound)) = raw.map(decode::percent) else { return Text::default() };
    Text { text: Some(text), marks: malformed(sound), ..Text::default() }
}

fn known<'a>(meta: Meta, client: &Client<'a>) -> Text<'a> {
    let text = match meta {
        Meta::Country => client.country,
        Meta::Colo => client.colo,
        Meta::Ja4 => client.ja4,
        Meta::UserAgent => client.user_agent,
        Meta::Ip => return client.ip.map(|ip| Text::owned(ip.to_string())).unwrap_or_default(),
        Meta::Asn if client.asn > 0 => return Text { kind: Kind::Number, ..Text::owned(client.asn.to_string()) },
        Meta::Asn | Meta::Host | Meta::Method => return Text::default(),
    };
    Text::borrowed(Some(text))
}

/// The slot of a trie that is made of one pointer.
const ONLY: [usize; 1] = [0];

/// A decoder that leads from a text to one other text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Base64,
    Url,
    /// The JSON scalar that the text is.
    Json(Trie),
    /// One claim of the token that the text is.
    Claims(Trie),
}

impl Step {
    /// The next text.
    pub fn apply<'a>(&self, from: Text<'a>, tokens: &mut dyn ReadTokens) -> Text<'a> {
        let Some(text) = from.text else { return from };
        if from.cut {
            return Text { text: None, ..from };
        }
        let decoded = match self {
            Self::Base64 => decode::base64(&text).map(Cow::Owned),
            Self::Url => percent(text),
            Self::Json(trie) | Self::Claims(trie) => {
                let document = Text { text: Some(text), ..from };
                // However long: what is kept in the end is judged then.
                let found = match self {
                    Self::Claims(_) => claims(&document, trie, &ONLY, tokens),
                    _ => members(&document, trie, &ONLY),
                };
                return found.into_iter().next().map(Text::only).unwrap_or_default();
            }
        };
        let mut marks = from.marks;
        marks.set(malformed(decoded.is_some()));
        Text { text: decoded, kind: Kind::String, marks, ..from }
    }
}

fn percent(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => Some(decode::percent(text)).filter(|(_, sound)| *sound).map(|(text, _)| text),
        Cow::Owned(text) => {
            let (text, sound) = decode::percent(&text);
            sound.then(|| Cow::Owned(text.into_owned()))
        }
    }
}

/// What `trie` wants of the JSON that `document` is; values at the slots in `unlimited` may have any length.
pub(super) fn members(document: &Text<'_>, trie: &Trie, unlimited: &[usize]) -> Vec<Found> {
    read(document, document.text.as_deref(), Collector::new(trie, document.trust).unlimited(unlimited))
}

/// The same of the claims of the token that `document` is, with or without its scheme.
pub(super) fn claims(document: &Text<'_>, trie: &Trie, unlimited: &[usize], tokens: &mut dyn ReadTokens) -> Vec<Found> {
    let token = document.text.as_deref().filter(|text| !text.is_empty() && !document.cut);
    let claims = token.and_then(|token| tokens.claims(decode::bearer_token(token).unwrap_or(token)));
    let mut to = Collector::new(trie, claims.as_ref().map(|claims| claims.trust)).unlimited(unlimited);
    to.mark(malformed(token.is_none() || claims.is_some()));
    read(document, claims.as_ref().map(|claims| &*claims.json), to)
}

/// Reads `json`, which is `document` or what it stands for.
fn read(document: &Text<'_>, json: Option<&str>, mut to: Collector<'_>) -> Vec<Found> {
    to.mark(document.marks);
    if document.cut {
        to.mark(ReadMarks::CUT);
    }
    if let Some(json) = json.filter(|json| !json.is_empty()) {
        json::read(json, document.cut, &mut to);
    }
    to.finish()
}
