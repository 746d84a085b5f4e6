//! Ids of objects that a JSON response hands out: one pass, nothing kept but the ids.
//!
//! An id is a number or a short text whose member's name says so (`id`, `orderId`, `order_ids`, `uuid`, `slug`, `ref`,
//! …), an entry of an array of such a name, or the last segment of a link (`href`, `url`, `self`). Generous: an id that
//! was taken for one by mistake means that something is not told, never that something is.

/// Most ids taken from one response.
pub const MAX_ISSUED: usize = 1_000;
/// Longest response read for them, bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Longest id and member name, bytes.
const MAX_ID: usize = 64;
const MAX_NAME: usize = 32;
const MAX_DEPTH: usize = 32;

/// What a response says of the objects it hands out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issued<'a> {
    /// As they stand there.
    pub ids: Vec<&'a str>,
    /// Whether there may be more: the body goes on, in it or on another page.
    pub more: bool,
}

/// The ids in the start of a JSON body; `cut` says that it goes on. `names` are members that hold ids besides.
pub fn issued<'a>(body: &'a [u8], cut: bool, names: &[String]) -> Issued<'a> {
    let (start, longer) =
        body.split_at_checked(MAX_BYTES).map_or((body, false), |(start, rest)| (start, !rest.is_empty()));
    let mut found = Issued { ids: Vec::new(), more: cut || longer };
    let mut reader = Reader { bytes: start, at: 0 };
    // The member that each open array or object is the value of.
    let mut open: Vec<&str> = Vec::new();
    let mut name = "";
    loop {
        match reader.next() {
            Token::Open => {
                if open.len() >= MAX_DEPTH {
                    found.more = true;
                    return found;
                }
                open.push(name);
            }
            Token::Close => {
                open.pop();
                name = "";
            }
            Token::Name(of) => name = of,
            Token::Value(value) => {
                // Entries of an array belong to its member.
                let of = if name.is_empty() { open.last().copied().unwrap_or("") } else { name };
                if leads_on(of, value) {
                    found.more = true;
                }
                let id = if is_link(of) { last_segment(value) } else { value };
                let is_named = is_id(of) || is_link(of) || names.iter().any(|known| known == of);
                if is_named && (1..=MAX_ID).contains(&id.len()) {
                    if found.ids.len() >= MAX_ISSUED {
                        found.more = true;
                        return found;
                    }
                    found.ids.push(id);
                }
                name = "";
            }
            Token::Nothing => {}
            Token::End => return found,
            Token::Broken => {
                found.more = true;
                return found;
            }
        }
    }
}

fn is_id(name: &str) -> bool {
    const ENDS: [&str; 8] = ["id", "ids", "uuid", "guid", "slug", "ref", "number", "key"];
    // `paid` and `valid` end in `id`, too: the generous side.
    ENDS.iter().any(|end| name.len() >= end.len() && ends_with(name, end))
}

fn is_link(name: &str) -> bool {
    ["href", "url", "self", "link", "uri", "location"].iter().any(|end| ends_with(name, end))
}

fn ends_with(name: &str, end: &str) -> bool {
    name.len().checked_sub(end.len()).and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// Whether a member says that there is another page.
fn leads_on(name: &str, value: &str) -> bool {
    let starts = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("next"));
    let says = starts || ends_with(name, "has_more") || ends_with(name, "hasMore") || ends_with(name, "cursor");
    says && !matches!(value, "" | "false" | "null" | "0")
}

fn last_segment(link: &str) -> &str {
    let path = link.split(['?', '#']).next().unwrap_or("").trim_end_matches('/');
    path.rsplit('/').next().unwrap_or("")
}

