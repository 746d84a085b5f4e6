//! The family of a user agent: product and major version, so that an update within a version changes nothing.
//!
//! It says what an agent claims to be, no more; it is compared, not believed. The table knows how browsers pile names
//! of others upon their own; for all that do not begin with `Mozilla/`, the first product is the answer (RFC 9110
//! §10.1.5: products come in decreasing order of significance).

use core::fmt;

use serde::{Deserialize, Serialize};

/// Longest product kept, bytes.
const MAX_PRODUCT: usize = 32;

/// Product and major version of an agent, e.g. `Chrome 124`; both missing where there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Family<'a> {
    /// At most 32 bytes of the characters RFC 9110 allows in a product.
    pub product: &'a str,
    pub major: Option<u16>,
}

/// A [`Family`] that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub product: Box<str>,
    pub major: Option<u16>,
}

/// How much a product's name tells: of several in one agent, the highest counts, and of equals the first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// What every agent claims.
    Mozilla,
    /// A web view that names nothing else.
    Engine,
    /// Named by others too, for compatibility.
    Claimed,
    Browser,
    /// Built upon a browser whose name it keeps.
    Brand,
    Bot,
}

impl<'a> Family<'a> {
    /// The family of a `User-Agent`.
    pub fn of(agent: &'a str) -> Self {
        let is_between = |c: char| matches!(c, ' ' | '(' | ')' | ';' | ',' | '[' | ']' | '"');
        let mut parts = agent.split(is_between).filter(|part| !part.is_empty());
        let first = parts.next().unwrap_or("");
        let (name, version) = first.split_once('/').unwrap_or((first, ""));
        let first = Self::new(name, version);
        if name != "Mozilla" {
            return first;
        }
        let (mut best, mut rank) = (first, Rank::Mozilla);
        let (mut compatible, mut safari) = (false, "");
        for part in parts {
            let was_compatible = core::mem::replace(&mut compatible, part == "compatible");
            // Most parts are names of systems, without a version: no look at the table for those.
            let (name, version) = match part.split_once('/') {
                Some(split) => split,
                None if was_compatible => (part, ""),
                None => continue,
            };
            let found = match name {
                "Edg" | "EdgA" | "EdgiOS" | "Edge" => Some((Rank::Brand, Self::new("Edge", version))),
                "OPR" | "OPT" | "OPiOS" => Some((Rank::Brand, Self::new("Opera", version))),
                "Ddg" | "DuckDuckGo" => Some((Rank::Brand, Self::new("DuckDuckGo", version))),
                "SamsungBrowser" | "YaBrowser" | "Vivaldi" | "UCBrowser" | "Whale" | "MiuiBrowser"
                | "HuaweiBrowser" | "Brave" | "Chromium" | "Electron" | "GSA" | "HeadlessChrome" | "PowerShell"
                | "WindowsPowerShell" => Some((Rank::Brand, Self::new(name, version))),
                "Chrome" | "CriOS" => Some((Rank::Browser, Self::new("Chrome", version))),
                "Firefox" | "FxiOS" => Some((Rank::Browser, Self::new("Firefox", version))),
                "Version" => {
                    safari = version;
                    None
                }
                "Safari" => Some((Rank::Claimed, Self::new("Safari", safari))),
                // Trident 4 came with Internet Explorer 8, 7 with 11, whatever version its users chose to show.
                "Trident" => {
                    let family = Self::new("MSIE", version);
                    Some((Rank::Claimed, Self { major: family.major.map(|n| n.saturating_add(4)), ..family }))
                }
                "AppleWebKit" => Some((Rank::Engine, Self::new(name, version))),
                _ if (was_compatible && name != "MSIE") || name.ends_with("bot") || name.ends_with("Bot") => {
                    Some((Rank::Bot, Self::new(name, version)))
                }
                _ => None,
            };
            if let Some((better, family)) = found
                && better > rank
            {
                (rank, best) = (better, family);
            }
        }
        best
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (product, major) = match text.split_once(' ') {
            Some((product, major)) => (product, Some(major.parse().ok()?)),
            None => (text, None),
        };
        let family = Self::new(product, "");
        (family.product == product).then_some(Self { major, ..family })
    }

    fn new(name: &'a str, version: &str) -> Self {
        let is_of_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        let end = name.bytes().take(MAX_PRODUCT).take_while(|c| is_of_token(*c)).count();
        let digits = version.strip_prefix('v').unwrap_or(version);
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
        Self { product: name.get(..end).unwrap_or(""), major: digits.parse().ok() }
    }
}

impl fmt::Display for Family<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.major {
            Some(major) => write!(f, "{} {major}", self.product),
            None => f.write_str(self.product),
        }
    }
}

impl Agent {
    /// The family as it is compared and shown.
    pub fn family(&self) -> Family<'_> {
        Family { product: &self.product, major: self.major }
    }
}
