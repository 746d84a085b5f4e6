//! Header values that were found innocent, so that the next request with the same ones costs next to nothing: a browser
//! sends the same agent, cookies and languages with every request.
//!
//! A value is known by its whole text: nobody gets another one past inspection by a choice of it.

use std::collections::BTreeSet;

/// Values in each of the two generations, and bytes of the longest one kept: some megabyte at the most.
const MAX_VALUES: usize = 512;
const MAX_BYTES: usize = 1_024;

/// What was found innocent lately.
#[derive(Debug, Default)]
pub struct Memory {
    current: BTreeSet<Box<str>>,
    /// What was current before; whatever of it is met moves on, the rest is dropped with the next change.
    previous: BTreeSet<Box<str>>,
}

impl Memory {
    /// The name of a header with its value; `None` for what is not remembered.
    pub fn key(name: &str, value: &str) -> Option<Box<str>> {
        // Neither can hold a line feed, so no two pairs have one key.
        (name.len() + value.len() < MAX_BYTES).then(|| [name, "\n", value].concat().into_boxed_str())
    }

    /// Whether it was found innocent.
    pub fn knows(&mut self, key: &str) -> bool {
        if self.current.contains(key) {
            return true;
        }
        let met = self.previous.take(key);
        let is_known = met.is_some();
        met.into_iter().for_each(|key| self.keep(key));
        is_known
    }

    /// Remembers what was found innocent.
    pub fn keep(&mut self, key: Box<str>) {
        if self.current.len() >= MAX_VALUES {
            self.previous = core::mem::take(&mut self.current);
        }
        self.current.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_again_is_kept_and_what_is_not_goes() {
        let mut memory = Memory::default();
        let key = |n: usize| Memory::key("user-agent", &n.to_string()).unwrap();
        for n in 0..=2 * MAX_VALUES {
            assert_eq!(memory.knows(&key(0)), n > 0);
            if n == 0 || !memory.knows(&key(n)) {
                memory.keep(key(n));
            }
        }
        assert!(memory.knows(&key(0)) && memory.knows(&key(2 * MAX_VALUES)) && !memory.knows(&key(1)));
        assert!(memory.current.len() <= MAX_VALUES && memory.previous.len() <= MAX_VALUES);
    }

    #[test]
    fn what_is_too_long_is_not_remembered() {
        assert!(Memory::key("a", &"x".repeat(MAX_BYTES - 2)).is_some());
        assert!(Memory::key("a", &"x".repeat(MAX_BYTES - 1)).is_none());
    }
}
