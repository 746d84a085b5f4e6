//! What attackers put behind the value they were asked for: the grammar of SQL's continuations.

use super::clause::clause;
use super::expression::{self, Expression, Left};
use super::lex::{Kind, Token};
use super::statement;
use super::words::Word;

/// How much of an attack stands at a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grade {
    pub confidence: u8,
    pub what: &'static str,
    /// Tokens that were read: nothing inside them has more to say.
    pub length: usize,
}

impl Grade {
    pub fn new(confidence: u8, length: usize, what: &'static str) -> Option<Self> {
        Some(Self { confidence, what, length })
    }
}

/// What a piece of SQL ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The text's end, or what a query goes on with.
    Fit,
    /// A comment that holds nothing, or one word: it takes away what stood behind the value.
    Comment,
    /// Anything else, prose first of all.
    Other,
}

/// Text and tokens behind a value.
#[derive(Clone, Copy)]
pub struct Tail<'t> {
    pub text: &'t [u8],
    pub tokens: &'t [Token],
    /// What stood before the quote that was closed is one word or nothing; so is what stands behind, in attacks that
    /// only balance quotes.
    pub short: bool,
    /// What stood before the quote.
    pub value: &'t [u8],
}

impl<'t> Tail<'t> {
    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub fn from(&self, at: usize) -> Self {
        Self { tokens: self.tokens.get(at..).unwrap_or_default(), ..*self }
    }

    pub fn bytes(&self, at: usize) -> &'t [u8] {
        self.tokens.get(at).and_then(|token| self.text.get(token.start..token.end)).unwrap_or_default()
    }

    /// How what ends before token `at` ends.
    pub fn end(&self, at: usize) -> End {
        match self.kind(at) {
            Some(Kind::Semicolon) if self.kind(at + 1) == Some(Kind::Comment) => self.end(at + 1),
            None | Some(Kind::Semicolon | Kind::Close) => End::Fit,
            Some(Kind::Comment) => {
                if is_bare(self.bytes(at)) {
                    End::Comment
                } else {
                    End::Other
                }
            }
            Some(Kind::Word(
                Word::Order | Word::Group | Word::Limit | Word::Having | Word::Union | Word::Into | Word::Procedure,
            )) => End::Fit,
            Some(Kind::Text | Kind::OpenText) if self.bytes(at).len() <= 2 => End::Fit,
            _ => End::Other,
        }
    }

    /// The text's end inside a string of one short word, or none.
    fn balances(&self, at: usize) -> bool {
        const WORD: usize = 16;
        let last = self.bytes(at);
        let word = last.get(1..).unwrap_or_default();
        self.kind(at) == Some(Kind::OpenText) && self.short && word.len() <= WORD && word.iter().all(is_word)
    }
}

/// Letters, digits and what `like` takes.
pub fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%' | b'.' | b'@' | 0x80..)
}

/// A comment without words, or with one, and no more than spaces and quotes.
fn is_bare(comment: &[u8]) -> bool {
    let marker = usize::from(comment.first() != Some(&b'#')) + 1;
    let content = comment.get(marker..).unwrap_or_default();
    let plain = |byte: &u8| {
        is_word(byte) || *byte <= b' ' || matches!(byte, b'-' | b'+' | b'*' | b'/' | b'\'' | b'"' | b'`' | b'&')
    };
    let words = content.split(|byte| !is_word(byte)).filter(|word| !word.is_empty());
    content.iter().all(plain) && words.count() <= 1
}

