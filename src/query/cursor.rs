//! Opaque cursors: where a page ended, and of which question it was a page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::ordered::OrderedMap;
use crate::wire::Place;

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    version: u8,
    /// Hash of the question, so that a cursor is not used with another.
    question: u32,
    /// Moment whose state the pages show, epoch ms.
    pub as_of_ms: u64,
    /// Sort value of the last item.
    pub value: u64,
    /// Id of the last item.
    pub id: u128,
    /// How far the journal of each shard was when the first page was asked for.
    pub positions: Positions,
}

/// How far the journals of shards are, by place.
pub type Positions = OrderedMap<Place, u64>;

const VERSION: u8 = 2;

impl Cursor {
    /// A cursor after the item (`value`, `id`) of the question hashed as `question`.
    pub fn new(question: u32, as_of_ms: u64, value: u64, id: u128, positions: Positions) -> Self {
        Self { version: VERSION, question, as_of_ms, value, id, positions }
    }

    /// The cursor as text for the client.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(postcard::to_allocvec(self).unwrap_or_default())
    }

    /// Reads a cursor back; the error is for the client.
    pub fn decode(text: &str, question: u32) -> Result<Self, &'static str> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "is not a cursor; use `next` of an answer as it is")?;
        let cursor: Self =
            postcard::from_bytes(&bytes).map_err(|_| "is not a cursor; use `next` of an answer as it is")?;
        if cursor.version != VERSION {
            return Err("is of another release; start again without it");
        }
        if cursor.question != question {
            return Err("belongs to another question; repeat the filters and order it was answered with");
        }
        Ok(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_question_only() {
        let cursor = Cursor::new(7, 1, 2, u128::MAX, Positions::from_iter([(Place { layout: 3, index: 2 }, 9)]));
        assert_eq!(Cursor::decode(&cursor.encode(), 7), Ok(cursor.clone()));
        assert!(Cursor::decode(&cursor.encode(), 8).is_err());
        for bad in ["", "!!", "AAAA", &"A".repeat(400)] {
            assert!(Cursor::decode(bad, 0).is_err(), "{bad}");
        }
    }
}
