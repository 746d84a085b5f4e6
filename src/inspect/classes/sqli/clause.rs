//! Clauses that go on with the query a value stands in: `order by 5`, `having 1=1`, `limit 1 into outfile '…'`.

use super::expression::{self, Left};
use super::lex::Kind;
use super::tail::{End, Grade, Tail, telling};
use super::words::Word;

/// `order by 5`, `having 1=1`, `limit 1,1 into outfile`, `procedure analyse()`, behind a value.
pub fn clause(tail: Tail<'_>, quoted: bool) -> Option<Grade> {
    let what = "goes on with another clause of the query";
    match tail.kind(0)? {
        Kind::Word(Word::Order | Word::Group) if tail.kind(1) == Some(Kind::Word(Word::By)) => {
            let mut at = 1;
            let (mut numbers, mut other) = (0, 0);
            loop {
                let found = expression::read(tail.from(at + 1).tokens, Left::Nothing);
                at += found.length + 1;
                if let Some((confidence, what)) = telling(&found) {
                    return Grade::new(confidence, at, what);
                }
                if !found.whole {
                    return None;
                }
                let is_number = found.operands == 1 && found.literals == 1;
                numbers += usize::from(is_number);
                other += usize::from(!is_number);
                if tail.kind(at) == Some(Kind::Word(Word::InQuery)) {
                    at += 1;
                }
                if tail.kind(at) != Some(Kind::Comma) {
                    break;
                }
            }
            let confidence = match tail.end(at) {
                _ if tail.kind(at) == Some(Kind::Word(Word::Having)) => 88,
                End::Comment => 88,
                End::Fit if numbers > 0 && other == 0 => 85,
                _ => 40,
            };
            Grade::new(confidence, at, what)
        }
        Kind::Word(Word::Having | Word::Where) => {
            let found = expression::read(tail.from(1).tokens, Left::Nothing);
            let length = found.length + 1;
            if let Some((confidence, what)) = telling(&found) {
                return Grade::new(confidence, length, what);
            }
            let ends = found.whole && (found.open || tail.end(length) != End::Other);
            let sure = found.constant_comparison || (quoted && found.comparison && tail.end(length) == End::Comment);
            Grade::new(if ends && sure { 88 } else { 30 }, length, what)
        }
        Kind::Word(Word::Limit) => {
            let numbers = tail
                .tokens
                .iter()
                .skip(1)
                .take(4)
                .take_while(|t| matches!(t.kind, Kind::Number | Kind::Comma | Kind::Word(Word::Limit)));
            let length = 1 + numbers.count();
            if length == 1 {
                return None;
            }
            match tail.kind(length) {
                Some(Kind::Word(Word::Into | Word::Procedure)) => clause(tail.from(length), quoted),
                _ if tail.end(length) == End::Comment => Grade::new(85, length, what),
                _ => Grade::new(30, length, what),
            }
        }
        Kind::Word(Word::Into) if tail.kind(1) == Some(Kind::Word(Word::Outfile)) => {
            let named = matches!(tail.kind(2), Some(Kind::Text | Kind::OpenText | Kind::Number | Kind::Variable));
            Grade::new(if named { 95 } else { 60 }, 3, "writes a file from the database")
        }
        Kind::Word(Word::Procedure) if tail.bytes(1).eq_ignore_ascii_case(b"analyse") => {
            Grade::new(if tail.kind(2) == Some(Kind::Open) { 93 } else { 70 }, 2, what)
        }
        _ => None,
    }
}
