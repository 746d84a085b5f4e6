//! `POST identify`: what would be made of a sample exchange, or of every exchange in a HAR file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::identity::jwt::{Tokens, TokensAt};
use crate::identity::{Preview, Sampled, preview};
use crate::ordered::OrderedMap;
use crate::policy::Policy;
use crate::query::{parse_time, rfc3339};
use crate::selector::{Body, Client, HeaderView, Request, Response};

/// Longest body of the order, bytes: a HAR of a few minutes of browsing without its media.
pub const MAX_SAMPLE_BYTES: usize = 4 * 1024 * 1024;
/// Exchanges read of one HAR; of more, the first.
pub const MAX_ENTRIES: usize = 500;
/// Headers read of one message.
const MAX_HEADERS: usize = 256;

/// One sample, a request with, if links are of interest, its response; or a HAR file as browsers save it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifyOrder {
    request: Option<SampleRequest>,
    response: Option<SampleResponse>,
    client: Option<SampleClient>,
    /// When it happened, for tokens that were in force then; now, where it is left out.
    time: Option<String>,
    log: Option<HarLog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleRequest {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: Fields,
    body: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleResponse {
    status: Option<u16>,
    #[serde(default)]
    headers: Fields,
    body: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleClient {
    ip: Option<String>,
    country: Option<String>,
    asn: Option<u32>,
    ja4: Option<String>,
}

/// Header fields: `{name: value}`, `{name: [values]}` or `[[name, value]]`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an object of header names with their values, or a list of [name, value]")]
enum Fields {
    Table(OrderedMap<String, OneOrMore>),
    Pairs(Vec<(String, String)>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for Fields {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
pub struct HarLog {
    entries: Vec<HarEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    started_date_time: Option<String>,
    request: HarRequest,
    response: Option<HarResponse>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<HarHeader>,
    post_data: Option<HarContent>,
}

#[derive(Debug, Deserialize)]
struct HarResponse {
    /// 0 or less where there was no answer.
    status: i32,
    #[serde(default)]
    headers: Vec<HarHeader>,
    content: Option<HarContent>,
}

#[derive(Debug, Deserialize)]
struct HarHeader {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct HarContent {
    text: Option<String>,
    encoding: Option<String>,
}

/// What was made of one exchange.
#[derive(Debug, Serialize)]
pub struct Identified {
    method: String,
    url: String,
    time: String,
    #[serde(flatten)]
    preview: Preview,
}

type HeaderFields = Vec<(String, String)>;

/// One exchange, whichever form it came in.
pub(super) struct Exchange {
    method: String,
    url: String,
    headers: HeaderFields,
    body: Option<Vec<u8>>,
    /// Status, header fields, body.
    response: Option<(u16, HeaderFields, Option<Vec<u8>>)>,
    client: SampleClient,
    time_ms: u64,
    /// Where it stands in the order, for errors.
    place: String,
}

/// Reads every exchange of the order as traffic would be read; answers too whether there were more than are read.
///
/// # Errors
///
/// What cannot be read, by its place in the order.
pub fn identify(
    order: IdentifyOrder,
    policy: &Policy,
    tokens: &mut Tokens,
    now_ms: u64,
) -> Result<(Vec<Identified>, bool), Refusal> {
    let (exchanges, cut) = match order {
        IdentifyOrder { log: Some(log), request: None, response: None, client: None, time: None } => {
            exchanges_of(log, now_ms)?
        }
        IdentifyOrder { log: Some(_), .. } => {
            return Err(Refusal::Body("`log` stands beside a sample; send one of them".into()));
        }
        IdentifyOrder { request: Some(request), response, client, time, .. } => {
            (vec![from_sample(request, response, client, time.as_deref(), now_ms)?], false)
        }
        IdentifyOrder { .. } => {
            return Err(Refusal::Body("`request` is missing; send a sample, or a HAR file with its `log`".into()));
        }
    };
    let identified = exchanges.iter().map(|exchange| exchange.identify(policy, tokens));
    Ok((identified.collect::<Result<_, _>>()?, cut))
}

/// The exchanges of a HAR file, and whether there are more than are read.
pub(super) fn exchanges_of(log: HarLog, now_ms: u64) -> Result<(Vec<Exchange>, bool), Refusal> {
    let cut = log.entries.len() > MAX_ENTRIES;
    let entries = log.entries.into_iter().take(MAX_ENTRIES).enumerate();
    Ok((entries.map(|(at, entry)| from_har(entry, at, now_ms)).collect::<Result<Vec<_>, _>>()?, cut))
}

fn from_sample(
    request: SampleRequest,
    response: Option<SampleResponse>,
    client: Option<SampleClient>,
    time: Option<&str>,
    now_ms: u64,
) -> Result<Exchange, Refusal> {
    let time_ms = match time {
        None => now_ms,
        Some(text) => {
            parse_time(text, now_ms).ok_or_else(|| Refusal::Body(format!("`time` is `{text}`, no RFC 3339 time")))?
        }
    };
    let client = client.unwrap_or_default();
    if client.ip.as_deref().is_some_and(|ip| ip.parse::<core::net::IpAddr>().is_err()) {
        return Err(Refusal::Body("`client.ip` is no address".into()));
    }
    Ok(Exchange {
        method: request.method.unwrap_or_else(|| "GET".to_owned()),
        url: request.url,
        headers: request.headers.pairs(),
        body: request.body.map(String::into_bytes),
        response: response.map(|r| (r.status.unwrap_or(200), r.headers.pairs(), r.body.map(String::into_bytes))),
        client,
        time_ms,
        place: "request".to_owned(),
    })
}

fn from_har(entry: HarEntry, at: usize, now_ms: u64) -> Result<Exchange, Refusal> {
    let bytes = |content: Option<HarContent>, part: &str| -> Result<Option<Vec<u8>>, Refusal> {
        let Some(HarContent { text: Some(text), encoding }) = content else { return Ok(None) };
        if encoding.as_deref() != Some("base64") {
            return Ok(Some(text.into_bytes()));
        }
        let decoded = STANDARD.decode(text.as_bytes());
        decoded.map(Some).map_err(|_| Refusal::Body(format!("`log.entries[{at}].{part}` is no base64")))
    };
    let pairs = |headers: Vec<HarHeader>| lowered(headers.into_iter().map(|h| (h.name, h.value)).collect());
    let time = entry.started_date_time.as_deref().and_then(|text| parse_time(text, now_ms));
    Ok(Exchange {
        method: entry.request.method,
        url: entry.request.url,
        headers: pairs(entry.request.headers),
        body: bytes(entry.request.post_data, "request.postData")?,
        response: match entry.response {
            Some(r) => match u16::try_from(r.status) {
                Ok(status) if status > 0 => Some((status, pairs(r.headers), bytes(r.content, "response.content")?)),
                _ => None,
            },
            None => None,
        },
        client: SampleClient::default(),
        time_ms: time.unwrap_or(now_ms),
        place: format!("log.entries[{at}].request"),
    })
}

impl Fields {
    fn pairs(self) -> Vec<(String, String)> {
        lowered(match self {
            Self::Pairs(pairs) => pairs,
            Self::Table(table) => table
                .into_iter()
                .flat_map(|(name, values)| {
                    let values = match values {
                        OneOrMore::One(value) => vec![value],
                        OneOrMore::More(values) => values,
                    };
                    values.into_iter().map(move |value| (name.clone(), value))
                })
                .collect(),
        })
    }
}

fn lowered(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.into_iter().take(MAX_HEADERS).map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// The values of these headers, repeated ones joined as the platform joins them.
fn values_of(names: &[String], sent: &[(String, String)]) -> Vec<String> {
    let joined = |name: &String| {
        let values = sent.iter().filter(|(n, _)| n == name).map(|(_, value)| value.trim());
        values.collect::<Vec<_>>().join(", ")
    };
    names.iter().map(joined).collect()
}

fn header<'a>(sent: &'a [(String, String)], name: &str) -> &'a str {
    sent.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
}

/// The path as it reaches the origin: dot segments resolved as the URL standard has it.
fn settled(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut settled: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(&path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            dots @ ("." | "..") => {
                if dots == ".." {
                    settled.pop();
                }
                if last {
                    settled.push("");
                }
            }
            _ => settled.push(segment),
        }
    }
    format!("/{}", settled.join("/"))
}

impl Exchange {
    fn identify(&self, policy: &Policy, tokens: &mut Tokens) -> Result<Identified, Refusal> {
        let mut tokens = TokensAt { tokens, now_ms: self.time_ms };
        self.sampled(policy, |sampled| Identified {
            method: self.method.clone(),
            url: self.url.clone(),
            time: rfc3339(self.time_ms),
            preview: preview(&policy.keys, &policy.users, sampled, &mut tokens),
        })
    }

    /// When it happened, epoch ms.
    pub(super) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Shows it as traffic is seen.
    pub(super) fn sampled<T>(&self, policy: &Policy, use_it: impl FnOnce(&Sampled<'_>) -> T) -> Result<T, Refusal> {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest).split('#').next().unwrap_or("");
        let (host, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.is_empty() {
            let Self { place, url, .. } = self;
            return Err(Refusal::Body(format!("`{place}.url` is `{url}`; write it whole, https://host/path")));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = settled(path);
        let most = policy.limits.body_bytes as usize;
        let start = |bytes: &'_ [u8]| (bytes.len().min(most), bytes.len() > most);
        let body_of = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(start);

        let values = values_of(&policy.headers, &self.headers);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let ip = self.client.ip.as_deref().unwrap_or_else(|| header(&self.headers, "cf-connecting-ip"));
        let client = Client {
            ip: ip.parse().ok(),
            country: self.client.country.as_deref().unwrap_or(""),
            asn: self.client.asn.unwrap_or(0),
            colo: "",
            ja4: self.client.ja4.as_deref().unwrap_or(""),
            user_agent: header(&self.headers, "user-agent"),
        };
        let request = Request {
            method: &self.method,
            host,
            path: &path,
            query,
            headers: HeaderView { names: &policy.headers, values: &values },
            client,
            captures: &[],
            body: body_of(&self.body).and_then(|(end, cut)| {
                let bytes = self.body.as_deref()?.get(..end)?;
                Some(Body { content_type: header(&self.headers, "content-type"), bytes, cut })
            }),
        };
        let answered = self.response.as_ref();
        let values = answered.map_or_else(Vec::new, |(_, headers, _)| values_of(&policy.response_headers, headers));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        // Browsers save several Set-Cookie fields as one, a line each.
        let set_cookies: Vec<&str> = answered.map_or_else(Vec::new, |(_, headers, _)| {
            headers.iter().filter(|(n, _)| n == "set-cookie").flat_map(|(_, value)| value.split('\n')).collect()
        });
        let response = answered.map(|(status, headers, body)| Response {
            status: *status,
            headers: HeaderView { names: &policy.response_headers, values: &values },
            set_cookies: &set_cookies,
            body: body_of(body).and_then(|(end, cut)| {
                let bytes = body.as_deref()?.get(..end)?;
                Some(Body { content_type: header(headers, "content-type"), bytes, cut })
            }),
        });
        let reported =
            answered.map_or_else(Vec::new, |(_, headers, _)| values_of(&["session-event".to_owned()], headers));
        let feedback = reported.first().map_or("", String::as_str);
        Ok(use_it(&Sampled { request, response, feedback }))
    }
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn dot_segments_are_resolved_before_a_sample_is_judged() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/%2E%2e/b/.", "/b/"),
            ("/a/..", "/"),
            ("/a\\..\\b", "/b"),
            ("/a//b", "/a//b"),
            ("/a/..;/b", "/a/..;/b"),
        ] {
            assert_eq!(settled(path), expected, "{path}");
        }
    }
}
