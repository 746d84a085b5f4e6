//! SQL injection: text that ends the value it was asked for and goes on in SQL.
//!
//! A text is read as it is, as for a number, and from behind each of its first quotes on, as for a string. `lex` reads
//! tokens, `expression` and `statement` tell how much of SQL's grammar is there, `tail` what a continuation is worth.

mod clause;
mod expression;
mod lex;
mod statement;
mod tail;
mod told;
mod words;

use lex::{Kind, Lexer, Token};
use tail::{Grade, Tail};
use told::{is_for_sql, is_statement, on_its_own};
use words::Word;

use super::shown;
use super::system::{SECRET, is_named, is_searched};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use crate::session::Severity;

/// SQL injection.
pub static SQLI: Class = Class {
    attack: Attack::Sqli,
    words: &[
        "or",
        "and",
        "xor",
        "union",
        "select",
        "having",
        "order",
        "group",
        "limit",
        "like",
        "rlike",
        "regexp",
        "between",
        "waitfor",
        "exec",
        "execute",
        "declare",
        "drop",
        "insert",
        "update",
        "delete",
        "truncate",
        "alter",
        "create",
        "shutdown",
        "case",
        "sleep",
        "pg_sleep",
        "benchmark",
        "extractvalue",
        "updatexml",
        "load_file",
        "xp_cmdshell",
        "information_schema",
        "outfile",
        "dumpfile",
        "procedure",
        "if",
        "in",
        "is",
        "not",
        "div",
        "mod",
        "elt",
        "copy",
        "attach",
        "grant",
        "dbms_pipe",
        "dbms_lock",
        "utl_http",
        "utl_inaddr",
        "ctxsys",
        "begin",
        "set",
        "call",
        "handler",
        "load",
    ],
    chars: b"'\"`=<>*(",
    may_be,
    judge,
};

/// Words alone are prose; a quote or a sign alone is prose too.
fn may_be(scan: Scan, place: Place<'_>) -> bool {
    if matches!(place.part, Part::XmlDocument | Part::File) || scan.is_slug() {
        return false;
    }
    if scan.any(b"'\"`") && scan.any(b"=<>-#/|&+*^%;") {
        return true;
    }
    let digits = scan.any(b"0123456789");
    if scan.word(Attack::Sqli) && scan.all(b"_.") {
        return true;
    }
    if scan.word(Attack::Sqli) && (scan.any(b"'\"(=<>;*@|&") || digits) {
        return true;
    }
    // `1or 1=1`, `1||1=1`, `1/*!50000union*/`: the words stand next to something that hides them.
    (scan.any(b"=<>") && digits && scan.any(b" (|&"))
        || scan.all(b"/*")
        || (scan.any(b"(") && digits && scan.any(b"-*+/|&"))
}

/// Longer texts of several lines are documents: what stands in them is told, not acted on.
const DOCUMENT_BYTES: usize = 400;
/// So are texts of a single line with so many words beside what was found.
const ARTICLE_BYTES: usize = 120;
const ARTICLE_WORDS: usize = 14;
/// The most for SQL in a document, or in a parameter that is there for SQL.
const MOST_IN_DOCUMENTS: u8 = 60;

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let is_told = is_searched(reading.place)
        || reading.is_in_address()
        || !matches!(reading.place.part, Part::Query | Part::Path | Part::Cookie | Part::Header);
    let mut best = contexts(text, is_told);
    if best.as_ref().is_none_or(|sign| sign.confidence < 80)
        && let Some(joined) = without_comments(text)
        && let Some(sign) = contexts(&joined, is_told).filter(|sign| sign.confidence >= 80)
    {
        best = Some(Sign { at: 0..text.len(), ..sign });
    }
    let mut sign = best.filter(|sign| sign.confidence > 0)?;
    let is_document = text.len() > DOCUMENT_BYTES && text.contains(&b'\n');
    // An article that quotes an attack.
    let is_article = text.len() > ARTICLE_BYTES
        && shown::words(text.get(..sign.at.start).unwrap_or_default()) >= 4
        && shown::words(text) >= ARTICLE_WORDS;
    // Passwords are made of such signs, and end a string like one who balances quotes.
    if sign.confidence < 85 && is_named(reading.place, SECRET) {
        sign.confidence = sign.confidence.min(70);
    }
    let is_script = is_statement(text)
        && matches!(reading.place.part, Part::Json | Part::Raw | Part::GraphqlArgument | Part::Xml)
        && statement::stacked(whole(text, &Lexer::new(text, 0).all()), false)
            .is_some_and(|grade| grade.confidence >= 50);
    let is_shown = sign.confidence >= 80 && shown::is_shown(reading, sign.at.start);
    if is_document
        || is_article
        || is_script
        || is_shown
        || ((is_for_sql(reading.place.name) || reading.is_in_address()) && is_statement(text))
    {
        sign.confidence = sign.confidence.min(MOST_IN_DOCUMENTS);
    }
    Some(sign)
}

