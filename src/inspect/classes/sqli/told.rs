//! Statements that are told, asked about or kept: where they are at home, and what one needs to be more than that.

use super::expression::{self, Left};
use super::lex::{Kind, Lexer};
use super::tail::{self, Grade, Tail};
use super::words::Word;
use crate::inspect::classes::names;

/// A statement that ends no value and stands behind none: people ask about them and programs send them. It takes what only
/// attackers put in one to be more than told.
pub fn on_its_own(tail: Tail<'_>, grade: Grade) -> Grade {
    const MOST: u8 = 65;
    let used = tail.tokens.get(..grade.length).unwrap_or_default();
    if tail.kind(0) == Some(Kind::Word(Word::Exec)) {
        // `exec sp_helptext 'name'` only shows something; `xp_cmdshell` and the like do it.
        let only_shows =
            used.iter().all(|token| !matches!(token.kind, Kind::Word(Word::Probe | Word::Catalog) | Kind::Open))
                && tail.bytes(1).get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"sp_"));
        return if only_shows { Grade { confidence: grade.confidence.min(MOST), ..grade } } else { grade };
    }
    if !matches!(tail.kind(0), Some(Kind::Word(Word::Select | Word::Insert | Word::Update | Word::Delete))) {
        return grade;
    }
    let found = expression::read(used, Left::Nothing);
    let is_cut = tail.kind(grade.length) == Some(Kind::Comment);
    let is_telling = tail::telling(&found).is_some_and(|_| found.probe || found.sleep)
        || found.constant_comparison
        || found.wanted > 1
        || is_cut
        || used.iter().any(|token| matches!(token.kind, Kind::Variable | Kind::Word(Word::Catalog | Word::Probe)));
    if is_telling { grade } else { Grade { confidence: grade.confidence.min(MOST), ..grade } }
}

/// Names of parameters that ask for a query, or for text in which one may be shown.
pub fn is_for_sql(name: &str) -> bool {
    // `sql`, and the languages that are called after it.
    const ASKS: &[&str] = &["sql", "query", "statement", "stmt", "expression", "formula"];
    const LANGUAGES: &[&str] = &["ql"];
    const SHOWS: &[&str] = &[
        "code",
        "snippet",
        "source",
        "script",
        "content",
        "body",
        "text",
        "message",
        "comment",
        "description",
        "notes",
        "answer",
    ];
    let last = name.rsplit('/').next().unwrap_or(name);
    ASKS.iter().any(|word| names::find(last.as_bytes(), word.as_bytes()).is_some())
        || names::ends_with_one(last, LANGUAGES)
        || names::ends_with_one(last, SHOWS)
}

/// Whether the text begins as a statement does.
pub fn is_statement(text: &[u8]) -> bool {
    let first = Lexer::new(text, 0).next();
    first.is_some_and(|token| {
        matches!(
            token.kind,
            Kind::Word(
                Word::Select
                    | Word::Insert
                    | Word::Update
                    | Word::Delete
                    | Word::Define
                    | Word::Starts
                    | Word::Declare
                    | Word::Set
            )
        ) || text.get(token.start..token.end).is_some_and(|word| word.eq_ignore_ascii_case(b"explain"))
    })
}
