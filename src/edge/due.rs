//! What recording calls for, between whoever records and `entry.mjs`, which has it carried out.

/// What recording an event calls for, the most urgent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    Nothing,
    /// Wait, then flush: this request owns the timer now.
    Later,
    Now,
    /// Flush, and only then let the answer go: parallel attempts must find each other's outcome.
    BeforeAnswer,
}

impl Due {
    /// The number `entry.mjs` knows it by.
    pub fn code(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Later => 1,
            Self::Now => 2,
            Self::BeforeAnswer => 3,
        }
    }

    /// What [`Due::code`] numbered.
    pub fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Later,
            2 => Self::Now,
            3 => Self::BeforeAnswer,
            _ => Self::Nothing,
        }
    }
}
