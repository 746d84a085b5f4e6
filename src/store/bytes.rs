//! Bytes as chunks and their columns are made of: varints, zigzag, numbers packed bit by bit, and strings with their
//! length.
//!
//! A [`Writer`] cannot fail. A [`Reader`] trusts nothing: what is cut, overflows or announces more than there is, is
//! [`Damaged`], and no memory is taken for a number of entries the bytes at hand could not hold.

/// Why bytes are not what they should be: they were not written by this code, or were changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("encoded data is cut or malformed")]
pub struct Damaged;

/// Seven bits of a varint's byte; the eighth says that another one follows.
const LOW: u64 = 0x7f;
const MORE: u8 = 0x80;

/// Maps small numbers of either sign (two's complement) to small numbers: 0, -1, 1, -2 … become 0, 1, 2, 3 …
pub(crate) fn zigzag(number: u64) -> u64 {
    (number << 1) ^ (number >> 63).wrapping_neg()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

/// Appends to a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes whose number the reader knows.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, lowest first: one byte below 128, ten at most.
    pub(crate) fn varint(&mut self, mut number: u64) {
        while number > LOW {
            self.0.push((number & LOW) as u8 | MORE);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Bytes with their length before them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// What `write` writes, with its length before it.
    pub(crate) fn section(&mut self, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(&inner.0);
    }

    /// Numbers in as many bits each as the largest needs, the first in the lowest bits, behind a byte with that width.
    /// Nothing but that byte where all are 0.
    pub(crate) fn packed(&mut self, numbers: &[u32]) {
        let width = u32::BITS - numbers.iter().fold(0, |bits, number| bits | number).leading_zeros();
        self.byte(width as u8);
        let (mut held, mut bits) = (0u64, 0);
        for number in numbers {
            held |= u64::from(*number) << bits;
            bits += width;
            while bits >= 8 {
                self.byte(held as u8);
                held >>= 8;
                bits -= 8;
            }
        }
        if bits > 0 {
            self.byte(held as u8);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes from the front of borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (byte, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*byte)
    }

    /// The next `len` bytes.
    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// What [`Writer::varint`] wrote. More than 64 bits are damage.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Damaged> {
        // Most are one byte or two.
        match self.0 {
            [a, rest @ ..] if *a < MORE => {
                self.0 = rest;
                Ok(u64::from(*a))
            }
            [a, b, rest @ ..] if *b < MORE => {
                self.0 = rest;
                Ok((u64::from(*a) & LOW) | (u64::from(*b) << 7))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Damaged> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte) & LOW;
            if (part << shift) >> shift != part {
                return Err(Damaged);
            }
            number |= part << shift;
            if byte < MORE {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    /// A varint that fits 32 bits.
    #[inline]
    pub(crate) fn varint32(&mut self) -> Result<u32, Damaged> {
        self.number()
    }

    /// A varint that fits the type.
    #[inline]
    pub(crate) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Damaged> {
        T::try_from(self.varint()?).map_err(|_| Damaged)
    }

    /// Text with its length before it.
    pub(crate) fn text(&mut self) -> Result<&'a str, Damaged> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Damaged)
    }

    /// How many entries follow, each of at least one byte: never more than there are bytes, so memory may be taken.
    pub(crate) fn count(&mut self) -> Result<usize, Damaged> {
        let count = usize::try_from(self.varint()?).map_err(|_| Damaged)?;
        if count <= self.left() { Ok(count) } else { Err(Damaged) }
    }

    /// Bytes with their length before them.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.count()?;
        self.raw(len)
    }

    /// A part that [`Writer::section`] wrote.
    pub(crate) fn section(&mut self) -> Result<Self, Damaged> {
        self.bytes().map(Self)
    }

    /// Reads `count` numbers that [`Writer::packed`] wrote. Packed numbers may take no byte at all, so `count` has to be
    /// one that something else vouches for.
    pub(crate) fn packed(&mut self, count: usize) -> Result<Vec<u32>, Damaged> {
        let width = u32::from(self.byte()?);
        if width == 0 {
            return Ok(vec![0; count]);
        }
        if width > u32::BITS {
            return Err(Damaged);
        }
        let bits = count.checked_mul(width as usize).ok_or(Damaged)?;
        let mut input = self.raw(bits.div_ceil(8))?.iter();
        let mask = u64::from(u32::MAX >> (u32::BITS - width));
        let mut numbers = Vec::with_capacity(count);
        let (mut held, mut bits) = (0u64, 0);
        for _ in 0..count {
            while bits < width {
                held |= u64::from(*input.next().ok_or(Damaged)?) << bits;
                bits += 8;
            }
            numbers.push((held & mask) as u32);
            held >>= width;
            bits -= width;
        }
        Ok(numbers)
    }

    /// Says that nothing may be left.
    pub(crate) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_length_come_back() {
        let numbers = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for number in numbers {
            let mut writer = Writer::default();
            writer.varint(number);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.varint(), reader.left()), (Ok(number), 0));
            assert!(Reader::new(&bytes[..bytes.len() - 1]).varint().is_err(), "{number} cut");
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_damage() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(Reader::new(&bytes).varint(), Ok(u64::MAX));
        bytes[9] = 2;
        assert_eq!(Reader::new(&bytes).varint(), Err(Damaged));
        assert_eq!(Reader::new(&[0xff; 11]).varint(), Err(Damaged));
    }

    #[test]
    fn zigzag_keeps_small_numbers_of_either_sign_small() {
        let minus = |number: u64| number.wrapping_neg();
        assert_eq!([0, minus(1), 1, minus(2), 2].map(zigzag), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn packed_numbers_of_every_width_come_back() {
        for width in 0..=32u32 {
            let largest = u32::MAX.checked_shr(32 - width).unwrap_or(0);
            for count in [0usize, 1, 7, 8, 9, 100] {
                let numbers: Vec<u32> = (0..count as u32).map(|i| i.wrapping_mul(0x9e37_79b9) & largest).collect();
                let mut writer = Writer::default();
                writer.packed(&numbers);
                let bytes = writer.finish();
                assert!(bytes.len() <= 1 + (count * width as usize).div_ceil(8));
                let mut reader = Reader::new(&bytes);
                assert_eq!((reader.packed(count), reader.left()), (Ok(numbers), 0), "{width} bits");
            }
        }
    }

    #[test]
    fn a_count_that_the_bytes_cannot_hold_is_damage() {
        let mut writer = Writer::default();
        writer.varint(u64::MAX);
        assert_eq!(Reader::new(&writer.finish()).count(), Err(Damaged));
        assert_eq!(Reader::new(&[33, 0, 0, 0, 0, 0]).packed(1), Err(Damaged));
        assert_eq!(Reader::new(&[32, 0]).packed(usize::MAX), Err(Damaged));
    }
}
