//! What an export is called, and what the audit log says of it.

use crate::export::{Format, Writer};
use crate::identity::Keyring;
use crate::session::SessionId;

/// Longest detail in the log, bytes.
const MAX_DETAIL: usize = 500;

/// The header that names the file; nothing in it comes from a client.
pub fn disposition(writer: &Writer, session: Option<SessionId>) -> String {
    let name = writer.file_name();
    match session {
        Some(id) => format!("attachment; filename=\"session-{id}-{name}\""),
        None => format!("attachment; filename=\"{name}\""),
    }
}

/// Format and filters, without the values that name people or what they sent.
pub fn audited(format: Format, question: &str, ring: &Keyring) -> String {
    let format = Format::ALL.into_iter().find(|(_, known)| *known == format).map_or("", |(name, _)| name);
    let mut detail = format.to_owned();
    for (name, value) in form_urlencoded::parse(question.as_bytes()) {
        let field = name.trim_end_matches('!');
        let shown = match field {
            "user" | "attempted_user" => ring.pseudonym("user", &value),
            "q" => "…".to_owned(),
            _ if field.starts_with("param.") => "…".to_owned(),
            _ => value.into_owned(),
        };
        detail.push_str(&format!(" {name}={shown}"));
    }
    crate::session::cut(&mut detail, MAX_DETAIL);
    detail
}
