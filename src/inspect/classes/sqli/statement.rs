//! Statements of their own: `; drop table users`, `; exec xp_cmdshell 'dir'`.

use super::expression::{self, Left};
use super::lex::Kind;
use super::tail::{End, Grade, Tail, query_confidence};
use super::words::Word;

/// A statement at the start of the tokens. `behind` says that a semicolon ended another one before it.
pub fn stacked(tail: Tail<'_>, behind: bool) -> Option<Grade> {
    let Kind::Word(word) = tail.kind(0)? else { return None };
    let is_name = |at| matches!(tail.kind(at), Some(Kind::Name | Kind::Word(_)));
    let is_word = |at, word| tail.kind(at) == Some(Kind::Word(word));
    // Past `master..xp_cmdshell`, `dbo.users`, `if exists users`.
    let name = |mut at: usize| {
        const LONGEST: usize = 12;
        let last = at + LONGEST;
        while at < last
            && (is_name(at)
                && !is_word(at, Word::Set)
                && !is_word(at, Word::Where)
                && !is_word(at, Word::Values)
                && !is_word(at, Word::Select)
                || tail.kind(at) == Some(Kind::Dot)
                || is_word(at, Word::Not)
                || is_word(at, Word::Before))
        {
            let qualified = matches!(tail.kind(at + 1), Some(Kind::Dot));
            let inside = matches!(tail.kind(at), Some(Kind::Dot | Kind::Word(Word::If | Word::Not | Word::Before)));
            at += 1;
            if !qualified && !inside {
                break;
            }
        }
        at
    };
    let ends = |at| tail.end(at) != End::Other;
    // `sure` is grammar nobody writes as prose, `likely` could be said by someone.
    let (sure, likely, length) = match word {
        Word::Select => {
            let found = expression::read(tail.tokens, Left::Nothing);
            let confidence = query_confidence(&found, found.whole && ends(found.length));
            (confidence >= 80 || (behind && found.sleep), confidence >= 50, found.length)
        }
        Word::Define => {
            // `create or replace function`
            let from = if is_word(1, Word::Bool) { 3 } else { 1 };
            let object = matches!(tail.kind(from), Some(Kind::Word(Word::Object | Word::Procedure)));
            let at = name(from + 1);
            let more = tail.kind(at);
            let goes_on = matches!(more, Some(Kind::Open | Kind::Word(Word::As | Word::Starts | Word::Set)))
                || tail.bytes(at).eq_ignore_ascii_case(b"add")
                || matches!(more, Some(Kind::Word(Word::Define)))
                    && tail.kind(at + 1) == Some(Kind::Word(Word::Object))
                || tail.bytes(at).eq_ignore_ascii_case(b"identified")
                || tail.bytes(at).eq_ignore_ascii_case(b"cascade");
            let truncated = tail.bytes(0).eq_ignore_ascii_case(b"truncate") && is_name(1) && ends(2);
            let last = more == Some(Kind::Semicolon) && (behind || tail.kind(at + 1).is_none());
            let hard = goes_on || last || tail.end(at) == End::Comment;
            let creates = tail.bytes(0).eq_ignore_ascii_case(b"create");
            (
                object && at > from + 1 && hard && (behind || !creates),
                (object && at > from + 1 && (ends(at) || tail.bytes(at).eq_ignore_ascii_case(b"on"))) || truncated,
                at,
            )
        }
        Word::Insert => {
            let at = name(2);
            let values = matches!(tail.kind(at), Some(Kind::Open | Kind::Word(Word::Values | Word::Select)));
            (is_word(1, Word::Into) && values, false, at + 1)
        }
        Word::Update => {
            let at = name(1);
            let set = is_word(at, Word::Set) && tail.kind(name(at + 1)) == Some(Kind::Compares);
            (set, false, at + 2)
        }
        Word::Delete => {
            let at = name(2);
            let found = expression::read(tail.from(at + 1).tokens, Left::Nothing);
            let limited = is_word(at, Word::Where) && found.comparison;
            (
                is_word(1, Word::From)
                    && (limited || tail.end(at) == End::Comment || tail.kind(at) == Some(Kind::Semicolon)),
                is_word(1, Word::From) && ends(at),
                at,
            )
        }
        Word::Exec => {
            let at = name(1);
            let procedure = tail.tokens.get(1..at).unwrap_or_default().iter().any(|token| {
                let text = tail.text.get(token.start..token.end).unwrap_or_default();
                matches!(token.kind, Kind::Word(Word::Probe | Word::Catalog))
                    || matches!(text.get(..3), Some(b"xp_" | b"sp_" | b"XP_" | b"SP_"))
            });
            let text = tail.kind(1) == Some(Kind::Open)
                && match tail.kind(2) {
                    Some(Kind::Variable | Kind::Word(Word::Function)) => true,
                    // Programs have a function of that name, too.
                    Some(Kind::Text | Kind::OpenText) => holds_sql(tail.bytes(2)),
                    _ => false,
                };
            let immediate = tail.bytes(1).eq_ignore_ascii_case(b"immediate")
                && matches!(tail.kind(2), Some(Kind::Text | Kind::OpenText));
            (procedure || text || immediate, false, at.max(2))
        }
        Word::Declare => (tail.kind(1) == Some(Kind::Variable) && is_name(2), false, 3),
        Word::Waitfor => (
            is_word(1, Word::Delay)
                && matches!(tail.kind(2), Some(Kind::Text | Kind::OpenText | Kind::Open | Kind::Variable)),
            is_word(1, Word::Delay),
            3,
        ),
        Word::Shutdown => (
            tail.end(1) == End::Comment || tail.kind(1) == Some(Kind::Semicolon) || is_word(1, Word::Starts),
            ends(1),
            2,
        ),
        // `set @x = 1`, `set global general_log = 'on'`
        Word::Set => {
            let compares = |at| tail.kind(at) == Some(Kind::Compares);
            (tail.kind(1) == Some(Kind::Variable) && compares(2), is_name(1) && (compares(2) || compares(3)), 3)
        }
        Word::If => {
            // `if (1=1) waitfor delay '0:0:5'`
            let found = expression::read(tail.from(1).tokens, Left::Nothing);
            let then = stacks(tail.kind(found.length + 1)) && (found.comparison || found.query || found.function);
            (then || found.probe, found.comparison, found.length + 1)
        }
        Word::Starts => starts(tail)?,
        Word::Probe | Word::Sleep if tail.kind(1) == Some(Kind::Open) => (true, false, 2),
        _ => return None,
    };
    let confidence = match (sure, likely, behind) {
        (true, _, true) => 93,
        (true, _, false) => 86,
        (_, true, true) => 78,
        (_, true, false) => 50,
        _ => return None,
    };
    Grade::new(confidence, length.max(1), "a statement of its own")
}

