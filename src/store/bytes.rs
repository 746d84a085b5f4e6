//! Numbers and texts as bytes, for the columns of a chunk. What is read was stored, perhaps damaged: nothing here panics
//! or believes a length.

/// Appends values to bytes.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// A number in as few bytes as it needs, seven bits each (LEB128).
    pub fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// What `write` writes, behind its length.
    pub fn section(&mut self, write: impl FnOnce(&mut Writer)) {
        let mut section = Self::default();
        write(&mut section);
        self.bytes(&section.0);
    }
}

/// Takes values from the front of bytes; `None` where they end too soon or are malformed.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What [`Writer::varint`] wrote.
    pub fn varint(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            n |= u64::from(first & 0x7f) << shift;
            if *first < 0x80 {
                return Some(n);
            }
        }
        None
    }

    /// A number that has to fit.
    pub fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.varint()?).ok()
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// What [`Writer::bytes`] wrote.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = self.number()?;
        self.take(n)
    }

    /// A text that [`Writer::bytes`] wrote.
    pub fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()?).ok()
    }

    /// What [`Writer::section`] wrote.
    pub fn section(&mut self) -> Option<Reader<'a>> {
        self.bytes().map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_refused() {
        let mut writer = Writer::default();
        for n in [0, 1, 127, 128, 300, u64::MAX] {
            writer.varint(n);
        }
        writer.bytes("text".as_bytes());
        writer.section(|w| w.varint(7));
        let mut reader = Reader(&writer.0);
        for n in [0, 1, 127, 128, 300, u64::MAX] {
            assert_eq!(reader.varint(), Some(n));
        }
        assert_eq!(reader.text(), Some("text"));
        assert_eq!(reader.section().and_then(|mut s| s.number::<u8>()), Some(7));
        assert!(reader.is_empty());
        assert_eq!(Reader(&[0x80]).varint(), None);
        assert_eq!(Reader(&[0xff; 11]).varint(), None);
        assert_eq!(Reader(&[5, 1, 2]).bytes(), None);
        assert_eq!(Reader(&[2, 0xff, 0xff]).text(), None);
    }
}
