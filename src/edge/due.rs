//! What recording calls for, between whoever records and `flush.mjs`, which carries it out.

/// What recording an event calls for, the most urgent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Nothing,
    /// Wait a little longer than whoever flushes, and do it where they did not.
    Watch,
    /// Wait, then flush: this request owns the timer now.
    Later,
    Now,
    /// Flush, and only then let the answer go: parallel attempts must find each other's outcome.
    BeforeAnswer,
}

impl Due {
    /// The number `flush.mjs` knows it by.
    pub fn code(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Watch => 1,
            Self::Later => 2,
            Self::Now => 3,
            Self::BeforeAnswer => 4,
        }
    }
}
