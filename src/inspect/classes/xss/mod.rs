//! Script that gets into pages: tags that run something, wherever a text starts to be read as markup; handlers that break
//! out of an attribute; code that breaks out of a string; addresses that run; and code by itself.

mod active;
mod breakout;
mod html;
mod script;
mod url;

use super::seek::{has, piece, tail};
use super::shown;
use super::system::{CODE, is_named};
use crate::inspect::{Attack, Class, Layers, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;
use active::Seen;

/// Script in what a browser could show.
pub static XSS: Class = Class { attack: Attack::Xss, words: &WORDS, chars: b"<(`", may_be, judge };

const WORDS: [&str; 33] = [
    "alert",
    "prompt",
    "confirm",
    "eval",
    "settimeout",
    "setinterval",
    "constructor",
    "fromcharcode",
    "javascript",
    "vbscript",
    "livescript",
    "text/html",
    "text/javascript",
    "document.cookie",
    "document.domain",
    "document.location",
    "document.write",
    "innerhtml",
    "location",
    "globalthis",
    "onerror",
    "onload",
    "onclick",
    "onfocus",
    "onmouseover",
    "onpointerover",
    "ontoggle",
    "onanimationstart",
    "import",
    "fetch",
    "function",
    "adw",
    "document",
];
/// In a file that is uploaded script is often at home, and nothing is more than a strong hint.
const MOST_IN_FILES: u8 = 70;
/// From this on markup runs something, whatever stands around it.
const RUNS: u8 = 90;
/// How much the tags of a text may be read, times its length: tags inside tags are read again.
const READS: usize = 2;
/// Most script elements that are looked into.
const SCRIPTS: usize = 64;
/// Words before markup that was escaped, from which on it is quoted.
const WORDS_BEFORE_ESCAPED: usize = 3;
/// Longest piece that is shown of what was found, bytes.
const SHOWN: usize = 120;

const LETTERS: u128 = 0x07ff_fffe_07ff_fffe << 64;

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    if place.part == Part::XmlDocument {
        return false;
    }
    let has_quote = scan.any(b"'\"`");
    scan.any(b"<")
        || (scan.word(Attack::Xss) && scan.any(b"(`=[:+"))
        || (has_quote && scan.all(b"=") && scan.any(b"(`"))
        || (scan.all(b"[]") && scan.any(b"(`"))
        || (scan.all(b"[]()+!") && scan.ascii & LETTERS == 0)
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let mut best: Option<Seen> = tags(text);
    // Most that is found is found as a tag; the rest is for texts that are no markup.
    if best.is_none_or(|(sure, ..)| sure < 80) {
        let others = [breakout::attribute, breakout::string, breakout::alone, address, utf7];
        for other in others {
            if let Some(seen) = other(text)
                && best.is_none_or(|(sure, ..)| seen.0 > sure)
            {
                best = Some(seen);
            }
        }
    }
    let (sure, at, what) = best?;
    // A member for code holds code; what a page would run has to be markup there.
    let is_json = matches!(reading.place.part, Part::Json | Part::GraphqlArgument);
    let is_code = is_json && (is_named(reading.place, CODE) || reading.place.name.contains("/script/"));
    let sure = if is_code && what == breakout::NOTHING_ELSE { sure.min(shown::MOST) } else { sure };
    // Backticks keep markup from running only where somebody reads them as markdown; what would run elsewhere is an attack in them, too.
    let is_shown = if sure < RUNS { shown::is_shown(reading, at) } else { shown::is_in_document(reading, at) };
    let sure = if is_shown { sure.min(shown::MOST) } else { sure };
    // What a page shows as text, between words.
    let is_escaped = reading.layers.has(Layers::HTML) && shown::words(piece(text, 0..at)) >= WORDS_BEFORE_ESCAPED;
    let sure = if is_escaped { sure.min(shown::MOST) } else { sure };
    let sure = if reading.place.part == Part::File { sure.min(MOST_IN_FILES) } else { sure };
    let severity = if sure >= 80 { Severity::High } else { Severity::Medium };
    let end = (at + SHOWN).min(text.len());
    Some(Sign { confidence: sure, severity, at: at..end, what })
}

/// The most active tag of the text.
fn tags(text: &[u8]) -> Option<Seen> {
    let mut best: Option<Seen> = None;
    let mut budget = text.len().saturating_mul(READS);
    let mut scripts = 0;
    let mut at = 0;
    while let Some(step) = tail(text, at).iter().position(|byte| *byte == b'<') {
        at += step;
        let Some(tag) = html::tag(text, at) else {
            at += 1;
            continue;
        };
        scripts += usize::from(tag.name.is(&["script"]));
        if scripts > SCRIPTS {
            return best.max(Some((84, at, "more script elements than pages have")));
        }
        if let Some(seen) = active::of_tag(text, &tag)
            && best.is_none_or(|(sure, ..)| seen.0 > sure)
        {
            best = Some(seen);
        }
        // What stands inside a tag is read again: a page may end its quotes elsewhere.
        let length = tag.range.end - at;
        at = if budget > length { tag.named.end } else { tag.range.end };
        budget = budget.saturating_sub(length);
    }
    best
}

fn address(text: &[u8]) -> Option<Seen> {
    url::in_text(text).map(|(sure, at)| (sure, at, "an address that runs script"))
}

/// `<` and `>` as UTF-7 writes them.
fn utf7(text: &[u8]) -> Option<Seen> {
    let at = super::seek::find(text, "+adw-", 0)?;
    let is_tag = has(piece(text, at..at + SHOWN), "+ad4-") || has(piece(text, at..at + SHOWN), "script");
    is_tag.then_some((84, at, "a tag in UTF-7"))
}
