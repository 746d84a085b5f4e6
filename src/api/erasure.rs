//! Erasing a user: what is answered.

use serde::Serialize;

use crate::store::Erased;

/// What an erasure did, as the API shows it.
#[derive(Debug, Serialize)]
pub struct ErasureAnswer {
    pub erased: ErasedAnswer,
    /// Whether every shard is through; if not, asking again goes on.
    pub complete: bool,
    pub detail: &'static str,
}

/// What named the user until now.
#[derive(Debug, Serialize)]
pub struct ErasedAnswer {
    pub sessions: u64,
    pub events: u64,
    /// Stored pieces that were written anew.
    pub chunks: u64,
}

impl ErasureAnswer {
    /// The answer after these slices; `missing` says whether a shard was not reached.
    pub fn new(erased: &Erased, missing: bool) -> Self {
        let Erased { sessions, events, chunks, unreadable, done } = *erased;
        let detail = match (unreadable, missing || !done) {
            (0, false) => "Nothing that is stored names the user any more.",
            (0, true) => "Not every shard is through; repeat the request, it goes on where it stopped.",
            _ => "Something that is stored cannot be read and may name the user; it goes when its retention ends.",
        };
        let complete = unreadable == 0 && done && !missing;
        Self { erased: ErasedAnswer { sessions, events, chunks }, complete, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_is_complete_when_every_shard_is_through_and_everything_could_be_read() {
        let done = Erased { done: true, ..Erased::default() };
        let complete = |erased: Erased, missing| ErasureAnswer::new(&erased, missing).complete;
        assert!(complete(done, false));
        assert!(!complete(done, true) && !complete(Erased::default(), false));
        assert!(!complete(Erased { unreadable: 1, ..done }, false));
    }
}