/// What stands directly behind a quote that ended the value.
pub fn quoted(tail: Tail<'_>) -> Option<Grade> {
    const MAX_CLOSED: usize = 16;
    let closed = tail.tokens.iter().take(MAX_CLOSED).take_while(|token| token.kind == Kind::Close).count();
    let rest = tail.from(closed);
    let grade = match rest.kind(0)? {
        Kind::Comment => comment(rest, closed),
        Kind::Semicolon => match rest.kind(1) {
            Some(Kind::Comment) => comment(rest.from(1), 1),
            _ => statement::stacked(rest.from(1), true)
                .map(|grade| Grade { confidence: grade.confidence.max(90), ..grade }),
        },
        Kind::Bool | Kind::Word(Word::Bool) => logical(rest),
        Kind::Star | Kind::Arithmetic | Kind::Sign | Kind::Word(Word::Joins) => joined(rest),
        Kind::Compares | Kind::Word(Word::Compares) => compared(rest, 1),
        Kind::Word(Word::Not) if rest.kind(1) == Some(Kind::Word(Word::Compares)) => compared(rest, 2),
        Kind::Word(Word::Union) => union(rest, true),
        Kind::Comma => list(rest),
        Kind::Word(_) => clause(rest, true).or_else(|| {
            // A quote that opens a statement quotes it.
            let opens = matches!(tail.value.last(), None | Some(b'(' | b'=' | b' ' | b',' | b':' | b'[' | b'{'));
            let waits = matches!(rest.kind(0), Some(Kind::Word(Word::Waitfor | Word::Exec | Word::If)));
            let quotes = opens && !waits;
            statement::stacked(rest, false).filter(|grade| grade.confidence >= 80 && !quotes)
        }),
        _ => None,
    };
    grade.map(|grade| Grade { length: grade.length + closed, ..grade })
}

/// `admin'--`, `admin')#`.
fn comment(tail: Tail<'_>, closed: usize) -> Option<Grade> {
    let what = "a quote ends the value and a comment takes away the rest";
    match tail.end(0) {
        // Quotes of several kinds and no word are a password, or somebody's test for all of them.
        End::Comment if tail.value.len() > 1 && !tail.value.iter().any(u8::is_ascii_alphanumeric) => {
            Grade::new(70, 1, what)
        }
        End::Comment if tail.short => Grade::new(if tail.bytes(0).len() <= 4 || closed > 0 { 90 } else { 60 }, 1, what),
        End::Comment => Grade::new(if closed > 0 { 80 } else { 60 }, 1, what),
        _ => None,
    }
}

/// What an expression is worth wherever it stands.
pub fn telling(found: &Expression) -> Option<(u8, &'static str)> {
    if found.probe {
        Some((95, "calls a function of the database"))
    } else if found.sleep {
        Some((93, "makes the database wait"))
    } else if found.query && (found.hard || (found.from && found.whole)) {
        Some((93, "a subquery"))
    } else {
        None
    }
}

/// `' or 1=1`, `' && '1'='1`.
fn logical(tail: Tail<'_>) -> Option<Grade> {
    let found = expression::read(tail.from(1).tokens, Left::Nothing);
    let length = found.length + 1;
    if let Some((confidence, what)) = telling(&found) {
        return Grade::new(confidence, length, what);
    }
    if !found.whole {
        return None;
    }
    let end = tail.end(length);
    let last = tail.balances(length - 1);
    // `' or 'a`, `x' or 'x`; two different words are prose.
    let word = tail.bytes(length - 1).get(1..).unwrap_or_default();
    let likely = !word.is_empty() && (word.len() == 1 || word == tail.value || word.iter().all(u8::is_ascii_digit));
    let ends = end == End::Comment || (found.open && end == End::Fit);
    if found.constant_comparison {
        return Grade::new(
            if ends || end == End::Fit { 95 } else { 70 },
            length,
            "a condition that is always or never true",
        );
    }
    let what = "a condition behind the end of a string";
    let calls = found.function && (found.comparison || tail.kind(0) == Some(Kind::Bool));
    if calls && end != End::Other {
        return Grade::new(85, length, what);
    }
    if found.comparison || found.choice || found.function {
        return Grade::new(
            if ends {
                90
            } else if end == End::Fit && found.literals > 0 {
                75
            } else {
                50
            },
            length,
            what,
        );
    }
    if found.operands == 1
        && found.literals == 1
        && (end == End::Comment || (last && end == End::Fit && (likely || tail.kind(0) == Some(Kind::Bool))))
    {
        return Grade::new(85, length, what);
    }
    // `' or ''-'`
    let empty = found.literals == found.operands
        && found.operands > 1
        && tail.bytes(length - 1).len() == 1
        && (1..length).all(|at| tail.kind(at) != Some(Kind::Text) || tail.bytes(at).len() <= 3);
    Grade::new(
        if last && empty {
            82
        } else if ends {
            60
        } else {
            30
        },
        length,
        what,
    )
}

