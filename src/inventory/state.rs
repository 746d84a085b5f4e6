//! What an endpoint is to the documents, and what an answer shows.

use serde::{Deserialize, Serialize};

/// What an endpoint is to the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inventory {
    Documented,
    /// It answers, and no document has it.
    Shadow,
    /// It answers still, and is deprecated, was removed, or says itself that it has an end.
    Zombie,
    /// A document has it, and nobody calls it. No event is.
    Orphan,
}

impl Inventory {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Documented, Self::Shadow, Self::Zombie, Self::Orphan];

    /// The name the API uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Shadow => "shadow",
            Self::Zombie => "zombie",
            Self::Orphan => "orphan",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The number it is stored by; 0 stands for none.
    pub fn number(state: Option<Self>) -> u8 {
        state.map_or(0, |state| state as u8 + 1)
    }

    /// The state stored by that number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// Whether an answer shows that there is something at a path. Refusals (401, 403) and failures (5xx) are given for
/// anything by gateways and middleware, redirects lead to a login or to another spelling, 400 is said of the request.
pub fn shows_existence(status: u16) -> bool {
    matches!(status, 200..=299 | 304 | 409 | 412 | 415 | 422)
}

/// Whether a request is for a file of a site rather than for an API.
pub fn is_asset(method: &str, path: &str) -> bool {
    const EXTENSIONS: [&str; 31] = [
        "avif",
        "bmp",
        "br",
        "css",
        "eot",
        "gif",
        "gz",
        "htm",
        "html",
        "ico",
        "jpeg",
        "jpg",
        "js",
        "map",
        "mjs",
        "mp3",
        "mp4",
        "ogg",
        "otf",
        "pdf",
        "png",
        "svg",
        "ttf",
        "txt",
        "wasm",
        "webm",
        "webmanifest",
        "webp",
        "woff",
        "woff2",
        "xsl",
    ];
    if !matches!(method, "GET" | "HEAD") {
        return false;
    }
    let last = path.rsplit('/').next().unwrap_or("");
    let is_file = last.rsplit_once('.').is_some_and(|(name, extension)| {
        !name.is_empty() && EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    });
    is_file || path == "/" || path.starts_with("/.well-known/") || matches!(path, "/sitemap.xml" | "/browserconfig.xml")
}