/// A piece of JSON, as far as ids and values need it.
pub(super) enum Token<'a> {
    Open,
    Close,
    Name(&'a str),
    Value(&'a str),
    Nothing,
    End,
    Broken,
}

/// Reads JSON piece by piece.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn next(&mut self) -> Token<'a> {
        let Some(byte) = self.bytes.get(self.at).copied() else { return Token::End };
        match byte {
            b'{' | b'[' => self.step(Token::Open),
            b'}' | b']' => self.step(Token::Close),
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => self.step(Token::Nothing),
            b'"' => self.text(),
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or(&[]);
                let end =
                    rest.iter().position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b'"'));
                let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or(&[]);
                self.at += word.len().max(1);
                core::str::from_utf8(word).map_or(Token::Broken, Token::Value)
            }
        }
    }

    fn step(&mut self, token: Token<'a>) -> Token<'a> {
        self.at += 1;
        token
    }

    /// A text; one with an escape in it is no id and no name that is known.
    fn text(&mut self) -> Token<'a> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            match self.bytes.get(at) {
                None => return Token::Broken,
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        let text = self.bytes.get(start..at).and_then(|bytes| core::str::from_utf8(bytes).ok());
        let text = text.filter(|_| !escaped).unwrap_or("");
        let behind = self.bytes.get(self.at..).unwrap_or(&[]).iter().find(|b| !b.is_ascii_whitespace());
        if behind == Some(&b':') {
            return Token::Name(if text.len() <= MAX_NAME { text } else { "" });
        }
        Token::Value(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str) -> Vec<&str> {
        issued(body.as_bytes(), false, &[]).ids
    }

    #[test]
    fn ids_are_found_by_the_names_of_their_members() {
        let body = r#"{"items":[{"id":17,"total":99,"customerId":"c-1"},{"id":"18","name":"x"}],"order_ids":[1,2],
            "links":{"self":"https://a/api/orders/19?x=1"},"note":"a \"quoted\" id"}"#;
        assert_eq!(ids(body), ["17", "c-1", "18", "1", "2", "19"]);
        assert_eq!(issued(br#"{"nr":7}"#, false, &["nr".to_owned()]).ids, ["7"]);
        assert!(ids(r#"[1,2,3]"#).is_empty());
    }

    #[test]
    fn what_is_cut_broken_or_goes_on_elsewhere_is_known_to_be_incomplete() {
        assert!(!issued(br#"{"items":[{"id":1}],"next":null,"has_more":false}"#, false, &[]).more);
        for (body, cut) in [
            (r#"{"id":1}"#, true),
            (r#"{"id":"1"#, false),
            (r#"{"id":1,"next":"/orders?page=2"}"#, false),
            (r#"{"id":1,"hasMore":true}"#, false),
            (r#"{"id":1,"next_cursor":"x"}"#, false),
        ] {
            assert!(issued(body.as_bytes(), cut, &[]).more, "{body}");
        }
    }

    #[test]
    fn sizes_are_taken_up_to_their_limit() {
        let many = |n: usize| format!("{{\"ids\":[{}1]}}", "1,".repeat(n - 1));
        assert_eq!(
            (ids(&many(MAX_ISSUED)).len(), issued(many(MAX_ISSUED).as_bytes(), false, &[]).more),
            (MAX_ISSUED, false)
        );
        assert!(issued(many(MAX_ISSUED + 1).as_bytes(), false, &[]).more);
        let long = |n: usize| format!("{{\"id\":\"{}\"}}", "a".repeat(n));
        assert_eq!((ids(&long(MAX_ID)).len(), ids(&long(MAX_ID + 1)).len()), (1, 0));
        let whole = |n: usize| format!("{}{}", " ".repeat(n - 2), "{}");
        assert!(!issued(whole(MAX_BYTES).as_bytes(), false, &[]).more);
        assert!(issued(whole(MAX_BYTES + 1).as_bytes(), false, &[]).more);
        assert!(issued("[".repeat(MAX_DEPTH + 1).as_bytes(), false, &[]).more);
        assert!(!issued("[".repeat(MAX_DEPTH).as_bytes(), false, &[]).more);
    }
}