/// `'||(select …)||'`, `'+'`, `'-sleep(5)-'`.
fn joined(tail: Tail<'_>) -> Option<Grade> {
    let found = expression::read(tail.from(1).tokens, Left::Nothing);
    let length = found.length + 1;
    if let Some((confidence, what)) = telling(&found) {
        return Grade::new(confidence, length, what);
    }
    let what = "an operator joins the value to an expression";
    if !found.whole {
        return None;
    }
    let end = tail.end(length);
    if found.constant_comparison && (end == End::Comment || tail.balances(length - 1)) {
        return Grade::new(88, length, what);
    }
    if (found.function || found.choice) && (found.open || end == End::Comment) {
        return Grade::new(85, length, what);
    }
    let alone = tail.short && found.operands == 1 && tail.tokens.len() == 2 && tail.bytes(1).len() == 1;
    // `'-0||'`
    let plain = tail.value.is_empty() && found.literals == found.operands && length <= 4;
    let closes = plain && tail.tokens.len() == length && tail.bytes(length - 1).len() <= 2;
    Grade::new(if alone || closes { 80 } else { 40 }, length, what)
}

/// `'='`, `' like '%`, `' between 'a' and 'z`.
fn compared(tail: Tail<'_>, operator: usize) -> Option<Grade> {
    let found = expression::read(tail.from(operator).tokens, Left::ConstantCompared);
    let length = found.length + operator;
    if let Some((confidence, what)) = telling(&found) {
        return Grade::new(confidence, length, what);
    }
    let what = "a comparison behind the end of a string";
    if !found.whole || tail.end(length) == End::Other {
        return None;
    }
    // `"<tag>"` only looks like one.
    let angle = matches!(tail.bytes(0).first(), Some(b'<' | b'>'));
    let ends = tail.end(length) == End::Comment || (tail.balances(length - 1) && !angle);
    Grade::new(if ends && tail.short { 85 } else { 50 }, length, what)
}

/// `',1,2)--`: goes on with a list of values.
fn list(tail: Tail<'_>) -> Option<Grade> {
    let mut at = 0;
    let mut literals = 0;
    while tail.kind(at) == Some(Kind::Comma) {
        let found = expression::read(tail.from(at + 1).tokens, Left::Nothing);
        at += found.length + 1;
        if let Some((confidence, what)) = telling(&found) {
            return Grade::new(confidence, at, what);
        }
        literals += found.literals;
        if !found.whole {
            return Grade::new(30, at, "a list behind the end of a string");
        }
    }
    let closes = tail.kind(at) == Some(Kind::Close);
    let closed = closes || tail.kind(at.saturating_sub(1)) == Some(Kind::Close);
    let ends = tail.end(at + usize::from(closes)) == End::Comment && literals > 0;
    Grade::new(if closed && ends { 88 } else { 30 }, at, "a list behind the end of a string")
}

/// `union select`, and what it selects.
pub fn union(tail: Tail<'_>, behind: bool) -> Option<Grade> {
    const MAX_BETWEEN: usize = 8;
    let between = |token: &&Token| matches!(token.kind, Kind::Open | Kind::Word(Word::Quantity));
    let start = 1 + tail.tokens.iter().skip(1).take(MAX_BETWEEN).take_while(between).count();
    let what = "joins a query of its own to the one behind";
    match tail.kind(start)? {
        Kind::Word(Word::Select) => {}
        Kind::Word(Word::Values) if tail.kind(start + 1) == Some(Kind::Open) => return Grade::new(85, start, what),
        Kind::Word(Word::Values) if tail.kind(start + 1) == Some(Kind::Word(Word::Before)) => {
            return Grade::new(88, start, what);
        }
        _ => return None,
    }
    let found = expression::read(tail.from(start).tokens, Left::Nothing);
    let length = start + found.length;
    let certain = found.probe || found.sleep || found.function;
    let confidence = match (found.hard, found.from || found.commas > 0) {
        _ if certain => 95,
        (true, _) if behind || start > 1 || tail.end(length) != End::Other => 94,
        (true, _) => 70,
        (false, true) if found.whole && (behind || found.wanted > 0) && tail.end(length) != End::Other => 88,
        (false, false) if behind || start > 1 => 85,
        _ => 55,
    };
    Grade::new(confidence, length, what)
}

