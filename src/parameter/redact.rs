//! What is shown of a text that must not be kept whole.

/// A pattern with one `*` for what is hidden: the number before it says how many characters are kept at the beginning,
/// the one after it how many at the end. `6*4` keeps what receipts show of a card, `*4` the last four, `*` nothing.
///
/// What is hidden becomes `***`, whatever its length. A text of which less than [`HIDDEN`] characters would be hidden is
/// hidden whole. Two texts may look the same after it: where they must be told apart, store them hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redact {
    first: usize,
    last: usize,
}

/// Characters that are hidden at least.
pub const HIDDEN: usize = 4;
/// Most characters that can be kept at either end.
const MAX_KEPT: usize = 16;

impl Redact {
    /// Parses a pattern; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u8>().ok().map(usize::from) };
        let both = text.split_once('*').and_then(|(first, last)| Some((number(first)?, number(last)?)));
        match both {
            Some((first, last)) if first <= MAX_KEPT && last <= MAX_KEPT => Ok(Self { first, last }),
            _ => Err(format!(
                "`{text}` is no pattern; write how much to keep before and after a `*`, up to {MAX_KEPT}: `6*4`, `*4`, `*`"
            )),
        }
    }

    /// What may be kept of `text`.
    pub fn apply(self, text: &str) -> String {
        let length = text.chars().count();
        if length < self.first + self.last + HIDDEN {
            return "***".to_owned();
        }
        let first = text.chars().take(self.first);
        let last = text.chars().skip(length - self.last);
        first.chain("***".chars()).chain(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Redact;

    #[test]
    fn only_what_the_pattern_names_is_shown() {
        for (pattern, text, shown) in [
            ("6*4", "4111111111111111", "411111***1111"),
            ("*4", "DE02120300000000202051", "***2051"),
            ("2*", "erika", "***"),
            ("1*", "erika", "e***"),
            ("*", "anything", "***"),
            ("*", "", "***"),
            ("1*1", "åßçdéf", "å***f"),
        ] {
            assert_eq!(Redact::parse(pattern).unwrap().apply(text), shown, "{pattern} {text}");
        }
        for bad in ["", "4", "**", "a*", "17*", "*17", "-1*", "last 4"] {
            assert!(Redact::parse(bad).is_err(), "{bad}");
        }
    }
}