/// Whether a string is a statement to be executed, or the hexadecimal digits of one.
fn holds_sql(text: &[u8]) -> bool {
    const WORDS: &[&[u8]] =
        &[b"select ", b"xp_", b"sp_", b"drop ", b"insert ", b"update ", b"delete ", b"waitfor ", b"master", b"0x"];
    WORDS.iter().any(|word| crate::inspect::classes::names::find(text, word).is_some())
}

fn stacks(kind: Option<Kind>) -> bool {
    matches!(
        kind,
        Some(Kind::Word(Word::Waitfor | Word::Exec | Word::Select | Word::Define | Word::Shutdown | Word::Starts))
    )
}

/// Statements whose first word says little: sure, likely, length.
fn starts(tail: Tail<'_>) -> Option<(bool, bool, usize)> {
    let is = |at: usize, word: &[u8]| tail.bytes(at).eq_ignore_ascii_case(word);
    let is_text = |at| matches!(tail.kind(at), Some(Kind::Text | Kind::OpenText));
    let calls = |at| matches!(tail.kind(at), Some(Kind::Name | Kind::Word(_))) && tail.kind(at + 1) == Some(Kind::Open);
    let far = |word: &[u8]| (1..16).any(|at| is(at, word));
    let sure = if is(0, b"attach") {
        is(1, b"database") && is_text(2)
    } else if is(0, b"backup") || is(0, b"restore") {
        matches!(tail.kind(1), Some(Kind::Word(Word::Object))) && far(b"to")
    } else if is(0, b"copy") {
        (far(b"program") || far(b"to") || far(b"from")) && (2..16).any(is_text)
    } else if is(0, b"do") {
        calls(1) && matches!(tail.kind(1), Some(Kind::Word(Word::Sleep | Word::Probe)))
            || (tail.kind(1) == Some(Kind::Text))
    } else if is(0, b"call") {
        calls(1) || (tail.kind(2) == Some(Kind::Dot) && far(b"("))
    } else if is(0, b"load") {
        is(1, b"data") && (far(b"infile") || far(b"local"))
    } else if is(0, b"handler") {
        is(2, b"open")
    } else if is(0, b"prepare") {
        far(b"from") && (is_text(3) || tail.kind(3) == Some(Kind::Variable))
    } else if is(0, b"grant") || is(0, b"revoke") {
        far(b"on") || (far(b"to") && matches!(tail.kind(1), Some(Kind::Word(_))))
    } else if is(0, b"merge") {
        is(1, b"into") && far(b"using")
    } else if is(0, b"begin") {
        (1..12).any(|at| matches!(tail.kind(at), Some(Kind::Word(Word::Probe | Word::Declare | Word::Waitfor))))
    } else if is(0, b"with") {
        is(2, b"as") && tail.kind(3) == Some(Kind::Open) && tail.kind(4) == Some(Kind::Word(Word::Select))
    } else if is(0, b"lock") {
        is(1, b"tables")
    } else if is(0, b"pragma") {
        matches!(tail.kind(2), Some(Kind::Open | Kind::Compares | Kind::Semicolon))
    } else {
        false
    };
    let likely = (is(0, b"kill") && tail.kind(1) == Some(Kind::Number))
        || is(0, b"pragma")
        || (is(0, b"use") && matches!(tail.kind(2), Some(Kind::Semicolon | Kind::Comment)));
    (sure || likely).then_some((sure, likely, 3))
}
