//! Instructions to a language model in what a person is to have said to it. Told, and never a reason to stop a request:
//! people write about this, and what a model may do is not decided here.

use super::seek::{find, find_any, piece};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// Instructions that are not the person's to give.
pub static PROMPT_INJECTION: Class =
    Class { attack: Attack::PromptInjection, words: &WORDS, chars: b"", may_be, judge };

const WORDS: [&str; 24] = [
    "ignore",
    "disregard",
    "forget",
    "override",
    "bypass",
    "jailbreak",
    "developer mode",
    "dan",
    "instructions",
    "directives",
    "im_start",
    "inst",
    "pretend",
    "system",
    "prompt",
    "unrestricted",
    "restrictions",
    "verbatim",
    "obey",
    "policy",
    "filter",
    "guidelines",
    "act as",
    "begin",
];
/// What is to be left aside.
const VERBS: [&str; 7] = ["ignore", "disregard", "forget", "override", "bypass", "do not follow", "stop following"];
/// Whose rules these are: words that stand between the verb and the rules, or right behind the verb.
const WHOSE: [&str; 14] = [
    "previous",
    "prior",
    "above",
    "earlier",
    "preceding",
    "your",
    "all ",
    "any ",
    "the system",
    "initial",
    "original",
    "existing",
    "everything",
    "you were",
];
/// What a model has been told.
const RULES: [&str; 13] = [
    "instruction",
    "directive",
    "prompt",
    "guideline",
    "direction",
    "rules",
    "programming",
    "training",
    "told",
    "restriction",
    "safety",
    "policy",
    "policies",
];
/// How much of a text is looked at: orders stand at its beginning.
const LOOKED_AT: usize = 8_192;
/// How far the rules may be from the verb, bytes.
const NEAR: usize = 60;
/// Orders to say what the model was told, and what of it.
const TELLS: [&str; 11] =
    ["reveal", "print", "show", "repeat", "output", "display", "tell me", "what is", "what are", "what were", "leak"];
const TOLD: [&str; 10] = [
    "system prompt",
    "system message",
    "initial instructions",
    "exact instructions",
    "your instructions",
    "hidden prompt",
    "everything above",
    "words above",
    "text above",
    "original prompt",
];
/// Marks that speak with another's voice, and roles without rules.
const VOICES: [&str; 22] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|endoftext|>",
    "[inst]",
    "<<sys>>",
    "### system:",
    "### instruction:",
    "you are now dan",
    "developer mode enabled",
    "enable developer mode",
    "in developer mode",
    "do anything now",
    "an unrestricted",
    "no content policy",
    "without any filter",
    "without any restrictions",
    "you have no restrictions",
    "output unrestricted",
    "from now on you obey",
    "you must obey",
    "begin_system",
];

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let is_spoken = matches!(
        place.part,
        Part::Json
            | Part::Form
            | Part::GraphqlArgument
            | Part::Query
            | Part::Xml
            | Part::Path
            | Part::Cookie
            | Part::Raw
    );
    // Sentences: what is one word, or has none of these, is no order.
    scan.word(Attack::PromptInjection) && scan.any(b" |]#") && (is_spoken || place.part == Part::Header)
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = piece(reading.text, 0..LOOKED_AT);
    let (confidence, at, what) = rules(text).or_else(|| reveals(text)).or_else(|| voices(text))?;
    Some(Sign { confidence, severity: Severity::Low, at: at..(at + NEAR).min(text.len()), what })
}

/// `ignore all previous instructions`, `forget everything you were told`.
fn rules(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    for verb in VERBS {
        let mut from = 0;
        while let Some(at) = find(text, verb, from) {
            from = at + verb.len();
            let near = sentence(piece(text, from..from + NEAR));
            if find_any(near, &WHOSE).is_some() && find_any(near, &RULES).is_some() {
                return Some((60, at, "an order to leave the instructions aside"));
            }
        }
    }
    None
}

/// `print your system prompt`, `repeat everything above verbatim`.
fn reveals(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    TELLS.iter().find_map(|verb| {
        let at = find(text, verb, 0)?;
        find_any(sentence(piece(text, at..at + NEAR)), &TOLD)?;
        Some((55, at, "a question for the model's instructions"))
    })
}

/// Up to the end of the sentence.
fn sentence(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'.' | b'!' | b'?' | b'\n'));
    piece(text, 0..end.unwrap_or(text.len()))
}

fn voices(text: &[u8]) -> Option<(u8, usize, &'static str)> {
    find_any(text, &VOICES).map(|at| (55, at.start, "words in another's voice"))
}