/// A condition behind a value outside of strings: `1 or 1=1`. `clean` says that nothing but the value stands before it,
/// `compares` that a comparison does.
pub fn condition(tail: Tail<'_>, clean: bool, compares: bool) -> Option<Grade> {
    let found = expression::read(tail.from(1).tokens, Left::Nothing);
    let length = found.length + 1;
    if let Some((confidence, what)) = telling(&found) {
        let sure = clean || found.probe || (found.query && found.from);
        return Grade::new(if sure { confidence } else { 65 }, length, what);
    }
    if !found.whole {
        return Grade::new(0, length, "");
    }
    let end = tail.end(length);
    if found.constant_comparison {
        let confidence = match end {
            End::Other => 60,
            _ if clean => 92,
            End::Fit if compares || !found.by_sign => 60,
            _ => 84,
        };
        return Grade::new(confidence, length, "a condition that is always or never true");
    }
    let what = "a condition behind the value";
    let confidence = match end {
        End::Comment if clean && (found.comparison || found.literals > 0) => 82,
        End::Fit if clean && found.comparison && (found.function || found.choice) => 86,
        End::Comment | End::Fit if found.function && found.comparison => 60,
        _ => 0,
    };
    Grade::new(confidence, length, what)
}

/// An operator that joins something telling to the value: `1-sleep(5)`, `1=(select 1)`.
pub fn operation(tail: Tail<'_>, clean: bool) -> Option<Grade> {
    let found = expression::read(tail.from(1).tokens, Left::Nothing);
    let (confidence, what) = match telling(&found) {
        Some((confidence, what)) if clean => (confidence, what),
        Some((_, what)) if found.query && found.choice && found.constant_comparison => (88, what),
        Some((_, what)) if found.probe || (found.query && found.from) => (75, what),
        None if clean && found.choice && found.constant_comparison && found.whole => {
            (86, "a choice with a constant condition")
        }
        _ => (0, ""),
    };
    Grade::new(confidence, found.length + 1, what)
}

/// A value that is an expression only a database has a use for: `(select …)`, `if(now()=sysdate(),sleep(15),0)`.
pub fn whole(tail: Tail<'_>) -> Option<Grade> {
    let found = expression::read(tail.tokens, Left::Nothing);
    let ends = found.whole && tail.end(found.length) != End::Other;
    let (confidence, what) = match telling(&found) {
        _ if found.choice && found.constant_comparison && ends => (86, "a choice with a constant condition"),
        Some((confidence, what)) if found.probe => (confidence.min(if ends { 90 } else { 60 }), what),
        Some((_, what)) if found.sleep => {
            // Every program may sleep, but not for a plain number in a parameter, nor inside a choice or query.
            let plain = tail.kind(2) == Some(Kind::Number)
                && tail.bytes(2) != b"0"
                && found.operands == 1
                && tail.kind(found.length) != Some(Kind::Semicolon);
            (if ends && (plain || found.query || found.choice) { 85 } else { 40 }, what)
        }
        Some((_, what)) if found.query => (query_confidence(&found, ends), what),
        _ => (0, ""),
    };
    Grade::new(confidence, found.length, what)
}

/// What a query is worth that is all there is.
pub fn query_confidence(found: &Expression, ends: bool) -> u8 {
    match (ends, found.from, found.hard || found.wanted > 1) {
        (true, true, true) => 86,
        (true, false, true) if found.function || found.probe || found.sleep => 85,
        (true, false, true) if found.literals == 0 || found.commas > 1 => 80,
        (_, true, true) if found.probe => 85,
        (true, _, true) => 55,
        _ => 30,
    }
}
