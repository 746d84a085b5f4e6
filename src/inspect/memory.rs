//! Header values that were found innocent, so that the next request with the same ones costs next to nothing: a browser
//! sends the same agent, cookies and languages with every request.
//!
//! A value is known by its whole text: nobody gets another one past inspection by a choice of it.

/// Places for values, in rows of [`WAYS`] that a value's hash tells: a power of two. With values of [`MAX_BYTES`] a megabyte.
const ROWS: usize = 512;
const WAYS: usize = 2;
/// Bytes of name and value that are kept.
const MAX_BYTES: usize = 1_024;

/// What was found innocent lately. In each row the value met last stands first, and a new one takes the place of the last.
#[derive(Debug, Default)]
pub struct Memory {
    rows: Vec<[Option<Innocent>; WAYS]>,
}

#[derive(Debug)]
struct Innocent {
    /// Of name and value; most others are told by it.
    hash: u64,
    name: usize,
    /// Both, one behind the other.
    text: Box<str>,
}

impl Innocent {
    fn is(&self, hash: u64, name: &str, value: &str) -> bool {
        self.hash == hash && self.name == name.len() && self.text.strip_prefix(name) == Some(value)
    }
}

impl Memory {
    /// Whether a header was found innocent, and the key to [`Memory::keep`] it with; `None` for what is too long to be kept.
    pub fn knows(&mut self, name: &str, value: &str) -> (bool, Option<u64>) {
        if name.len() + value.len() > MAX_BYTES {
            return (false, None);
        }
        let hash = hash(value.as_bytes(), hash(name.as_bytes(), 0));
        let Some(row) = self.rows.get_mut(row_of(hash)) else { return (false, Some(hash)) };
        let way = row.iter().position(|known| known.as_ref().is_some_and(|known| known.is(hash, name, value)));
        if let Some(way @ 1..) = way {
            row.swap(0, way);
        }
        (way.is_some(), Some(hash))
    }

    /// Remembers what was found innocent.
    pub fn keep(&mut self, hash: u64, name: &str, value: &str) {
        if self.rows.is_empty() {
            self.rows.resize_with(ROWS, Default::default);
        }
        let Some(row) = self.rows.get_mut(row_of(hash)) else { return };
        row.rotate_right(1);
        row[0] = Some(Innocent { hash, name: name.len(), text: [name, value].concat().into_boxed_str() });
    }
}

fn row_of(hash: u64) -> usize {
    (hash >> 40) as usize & (ROWS - 1)
}

/// Eight bytes at a time. Whoever makes values meet in one row on purpose has them looked at again, and nothing else.
fn hash(text: &[u8], seed: u64) -> u64 {
    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = text.as_chunks::<8>();
    let hash = words.iter().fold(mix(seed, text.len() as u64), |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(hash, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_again_is_kept_and_what_is_not_goes() {
        let mut memory = Memory::default();
        for n in 0..20 * ROWS {
            let value = n.to_string();
            assert_eq!(memory.knows("user-agent", "0").0, n > 0);
            let (is_known, key) = memory.knows("user-agent", &value);
            if !is_known {
                memory.keep(key.unwrap(), "user-agent", &value);
            }
        }
        assert!(memory.knows("user-agent", "0").0 && !memory.knows("user-agent", "1").0);
        assert_eq!(memory.rows.len(), ROWS);
    }

    #[test]
    fn a_header_is_known_by_all_of_its_name_and_value() {
        let mut memory = Memory::default();
        let key = memory.knows("ab", "c").1.unwrap();
        memory.keep(key, "ab", "c");
        assert!(memory.knows("ab", "c").0);
        for (name, value) in [("a", "bc"), ("abc", ""), ("ab", "C"), ("ab", "c "), ("ab", "")] {
            assert!(!memory.knows(name, value).0, "{name}: {value}");
            // Not by a hash alone, either.
            let row = Innocent { hash: key, name: name.len(), text: [name, value].concat().into() };
            assert!(!row.is(key, "ab", "c"), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        let mut memory = Memory::default();
        assert!(memory.knows("a", &"x".repeat(MAX_BYTES - 1)).1.is_some());
        assert!(memory.knows("a", &"x".repeat(MAX_BYTES)).1.is_none());
    }
}