/// The strongest sign of all contexts the text may stand in. `is_told` says that people and programs put down statements here.
fn contexts(text: &[u8], is_told: bool) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut keep = |sign: Option<Sign>| {
        if let Some(sign) = sign.filter(|sign| best.as_ref().is_none_or(|best| best.confidence < sign.confidence)) {
            best = Some(sign);
        }
    };
    let tokens = Lexer::new(text, 0).all();
    keep(anywhere(text, &tokens, false, is_told));
    for quote in [b'\'', b'"', b'`'] {
        keep(behind_quotes(text, quote, is_told));
    }
    best
}

fn sign(tokens: &[Token], at: usize, grade: Grade) -> Option<Sign> {
    let last = (at + grade.length.max(1)).min(tokens.len()).checked_sub(1)?;
    let range = tokens.get(at)?.start..tokens.get(last)?.end;
    let severity = if grade.confidence >= 80 { Severity::High } else { Severity::Medium };
    Some(Sign { confidence: grade.confidence, severity, at: range, what: grade.what })
}

/// Where continuations stand in a text that is read as it is, or behind a quote: what a quote opens may be a statement of
/// someone's code.
fn anywhere(text: &[u8], tokens: &[Token], quoted: bool, is_told: bool) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let mut compares = false;
    let mut at = 0;
    let all = whole(text, tokens);
    while let Some(kind) = all.kind(at) {
        // Nothing begins with what most texts are made of.
        if matches!(
            kind,
            Kind::Name | Kind::Number | Kind::Text | Kind::Variable | Kind::Comma | Kind::Dot | Kind::Close
        ) {
            at += 1;
            continue;
        }
        let tail = all.from(at);
        let clean = is_behind_value(text, tokens, at);
        let first = is_start(text, tokens, at) && !(quoted && at == 0);
        let grade = match kind {
            Kind::Word(Word::Bool) | Kind::Bool => tail::condition(tail, clean, compares),
            Kind::Word(Word::Union) => tail::union(tail, clean && is_literal(tokens, at)),
            Kind::Semicolon => {
                let next = tail.kind(1);
                let certain = (is_literal(tokens, at) && next != Some(Kind::Word(Word::If)))
                    || matches!(next, Some(Kind::Word(Word::Define | Word::Select)));
                statement::stacked(tail.from(1), true).map(|grade| match (clean && certain, grade.confidence) {
                    (true, _) => Grade { confidence: 90, ..grade },
                    (false, 90..) => grade,
                    (false, less) => Grade { confidence: less.min(75), ..grade },
                })
            }
            Kind::Word(Word::Order | Word::Group | Word::Having) if clean || at == 0 => {
                let sure = |grade: &Grade| clean || kind == Kind::Word(Word::Having) || grade.confidence > 85;
                clause::clause(tail, false).filter(sure)
            }
            Kind::Word(Word::Limit) if clean => clause::clause(tail, false),
            Kind::Word(Word::Into | Word::Procedure) => clause::clause(tail, false),
            Kind::Word(Word::Joins | Word::Compares) | Kind::Star | Kind::Arithmetic | Kind::Sign | Kind::Compares
                if has_call(tail) =>
            {
                tail::operation(tail, clean && is_literal(tokens, at))
            }
            Kind::Word(Word::Waitfor) => statement::stacked(tail, clean),
            Kind::Word(
                Word::Select
                | Word::Define
                | Word::Insert
                | Word::Update
                | Word::Delete
                | Word::Exec
                | Word::Declare
                | Word::Shutdown,
            ) if first => statement::stacked(tail, false)
                .map(|grade| if is_told || at > 0 { on_its_own(tail, grade) } else { grade }),
            Kind::Word(Word::If | Word::Case | Word::Sleep) if first => tail::whole(tail),
            Kind::Word(Word::Function) if at == 0 && tail.kind(1) == Some(Kind::Open) => tail::whole(tail),
            Kind::Open if first && has_call(tail) => tail::whole(tail),
            Kind::Word(Word::Probe) if matches!(tail.kind(1), Some(Kind::Open | Kind::Dot)) => probe(tail),
            _ => None,
        };
        compares |= matches!(kind, Kind::Compares);
        let length = grade.map_or(1, |grade| grade.length.max(1));
        if let Some(found) = grade.filter(|grade| grade.confidence > 0).and_then(|grade| sign(tokens, at, grade))
            && best.as_ref().is_none_or(|best| best.confidence < found.confidence)
        {
            best = Some(found);
        }
        at += length;
    }
    best
}

