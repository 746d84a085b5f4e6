//! Script that is no tag: it ends the attribute or the string it is put into, or is code from its first byte.

use super::active::{self, Seen};
use super::script::{self, Power, power};
use crate::inspect::classes::seek::{before, byte, find, is_name, is_space, piece, skip, starts, tail, trim};

/// How much behind a quote is read as code, bytes.
const CODE_BYTES: usize = 300;
/// Most quotes of one kind that are tried.
const QUOTES: usize = 16;
/// Most words that stand before a handler which is not behind a quote.
const WORDS: usize = 3;
/// What only code starts with.
const LEADS: [&[u8]; 12] = [
    b"void ",
    b"new ",
    b"throw ",
    b"window.",
    b"self.",
    b"top.",
    b"parent.",
    b"this.",
    b"globalThis.",
    b"document.",
    b"var ",
    b"String.",
];
/// What is said of a text that is code from its first byte to its last.
pub const NOTHING_ELSE: &str = "code that strikes, and nothing else";
/// Longest text that is taken for nothing but code, bytes.
const ALONE: usize = 600;

/// A handler behind the end of an attribute: `" onfocus=… autofocus x="`, `x onerror=…`.
pub fn attribute(text: &[u8]) -> Option<Seen> {
    let mut from = 0;
    let mut best: Option<Seen> = None;
    while let Some(at) = find(text, "on", from) {
        from = at + 2;
        let separator = before(text, at);
        let is_separated =
            at == 0 || is_space(separator) || matches!(separator, b'/' | b'"' | b'\'' | b'`' | b';' | b'>');
        if !is_separated || !byte(text, from).is_ascii_alphabetic() {
            continue;
        }
        let Some((sure, value)) = active::handler_at(text, at) else { continue };
        let code = power(piece(text, value..value + CODE_BYTES)).map(|(power, _)| power);
        let ahead = piece(text, 0..at);
        // Quotes that stand in pairs before it are text; one that is left over has ended an attribute.
        let is_behind_quote =
            [b'"', b'\'', b'`'].iter().any(|quote| ahead.iter().filter(|byte| *byte == quote).count() % 2 == 1);
        let spaces = ahead.iter().filter(|byte| **byte == b' ').count();
        let sure = match code {
            Some(_) if is_behind_quote => sure.max(88),
            None if is_behind_quote => sure.min(75),
            Some(Power::Strikes) if spaces <= WORDS => 84,
            _ => sure.min(55),
        };
        if best.is_none_or(|(known, ..)| sure > known) {
            best = Some((sure, at, "an event handler behind the end of an attribute"));
        }
    }
    best
}

/// Code behind the end of a string of a script: `';alert(1)//`, `"-alert(1)-"`, `${alert(1)}`.
pub fn string(text: &[u8]) -> Option<Seen> {
    for quote in [b'\'', b'"', b'`'] {
        let places = text.iter().enumerate().filter(|(_, byte)| **byte == quote).map(|(at, _)| at);
        // Every second one, from the first: those between open in this text what they close.
        for at in places.take(QUOTES).step_by(2) {
            if let Some(sure) = continued(text, at + 1, quote) {
                return Some((sure, at, "code behind the end of a string"));
            }
        }
    }
    let at = text.windows(2).position(|pair| pair == b"${")?;
    let inside = piece(text, at + 2..at + 2 + CODE_BYTES);
    let close = inside.iter().position(|byte| *byte == b'}')?;
    let strikes = matches!(power(piece(inside, 0..close)), Some((Power::Strikes, first)) if first <= 2);
    (strikes && text.len() < ALONE).then_some((84, at, "code inside a template"))
}

/// How sure it is that code goes on there, behind a closing quote.
fn continued(text: &[u8], at: usize, quote: u8) -> Option<u8> {
    let closed = skip(text, at, |byte| is_space(byte) || matches!(byte, b')' | b'}' | b']'));
    let operator = skip(text, closed, |byte| is_space(byte) || b";,+-*/|&?:^=<>%!~(.{[}]".contains(&byte));
    if operator == closed {
        return None;
    }
    let code = piece(text, operator..operator + CODE_BYTES);
    let (power, first) = power(code)?;
    if power != Power::Strikes || first > 24 {
        return None;
    }
    // What an attack leaves of the old string is closed again, or a comment.
    let is_closed = tail(code, first).contains(&quote)
        || code.windows(2).any(|pair| pair == b"//" || pair == b"/*")
        || text.ends_with(b"<!--");
    Some(if is_closed || before(text, at - 1) == b'\\' || closed + 1 == operator { 90 } else { 82 })
}

/// `alert() not working`, `onload = function`: words behind a call, or nothing that is called.
fn is_spoken_of(code: &[u8]) -> bool {
    let name = skip(code, 0, is_name);
    if !code.iter().any(|byte| b"(`'\"/;".contains(byte)) {
        return true;
    }
    let Some(close) = code.iter().position(|byte| *byte == b')').filter(|_| byte(code, name) == b'(') else {
        return false;
    };
    let behind = tail(code, close + 1);
    let letters = skip(behind, 1, |byte| byte.is_ascii_alphabetic());
    byte(behind, 0) == b' ' && letters > 2 && !matches!(byte(behind, letters), b'=' | b'(' | b'<')
}

/// A text that is nothing but code that strikes.
pub fn alone(text: &[u8]) -> Option<Seen> {
    let (start, code) = trim(text);
    if let Some(at) = script::symbols(code) {
        return Some((84, start + at, "a program of brackets and signs"));
    }
    let first = skip(code, 0, |byte| is_space(byte) || b"([{;!+-~*/}])\"'`,".contains(&byte));
    if code.len() > ALONE || code.iter().filter(|byte| **byte == b'\n').count() > 3 {
        return None;
    }
    let (power, at) = power(code)?;
    if power != Power::Strikes {
        return None;
    }
    let word = piece(code, at..skip(code, at, is_name));
    let lead = piece(code, first..at);
    // At the very start, or behind what only code starts with.
    let is_first = at <= first + 1
        || LEADS.contains(&lead)
        || !lead.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b' ')
        || (!lead.contains(&b' ') && word.eq_ignore_ascii_case(b"constructor"))
        || (lead.contains(&b'=') && !lead.contains(&b' ') && !lead.contains(&b'&') && !lead.contains(&b'/'));
    let is_sentence = starts(code, 0, "document.cookie") && code.len() < 17 || is_spoken_of(tail(code, at));
    if !is_first || is_sentence {
        return Some((50, start + at, "code"));
    }
    let is_call = code.iter().any(|byte| matches!(byte, b'(' | b'`'));
    let is_sent = code.windows(2).any(|pair| pair == b"//") || code.contains(&b'=');
    Some((if is_call || is_sent { 83 } else { 50 }, start + at, NOTHING_ELSE))
}
