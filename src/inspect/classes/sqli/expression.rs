//! Reads tokens as an expression of SQL, subqueries included, as far as they are one.
//!
//! One pass with a stack of bits: no tree is built. What is asked is not whether a database would accept the text, but how
//! much of it only a database could mean.

use super::lex::{Kind, Token};
use super::words::Word;

/// Parentheses inside each other that are followed; a bit for each. Deeper, the expression ends there.
const MAX_DEPTH: u32 = 60;

/// What an expression is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expression {
    /// Tokens it takes.
    pub length: usize,
    /// Whether it ends where an operand ends, with all parentheses closed.
    pub whole: bool,
    /// Operands read.
    pub operands: usize,
    /// A comparison of two constants: `1=1`, `'a' like 'a`.
    pub constant_comparison: bool,
    /// Another comparison.
    pub comparison: bool,
    /// One of the comparisons is a sign, not a word.
    pub by_sign: bool,
    /// A call of a function only databases have, or a mention of a catalogue.
    pub probe: bool,
    /// A call of a function SQL has too; `sleep` with a number.
    pub function: bool,
    pub sleep: bool,
    /// `(select …`, or the query itself; and with `from`.
    pub query: bool,
    pub from: bool,
    /// `case when … then`, `if(`.
    pub choice: bool,
    /// In a query: `*`, numbers, strings, variables, calls, names with dots.
    pub hard: bool,
    pub commas: usize,
    /// Names attackers ask for.
    pub wanted: usize,
    /// Operands that are no plain names.
    pub literals: usize,
    /// The text ended inside its last string, which the string around us closes.
    pub open: bool,
}

/// What stands left of the first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// A constant and a comparison: the string that was just closed.
    ConstantCompared,
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: u32,
    /// Whether a query stands at each depth; bit 0 is outside of all parentheses.
    queries: u64,
    /// Whether the parentheses at each depth are those of a call of something unknown.
    calls: u64,
    operand_next: bool,
    /// The side of a comparison that is being read has only constants.
    constant: bool,
    /// What stood left of a comparison: nothing, something, constants.
    left: Option<bool>,
    found: Expression,
}

/// The longest expression at the start of the tokens.
pub fn read(tokens: &[Token], left: Left) -> Expression {
    let left = (left == Left::ConstantCompared).then_some(true);
    let found = Expression::default();
    let mut reader =
        Reader { tokens, at: 0, depth: 0, queries: 0, calls: 0, operand_next: true, constant: true, left, found };
    while reader.step() {}
    reader.end_side();
    let mut found = reader.found;
    found.length = reader.at;
    // What is open at the text's end is closed by what stands behind the value.
    // So is what a comment leaves open: `') or ('1'='1'--`.
    let is_cut = tokens.get(reader.at).is_none_or(|token| token.kind == Kind::Comment);
    let closed = reader.depth == 0 || is_cut;
    found.whole = !reader.operand_next && found.operands > 0 && closed;
    found
}