fn whole<'t>(text: &'t [u8], tokens: &'t [Token]) -> Tail<'t> {
    Tail { text, tokens, short: false, value: &[] }
}

/// `extractvalue(1,concat(0x7e,version()))`: what is handed over decides, since programs may have functions of that name.
fn probe(tail: Tail<'_>) -> Option<Grade> {
    let found = expression::read(tail.tokens, expression::Left::Nothing);
    let sure = found.probe && found.whole && (found.literals > 0 || found.query || found.function);
    Grade::new(if sure { 85 } else { 50 }, found.length.max(1), "calls a function of the database")
}

/// Whether a value may begin at token `at`: at the start, or behind the separators of paths, lists and pairs.
fn is_start(text: &[u8], tokens: &[Token], at: usize) -> bool {
    let Some((token, rest)) = tokens.get(..at).and_then(<[Token]>::split_last) else { return true };
    let touches = tokens.get(at).is_some_and(|value| value.start == token.end);
    match (token.kind, text.get(token.start)) {
        (Kind::Comma | Kind::Other | Kind::Open, _) => true,
        (Kind::Star | Kind::Arithmetic | Kind::Sign, Some(b'-' | b'/' | b'&' | b'*')) => touches,
        // `id=1`, but not `2 + 2 = 4`.
        (Kind::Compares, Some(b'=')) => {
            let named = |name: &Token| name.end == token.start && matches!(name.kind, Kind::Name | Kind::Word(_));
            touches && rest.last().is_some_and(named)
        }
        _ => false,
    }
}

/// Whether a single value, in parentheses or not, stands between a boundary and token `at`.
fn is_behind_value(text: &[u8], tokens: &[Token], at: usize) -> bool {
    const MAX_CLOSED: usize = 16;
    let before = tokens.get(..at).unwrap_or_default();
    let closed = before.iter().rev().take(MAX_CLOSED).take_while(|token| token.kind == Kind::Close).count();
    let inner = before.get(..before.len() - closed).unwrap_or_default();
    let Some(value) = inner.last() else { return closed > 0 };
    let is_value = matches!(value.kind, Kind::Number | Kind::Text | Kind::Variable | Kind::Name)
        || matches!(value.kind, Kind::Word(Word::Constant | Word::Wanted | Word::Object | Word::Function));
    is_value && is_start(text, tokens, inner.len() - 1)
}

/// Whether the token before is a constant.
fn is_literal(tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
    before
        .is_some_and(|token| matches!(token.kind, Kind::Number | Kind::Text | Kind::Close | Kind::Word(Word::Constant)))
}

/// Whether a subquery or call stands right behind an operator.
fn has_call(tail: Tail<'_>) -> bool {
    const NEAR: usize = 3;
    let near = |token: &Token| {
        matches!(token.kind, Kind::Word(Word::Select | Word::Probe | Word::Sleep | Word::If | Word::Case))
    };
    tail.tokens.iter().skip(1).take(NEAR).any(near)
}

