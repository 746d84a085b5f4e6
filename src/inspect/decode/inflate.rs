//! Deflate (RFC 1951), in gzip (RFC 1952), zlib (RFC 1950) or bare: enough to read the start of a compressed body.

/// Blocks read at most: each may bring tables and no bytes.
const MAX_BLOCKS: usize = 256;
/// Bits of the longest code.
const MAX_BITS: usize = 15;

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inflated {
    pub bytes: Vec<u8>,
    /// All of it is there: else the limit was reached, or the input is cut or broken.
    pub whole: bool,
}

/// Decompresses as much as is there and fits in `limit` bytes; `None` where not a byte comes out.
pub fn inflate(input: &[u8], limit: usize) -> Option<Inflated> {
    let input = deflated(input)?;
    let mut bits = Bits { input, at: 0, held: 0, count: 0 };
    let mut bytes = Vec::with_capacity(limit.min(4 * input.len()));
    let whole = blocks(&mut bits, &mut bytes, limit).is_some();
    (whole || !bytes.is_empty()).then_some(Inflated { bytes, whole })
}

/// What follows the header of gzip or zlib.
fn deflated(input: &[u8]) -> Option<&[u8]> {
    if let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = input {
        let mut rest = rest;
        if flags & 4 != 0 {
            let length = u16::from_le_bytes(*rest.first_chunk::<2>()?);
            rest = rest.get(2 + usize::from(length)..)?;
        }
        // A name and a comment, each up to a NUL.
        for flag in [8, 16] {
            if flags & flag != 0 {
                rest = rest.get(rest.iter().position(|byte| *byte == 0)? + 1..)?;
            }
        }
        return rest.get(if flags & 2 != 0 { 2 } else { 0 }..);
    }
    match input {
        [method, flags, rest @ ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0 => {
            Some(rest)
        }
        _ => Some(input),
    }
}

fn blocks(bits: &mut Bits<'_>, out: &mut Vec<u8>, limit: usize) -> Option<()> {
    for _ in 0..MAX_BLOCKS {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(bits, out, limit)?,
            1 => {
                let mut lengths = [8; 288];
                for (symbol, length) in lengths.iter_mut().enumerate() {
                    *length = match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    };
                }
                coded(bits, &Codes::new(&lengths), &Codes::new(&[5; 30]), out, limit)?;
            }
            2 => {
                let (literals, distances) = tables(bits)?;
                coded(bits, &literals, &distances, out, limit)?;
            }
            _ => return None,
        }
        if last {
            return Some(());
        }
    }
    None
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, limit: usize) -> Option<()> {
    bits.align();
    let length = bits.take(16)?;
    if bits.take(16)? != !length & 0xffff {
        return None;
    }
    for _ in 0..length {
        put(out, u8::try_from(bits.take(8)?).ok()?, limit)?;
    }
    Some(())
}

fn put(out: &mut Vec<u8>, byte: u8, limit: usize) -> Option<()> {
    (out.len() < limit).then(|| out.push(byte))
}

/// The codes of literals and of distances that a block brings.
fn tables(bits: &mut Bits<'_>) -> Option<(Codes, Codes)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances) = (bits.take(5)? as usize + 257, bits.take(5)? as usize + 1);
    let count = bits.take(4)? as usize + 4;
    let mut lengths = [0; 19];
    for symbol in ORDER.iter().take(count) {
        *lengths.get_mut(*symbol)? = bits.take(3)? as u8;
    }
    let code = Codes::new(&lengths);
    let mut lengths = [0_u8; 320];
    let mut at = 0;
    while at < literals + distances {
        let (length, times) = match code.read(bits)? {
            16 => (*lengths.get(at.checked_sub(1)?)?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        let next = at + times as usize;
        lengths.get_mut(at..next)?.fill(length);
        at = next;
    }
    let (of_literals, rest) = lengths.split_at_checked(literals)?;
    Some((Codes::new(of_literals), Codes::new(rest.get(..distances)?)))
}

fn coded(bits: &mut Bits<'_>, literals: &Codes, distances: &Codes, out: &mut Vec<u8>, limit: usize) -> Option<()> {
    loop {
        let symbol = literals.read(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            put(out, byte, limit)?;
            continue;
        }
        if symbol == 256 {
            return Some(());
        }
        // Lengths and distances are in groups that double (RFC 1951, section 3.2.5).
        let length = match u32::from(symbol) - 257 {
            short @ 0..8 => short + 3,
            28 => 258,
            long @ 8..28 => {
                let extra = long / 4 - 1;
                ((4 + long % 4) << extra) + bits.take(extra)? + 3
            }
            _ => return None,
        };
        let distance = match u32::from(distances.read(bits)?) {
            near @ 0..4 => near + 1,
            far @ 4..30 => {
                let extra = far / 2 - 1;
                ((2 + far % 2) << extra) + bits.take(extra)? + 1
            }
            _ => return None,
        };
        let from = out.len().checked_sub(distance as usize)?;
        for at in from..from + length as usize {
            put(out, *out.get(at)?, limit)?;
        }
    }
}

/// A canonical Huffman code: how many codes each length has, and their symbols in order.
struct Codes {
    counts: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
}

impl Codes {
    /// The code in which symbol n has `lengths[n]` bits; 0 for none.
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; MAX_BITS + 1];
        let mut symbols = Vec::with_capacity(lengths.len());
        for (length, count) in (1_u8..).zip(counts.iter_mut().skip(1)) {
            let with = (0_u16..).zip(lengths).filter(|(_, known)| **known == length).map(|(symbol, _)| symbol);
            let before = symbols.len();
            symbols.extend(with);
            *count = u16::try_from(symbols.len() - before).unwrap_or_default();
        }
        Self { counts, symbols }
    }

    /// The next symbol: codes of one length follow each other, after twice those of the length before.
    fn read(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in self.counts.iter().skip(1) {
            code |= bits.take(1)?;
            let count = u32::from(*count);
            if code < first + count {
                return self.symbols.get((index + code).checked_sub(first)? as usize).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits of the input, the lowest of each byte first.
struct Bits<'i> {
    input: &'i [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    /// The next bits as a number; at most 16.
    #[inline]
    fn take(&mut self, wanted: u32) -> Option<u32> {
        while self.count < wanted {
            self.held |= u32::from(*self.input.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << wanted) - 1);
        self.held >>= wanted;
        self.count -= wanted;
        Some(bits)
    }

    fn align(&mut self) {
        (self.held, self.count) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
