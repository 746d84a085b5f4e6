//! What is exported, and how it is written: NDJSON, CSV, HAR, OCSF, ECS and CEF, from the answers of the public API.
//!
//! A [`Writer`] gets items one by one and hands over text part by part; it never holds more than was not fetched yet.
//! Nothing here asks anybody: `edge/` fetches page after page and streams what is written. Every text in an item may come
//! from an attacker, and each format escapes what is active in it.

mod cef;
mod csv;
mod ecs;
mod har;
mod json;
mod ocsf;
#[cfg(test)]
mod tests;

use crate::query::{EventAnswer, FindingAnswer, ParameterError, SessionAnswer};
use json::Json;
pub use json::{calmed, is_active};

/// Name and version of the product, as exports give them.
pub(crate) const PRODUCT: &str = "Throughline";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ndjson,
    Csv,
    Har,
    /// HTTP Activity (4002), and Detection Finding (2004) for each finding.
    Ocsf,
    /// API Activity (6003), and Detection Finding (2004).
    OcsfApi,
    Ecs,
    Cef,
}

/// What an export lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Of {
    Sessions,
    Events,
    Findings,
}

impl Format {
    /// Every format by its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("ndjson", Self::Ndjson),
        ("csv", Self::Csv),
        ("har", Self::Har),
        ("ocsf", Self::Ocsf),
        ("ocsf-api", Self::OcsfApi),
        ("ecs", Self::Ecs),
        ("cef", Self::Cef),
    ];

    /// The media type it is sent as.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf | Self::OcsfApi | Self::Ecs => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Har => "application/json",
            Self::Cef => "text/plain; charset=utf-8",
        }
    }

    /// The ending of a file of it.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Ocsf | Self::OcsfApi => "ocsf.ndjson",
            Self::Ecs => "ecs.ndjson",
            Self::Csv => "csv",
            Self::Har => "har",
            Self::Cef => "cef",
        }
    }

    /// Whether such items can be written so.
    fn takes(self, of: Of) -> bool {
        match of {
            Of::Sessions => matches!(self, Self::Ndjson | Self::Csv),
            Of::Events => true,
            Of::Findings => !matches!(self, Self::Har | Self::OcsfApi),
        }
    }
}

impl Of {
    /// The list of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sessions, Self::Events, Self::Findings].into_iter().find(|of| of.name() == name)
    }

    /// The name of such a list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Events => "events",
            Self::Findings => "findings",
        }
    }
}

/// Takes `format` out of a query string; answers it with the rest, which is the question itself.
pub fn take_format(query: &str, of: Of) -> Result<(Format, String), ParameterError> {
    let error = |name: &str, reason: &str| ParameterError { name: name.to_owned(), reason: reason.to_owned() };
    let mut format = None;
    let mut rest = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "format" if format.is_some() => return Err(error("format", "is given more than once")),
            "format" => format = Some(value.into_owned()),
            // An export is whole.
            "limit" | "cursor" => return Err(error(&name, "is not known here; an export has no pages")),
            _ => _ = rest.append_pair(&name, &value),
        }
    }
    let name = format.as_deref().unwrap_or("ndjson");
    let known = Format::ALL.into_iter().filter(|(_, format)| format.takes(of));
    match known.clone().find(|(known, _)| *known == name) {
        Some((_, format)) => Ok((format, rest.finish())),
        None => {
            let names: Vec<&str> = known.map(|(name, _)| name).collect();
            Err(error("format", &format!("is none of those for {}: {}", of.name(), names.join(", "))))
        }
    }
}

/// Writes items of one kind in one format.
#[derive(Debug)]
pub struct Writer {
    format: Format,
    of: Of,
    out: String,
    json: Json,
    is_first: bool,
}

impl Writer {
    /// A writer that has written what stands before the first item.
    pub fn new(format: Format, of: Of) -> Self {
        let mut writer = Self { format, of, out: String::new(), json: Json::default(), is_first: true };
        match format {
            Format::Csv => writer.out.push_str(csv::header(of)),
            Format::Har => writer.out.push_str(&har::opening()),
            _ => {}
        }
        writer
    }

    /// What the file is called, without its ending.
    pub fn file_name(&self) -> String {
        format!("throughline-{}.{}", self.of.name(), self.format.ending())
    }

    /// Writes an event.
    pub fn event(&mut self, event: &EventAnswer) {
        match self.format {
            Format::Ndjson => self.line(event),
            Format::Csv => csv::event(event, &mut self.out),
            Format::Har => {
                self.out.push_str(if self.is_first { "\n" } else { ",\n" });
                har::entry(event, &mut self.json);
                self.out.push_str(&self.json.take());
            }
            Format::Ocsf | Format::OcsfApi => {
                ocsf::activity(event, self.format == Format::OcsfApi, &mut self.json);
                self.end_line();
                self.findings_of(event);
            }
            Format::Ecs => {
                ecs::event(event, &mut self.json);
                self.end_line();
                self.findings_of(event);
            }
            Format::Cef => {
                cef::event(event, &mut self.out);
                self.findings_of(event);
            }
        }
        self.is_first = false;
    }

    fn findings_of(&mut self, event: &EventAnswer) {
        event.findings.iter().for_each(|finding| self.found(finding, Some(event)));
    }

    /// Writes a session.
    pub fn session(&mut self, session: &SessionAnswer) {
        match self.format {
            Format::Csv => csv::session(session, &mut self.out),
            _ => self.line(session),
        }
    }

    /// Writes a finding.
    pub fn finding(&mut self, finding: &FindingAnswer) {
        match self.format {
            Format::Ndjson => self.line(finding),
            Format::Csv => csv::finding(finding, &mut self.out),
            _ => self.found(finding, None),
        }
    }

    fn found(&mut self, finding: &FindingAnswer, event: Option<&EventAnswer>) {
        match self.format {
            Format::Cef => return cef::finding(finding, event, &mut self.out),
            Format::Ecs => ecs::finding(finding, event, &mut self.json),
            _ => ocsf::finding(finding, event, &mut self.json),
        }
        self.end_line();
    }

    fn line(&mut self, item: &impl serde::Serialize) {
        self.out.push_str(&calmed(&serde_json::to_string(item).unwrap_or_default()));
        self.out.push('\n');
    }

    fn end_line(&mut self) {
        self.out.push_str(&self.json.take());
        self.out.push('\n');
    }

    /// Writes what stands behind the last item.
    pub fn end(&mut self) {
        if self.format == Format::Har {
            self.out.push_str(har::CLOSING);
        }
    }

    /// What was written since this was last asked.
    pub fn take(&mut self) -> String {
        core::mem::take(&mut self.out)
    }
}

/// Epoch ms of a time as answers write it; 0 where it is none.
fn epoch_ms(time: &str) -> i64 {
    crate::query::parse_time(time, 0).and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0)
}