/// Quotes of one kind that are looked behind.
const MAX_QUOTES: usize = 64;
/// Of them, those behind which SQL may go on: each is a pass over the rest of the text.
const MAX_PASSES: usize = 4;
/// Tokens read behind each of them: what ends a value goes on at once.
const MAX_BEHIND: usize = 1_024;

fn behind_quotes(text: &[u8], quote: u8, is_told: bool) -> Option<Sign> {
    let mut best: Option<Sign> = None;
    let (mut seen, mut passes) = (0, 0);
    // Quotes before this one that open or close something, as apostrophes in words do not.
    let mut before = 0;
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == quote) {
        seen += 1;
        if seen > MAX_QUOTES || passes >= MAX_PASSES {
            let whole =
                Sign { confidence: 50, severity: Severity::Low, at: at..at + 1, what: "more quotes than are read" };
            return best.or(Some(whole).filter(|_| passes >= MAX_PASSES));
        }
        let byte = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or(b' ');
        let (left, right) = (byte(at.checked_sub(1)), byte(Some(at + 1)));
        let counts = !(left == b'\\' || right == quote || (tail::is_word(&left) && right.is_ascii_alphabetic()));
        if may_go_on(text, at + 1) {
            passes += 1;
            let tokens = Lexer::new(text, at + 1).first(MAX_BEHIND);
            let value = text.get(..at).unwrap_or_default();
            let short = value.len() <= 64
                && value
                    .iter()
                    .all(|byte| tail::is_word(byte) || matches!(byte, b'-' | b'\\' | b'\'' | b'"' | b'/' | b'`'));
            let tail = Tail { text, tokens: &tokens, short: short && before == 0, value };
            let mut found = tail::quoted(tail).and_then(|grade| sign(&tokens, 0, grade));
            if before == 0
                && let Some(other) = anywhere(text, &tokens, true, is_told)
                && found.as_ref().is_none_or(|sign| sign.confidence < other.confidence)
            {
                found = Some(other);
            }
            // Behind a pair of quotes the text is code of its own, or prose that quotes.
            if let Some(sign) = found.as_mut().filter(|_| before > 0) {
                sign.confidence = sign.confidence.min(75);
            }
            if let Some(found) = found.filter(|sign| {
                sign.confidence > 0 && best.as_ref().is_none_or(|best| best.confidence < sign.confidence)
            }) {
                best = Some(found);
            }
        }
        before += usize::from(counts);
    }
    best
}

/// A glance at what stands behind a quote.
fn may_go_on(text: &[u8], at: usize) -> bool {
    const MAX_SKIPPED: usize = 16;
    let mut lexer = Lexer::new(text, at);
    for _ in 0..MAX_SKIPPED {
        let Some(token) = lexer.next() else { return false };
        return match token.kind {
            Kind::Close => continue,
            Kind::Word(word) => !matches!(word, Word::Wanted | Word::Function | Word::By | Word::From | Word::Catalog),
            Kind::Compares | Kind::Star | Kind::Arithmetic | Kind::Sign | Kind::Bool => true,
            Kind::Semicolon | Kind::Comment | Kind::Comma => true,
            _ => false,
        };
    }
    false
}

/// The text without comments inside words, where there are any: `un/**/ion`.
fn without_comments(text: &[u8]) -> Option<Vec<u8>> {
    let inside = text.windows(3).any(|window| matches!(window, [letter, b'/', b'*'] if letter.is_ascii_alphabetic()));
    if !inside {
        return None;
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        let comment = rest.strip_prefix(b"/*").and_then(|inside| {
            const LONGEST: usize = 32;
            let length = inside.windows(2).take(LONGEST).position(|window| window == b"*/")?;
            inside.get(length + 2..)
        });
        let in_word = kept.last().is_some_and(u8::is_ascii_alphabetic);
        match comment.filter(|after| in_word && after.first().is_some_and(u8::is_ascii_alphabetic)) {
            Some(after) => rest = after,
            None => {
                kept.push(*first);
                rest = more;
            }
        }
    }
    Some(kept)
}
