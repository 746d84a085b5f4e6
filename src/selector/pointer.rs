//! JSON pointers (RFC 6901), with `*` for every item of an array.

/// Tokens of the longest pointer.
const MAX_TOKENS: usize = 16;
/// Bytes of the longest pointer as written.
const MAX_POINTER: usize = 512;

/// A way into a document: member names and array indices, from the root on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses what follows the `#` of a selector. An error is the byte that is wrong, and why.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        if !text.starts_with('/') {
            return Err((0, "a pointer starts with `/`"));
        }
        let (mut tokens, mut token) = (Vec::new(), String::new());
        let mut chars = text.char_indices().skip(1).peekable();
        if text.len() > MAX_POINTER {
            return Err((MAX_POINTER, "a pointer has at most 512 bytes"));
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '/' => {
                    tokens.push(core::mem::take(&mut token));
                    if tokens.len() == MAX_TOKENS {
                        return Err((at, "a pointer has at most 16 tokens"));
                    }
                }
                '~' => match chars.next() {
                    Some((_, '0')) => token.push('~'),
                    Some((_, '1')) => token.push('/'),
                    _ => return Err((at, "in a pointer `~` is written `~0` and `/` in a name `~1`")),
                },
                c if c.is_control() => return Err((at, "a pointer holds no control characters")),
                c => token.push(c),
            }
        }
        tokens.push(token);
        Ok(Self(tokens))
    }

    /// The pointer to one member of the root.
    pub(super) fn member(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }

    /// This pointer inside the member `name` of the root.
    pub(super) fn under(&self, name: &str) -> Self {
        Self(core::iter::once(name.to_owned()).chain(self.0.iter().cloned()).collect())
    }

    /// Names, indices and `*`, with escapes resolved.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_split_at_slashes_and_unescaped() {
        for (text, tokens) in [
            ("/a", vec!["a"]),
            ("/", vec![""]),
            ("/a/", vec!["a", ""]),
            ("/a~1b/~0/~01", vec!["a/b", "~", "~1"]),
            ("/items/*/0", vec!["items", "*", "0"]),
            ("/a.b/größe/x y/#", vec!["a.b", "größe", "x y", "#"]),
        ] {
            assert_eq!(Pointer::parse(text).unwrap().tokens(), tokens, "{text}");
        }
    }

    #[test]
    fn an_error_points_at_the_byte() {
        for (text, at) in [("", 0), ("a", 0), ("/a~", 2), ("/a~2", 2), ("/~~0", 1), ("/a\n", 2)] {
            assert_eq!(Pointer::parse(text).map_err(|(at, _)| at), Err(at), "{text:?}");
        }
    }

    #[test]
    fn limits_hold_at_and_one_past() {
        assert_eq!(Pointer::parse(&"/a".repeat(MAX_TOKENS)).unwrap().tokens().len(), MAX_TOKENS);
        let tokens = "/a".repeat(MAX_TOKENS + 1);
        assert_eq!(Pointer::parse(&tokens).map_err(|(at, _)| at), Err(2 * MAX_TOKENS));
        let longest = format!("/{}", "a".repeat(MAX_POINTER - 1));
        assert!(Pointer::parse(&longest).is_ok());
        assert_eq!(Pointer::parse(&(longest + "a")).map_err(|(at, _)| at), Err(MAX_POINTER));
    }
}