impl Reader<'_> {
    fn kind(&self, ahead: usize) -> Option<Kind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn in_query(&self) -> bool {
        self.queries & (1 << self.depth) != 0
    }

    /// Takes one token, or some that belong together; false where the expression ends.
    fn step(&mut self) -> bool {
        let Some(kind) = self.kind(0) else { return false };
        if self.operand_next { self.operand(kind) } else { self.behind_operand(kind) }
    }

    fn take(&mut self, tokens: usize) -> bool {
        self.at += tokens;
        true
    }

    fn took_operand(&mut self, tokens: usize, constant: bool) -> bool {
        self.constant &= constant;
        self.operand_next = false;
        self.found.operands += 1;
        self.found.literals += usize::from(constant);
        self.found.hard |= constant;
        self.take(tokens)
    }

    fn open(&mut self, tokens: usize) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        self.depth += 1;
        self.queries &= !(1 << self.depth);
        self.calls &= !(1 << self.depth);
        self.operand_next = true;
        self.take(tokens)
    }

    fn operand(&mut self, kind: Kind) -> bool {
        let next = self.kind(1);
        let calls = next == Some(Kind::Open);
        match kind {
            Kind::Number | Kind::Text => self.took_operand(1, true),
            Kind::OpenText => {
                self.found.open = true;
                self.took_operand(1, true)
            }
            Kind::Variable => {
                self.found.hard = true;
                self.took_operand(1, false)
            }
            Kind::Open => self.open(1),
            // `count(*)`, `now()`, `select * from`.
            Kind::Close
                if self.depth > 0 && self.tokens.get(self.at.wrapping_sub(1)).map(|t| t.kind) == Some(Kind::Open) =>
            {
                self.depth -= 1;
                self.took_operand(1, true)
            }
            Kind::Star
                if next == Some(Kind::Close)
                    || (self.in_query() && matches!(next, Some(Kind::Word(_) | Kind::Name))) =>
            {
                self.found.hard = true;
                self.took_operand(1, false)
            }
            Kind::Sign | Kind::Word(Word::Not | Word::Before | Word::Quantity) => self.take(1),
            // `{fn now()}`, `{x 1}`.
            Kind::Brace if matches!(next, Some(Kind::Name | Kind::Word(_))) => self.take(2),
            Kind::Word(Word::Constant) => self.took_operand(1, true),
            Kind::Word(Word::Select) => {
                if self.in_query() {
                    return false;
                }
                self.queries |= 1 << self.depth;
                self.found.query = true;
                self.take(1)
            }
            // `top 1`, `top(1)`.
            Kind::Word(Word::InQuery) if self.in_query() && next == Some(Kind::Number) => self.take(2),
            Kind::Word(Word::Case) => {
                self.found.choice |= self.tokens.get(self.at..).is_some_and(has_branches);
                self.found.choice && self.take(1)
            }
            Kind::Word(Word::Branch) if self.found.choice => self.take(1),
            Kind::Word(Word::If) if calls => {
                self.found.choice = true;
                self.open(2)
            }
            Kind::Word(word) => self.word(word, calls),
            Kind::Name if calls => {
                let opened = self.open(2);
                self.calls |= 1 << self.depth;
                opened
            }
            Kind::Name => self.took_operand(1, false),
            _ => false,
        }
    }

    fn word(&mut self, word: Word, calls: bool) -> bool {
        match word {
            Word::Probe if calls || self.kind(1) == Some(Kind::Dot) => self.found.probe = true,
            Word::Sleep if calls => self.found.sleep = true,
            Word::Catalog => self.found.probe |= self.found.from,
            Word::Function | Word::Object | Word::Set | Word::Constant if calls => self.found.function = true,
            Word::Wanted => self.found.wanted += 1,
            // Any other word of the language may be the name of a column, but begins nothing here.
            Word::Function | Word::Object | Word::Probe | Word::Sleep | Word::Delay | Word::Values => {}
            _ => return false,
        }
        if calls {
            self.found.hard = true;
            return self.open(2);
        }
        self.took_operand(1, false)
    }

    fn behind_operand(&mut self, kind: Kind) -> bool {
        let next = self.kind(1);
        match kind {
            Kind::Close if self.depth > 0 => {
                self.constant &= self.calls & (1 << self.depth) == 0;
                self.depth -= 1;
                self.take(1)
            }
            Kind::Dot => {
                self.found.hard |= self.in_query();
                self.operand_next = true;
                self.take(1)
            }
            Kind::Star | Kind::Arithmetic | Kind::Sign | Kind::Word(Word::Joins) => self.again(1),
            Kind::Compares => {
                self.found.by_sign = true;
                self.compare(1)
            }
            // `sounds like`
            Kind::Word(Word::Compares) => self.compare(1 + usize::from(next == Some(kind))),
            Kind::Word(Word::Not) if next == Some(Kind::Word(Word::Compares)) => self.compare(2),
            Kind::Bool | Kind::Word(Word::Bool) => {
                self.end_side();
                self.again(1)
            }
            Kind::Comma if self.depth > 0 || self.in_query() => {
                self.found.commas += 1;
                self.end_side();
                self.again(1)
            }
            Kind::Brace => self.take(1),
            // Strings that stand next to each other are one.
            Kind::Text | Kind::OpenText if self.previous_is_text() => {
                self.found.open |= kind == Kind::OpenText;
                self.take(1)
            }
            Kind::Word(Word::Branch) if self.found.choice => {
                self.end_side();
                self.again(1)
            }
            Kind::Word(Word::End) if self.found.choice => self.take(1),
            _ if self.in_query() || self.depth > 0 => self.in_parentheses(kind),
            _ => false,
        }
    }

    /// What may follow an operand in a query, or in the parentheses of a call: `from`, `where`, `as name`, `for`.
    fn in_parentheses(&mut self, kind: Kind) -> bool {
        let in_query = self.in_query();
        match kind {
            Kind::Word(Word::From) => {
                self.found.from |= in_query;
                self.end_side();
                self.again(1)
            }
            Kind::Word(Word::Where | Word::Having | Word::InQuery) if in_query => {
                self.end_side();
                let last = matches!(self.kind(1), None | Some(Kind::Close | Kind::Comma | Kind::Comment));
                if last { self.take(1) } else { self.again(1) }
            }
            Kind::Word(Word::Order | Word::Group) if in_query && self.kind(1) == Some(Kind::Word(Word::By)) => {
                self.end_side();
                self.again(2)
            }
            Kind::Word(Word::Limit) if in_query => self.again(1),
            Kind::Word(Word::Union) if in_query => {
                self.queries &= !(1 << self.depth);
                self.end_side();
                self.again(1)
            }
            Kind::Word(Word::As) => self.again(1),
            // The name of a column or table.
            Kind::Name if in_query && self.may_be_named() => self.take(1),
            Kind::Name | Kind::Word(Word::Starts | Word::Joins) if !in_query => self.again(1),
            _ => false,
        }
    }

    /// One name may follow an operand, not two.
    fn may_be_named(&self) -> bool {
        let kind = |back: usize| self.at.checked_sub(back).and_then(|at| self.tokens.get(at)).map(|t| t.kind);
        !(kind(1) == Some(Kind::Name) && kind(2) == Some(Kind::Name))
    }

    fn previous_is_text(&self) -> bool {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|t| t.kind == Kind::Text)
    }

    fn again(&mut self, tokens: usize) -> bool {
        self.operand_next = true;
        self.take(tokens)
    }

    fn compare(&mut self, tokens: usize) -> bool {
        self.left = Some(self.constant);
        self.constant = true;
        self.again(tokens)
    }

    /// Where a comparison ends, what both its sides are is known.
    fn end_side(&mut self) {
        if let Some(left) = self.left.take().filter(|_| !self.operand_next) {
            self.found.constant_comparison |= left && self.constant;
            self.found.comparison = true;
        }
        self.constant = true;
    }
}

/// Whether a `case` goes on with `when` and `then`, as far as an attack is long.
fn has_branches(tokens: &[Token]) -> bool {
    const FAR: usize = 64;
    tokens.iter().skip(1).take(FAR).filter(|token| token.kind == Kind::Word(Word::Branch)).nth(1).is_some()
}
