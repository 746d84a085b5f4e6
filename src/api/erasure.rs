//! Erasing a user: whom the path names, and what is answered.

use serde::Serialize;

use super::{Refusal, bad};
use crate::store::Erased;

/// Longest name of a user, bytes; longer ones are never stored.
const MAX_USER: usize = 256;

/// The raw name of the user that a path below the admin prefix ends in.
pub fn user_of(path: &str) -> Result<String, Refusal> {
    let segment = path.rsplit('/').next().unwrap_or("");
    let name = percent_encoding::percent_decode_str(segment).decode_utf8();
    let name = name.map_err(|_| bad("value", "is no UTF-8 when percent-decoded"))?;
    match name.len() {
        1..=MAX_USER => Ok(name.into_owned()),
        _ => Err(bad("value", "has from 1 to 256 bytes when percent-decoded")),
    }
}

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
    fn the_user_of_a_path_is_percent_decoded_and_has_a_length() {
        let user = |segment: &str| user_of(&format!("/api/v1/subjects/user/{segment}"));
        assert_eq!(user("ann"), Ok("ann".to_owned()));
        assert_eq!(user("h:3d97:af6f"), Ok("h:3d97:af6f".to_owned()));
        assert_eq!(user("%C3%A4nn%2Fb+c%20d"), Ok("änn/b+c d".to_owned()));
        assert!(user(&"a".repeat(MAX_USER)).is_ok());
        for wrong in ["", "%ff", &"a".repeat(MAX_USER + 1)] {
            assert_eq!(user(wrong).map_err(|r| r.parameter()), Err(Some("value".to_owned())), "{wrong}");
        }
    }

    #[test]
    fn an_erasure_is_complete_when_every_shard_is_through_and_everything_could_be_read() {
        let done = Erased { done: true, ..Erased::default() };
        let complete = |erased: Erased, missing| ErasureAnswer::new(&erased, missing).complete;
        assert!(complete(done, false));
        assert!(!complete(done, true) && !complete(Erased::default(), false));
        assert!(!complete(Erased { unreadable: 1, ..done }, false));
    }
}
