//! The tokens of a JSON text, and passing over values nobody wants.

use super::string::Text;

/// Objects and arrays inside each other that are followed; a bit for each is all that a skipped value costs.
const MAX_DEPTH: u32 = 128;

/// Why a document was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ends inside a value.
    End,
    /// The next character cannot stand where it does.
    Fault,
    /// Enough was read: the rest is too deep, or not looked at.
    More,
}

pub(super) type Read = Result<(), Stop>;

pub(super) struct Scanner<'t> {
    pub text: &'t str,
    /// The byte that is looked at next.
    pub at: usize,
    pub depth: u32,
    pub cut: bool,
}

impl<'t> Scanner<'t> {
    #[inline]
    pub fn peek(&self) -> Result<u8, Stop> {
        self.text.as_bytes().get(self.at).copied().ok_or(Stop::End)
    }

    #[inline]
    pub fn next(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    pub fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Ok(byte);
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Read {
        if self.next()? == byte { Ok(()) } else { Err(Stop::Fault) }
    }

    #[inline]
    pub fn space(&mut self) {
        // Most documents have none between most tokens.
        while self.text.as_bytes().get(self.at).is_some_and(|byte| *byte <= b' ' && is_space(*byte)) {
            self.at += 1;
        }
    }

    #[inline]
    pub fn enter(&mut self) -> Read {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Stop::More) } else { Ok(()) }
    }

    /// A member's name with the colon and the space after it.
    pub fn name(&mut self) -> Result<Text<'t>, Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Fault);
        }
        let name = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(name)
    }

    /// Passes over the value that starts here, without recursion.
    pub fn skip(&mut self) -> Read {
        // Bit n: whether the nth container around the current value is an object; the lowest is the innermost.
        let (mut objects, outer) = (0_u128, self.depth);
        loop {
            // Whether a value comes next, and not what follows one.
            let mut before_value = false;
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'-' | b'0'..=b'9' => drop(self.number()?),
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                open @ (b'{' | b'[') => {
                    self.enter()?;
                    objects = objects << 1 | u128::from(open == b'{');
                    self.space();
                    before_value = !matches!(self.peek()?, b'}' | b']');
                    if before_value && open == b'{' {
                        self.name()?;
                    }
                }
                _ => return Err(Stop::Fault),
            }
            while !before_value && self.depth > outer {
                self.space();
                let object = objects & 1 == 1;
                match self.next()? {
                    b',' => {
                        self.space();
                        if object {
                            self.name()?;
                        }
                        before_value = true;
                    }
                    close if close == if object { b'}' } else { b']' } => {
                        objects >>= 1;
                        self.depth -= 1;
                    }
                    _ => return Err(Stop::Fault),
                }
            }
            if self.depth == outer {
                return Ok(());
            }
        }
    }

    pub fn literal(&mut self, word: &str) -> Read {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(())
    }

    pub fn number(&mut self) -> Result<&'t str, Stop> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        // Where the text was cut, more digits may have followed.
        if self.cut && self.at == self.text.len() {
            return Err(Stop::End);
        }
        Ok(self.text.get(start..self.at).unwrap_or_default())
    }

    /// One digit or more.
    fn digits(&mut self) -> Read {
        if !self.next()?.is_ascii_digit() {
            return Err(Stop::Fault);
        }
        while self.peek().is_ok_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// The string whose quote is next.
    pub fn string(&mut self) -> Result<Text<'t>, Stop> {
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Stop::Fault),
            }
        }
        Ok(Text { inner: self.text.get(start..self.at - 1).unwrap_or_default(), escaped })
    }

    fn escape(&mut self) -> Read {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    if !self.next()?.is_ascii_hexdigit() {
                        return Err(Stop::Fault);
                    }
                }
                Ok(())
            }
            _ => Err(Stop::Fault),
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes come before the first that is not plain in a string: a quote, a backslash or a control character.
///
/// Looks at eight bytes at a time, because strings are most of a document. In each term the high bit of a byte is set
/// where the byte is one of those looked for, and beyond the first such byte perhaps of others.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH_BITS: u64 = ONES << 7;
    let equal = |word: u64, byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
        let hits = (equal(word, b'"') | equal(word, b'\\') | control) & HIGH_BITS;
        if hits != 0 {
            return 8 * n + hits.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..b' ');
    8 * words.len() + rest.iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_first_byte_that_is_not_plain_is_found_wherever_it_stands() {
        for special in [b'"', b'\\', b'\n', 0, 0x1f] {
            for at in 0..20 {
                for other in [b'a', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![other; 20];
                    assert_eq!(plain(&bytes), 20);
                    bytes[at] = special;
                    assert_eq!(plain(&bytes), at, "{special} among {other}");
                    bytes[at..].fill(special);
                    assert_eq!(plain(&bytes), at, "{special} after {other}");
                }
            }
        }
    }
}
