//! JSON read once, for those who look at all of it.

use super::scan::{Read, Scanner, Stop};

/// Bytes of the longest pointer that is told; below it names are left out.
const MAX_POINTER: usize = 512;

/// What stands at a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'i> {
    /// The name of a member; its value follows, with the same pointer.
    Name(&'i str),
    Text(&'i str),
    /// A number, `true`, `false` or `null`, as sent.
    Scalar(&'i str),
}

/// Tells every name, string and other scalar with its pointer (RFC 6901, `*` for the items of an array), which begins with
/// `base`. Values may follow each other, as in JSON Lines. Answers where reading stopped: the text's length where all of it was
/// read, else the beginning of what could not be: cut, too deep, or no JSON.
pub(crate) fn stream(text: &str, base: &str, see: &mut dyn FnMut(&str, Item<'_>)) -> usize {
    let scanner = Scanner { text, at: 0, depth: 0, cut: false };
    let mut stream = Stream { scanner, path: base.to_owned(), bases: Vec::new(), objects: 0, read: 0 };
    match stream.values(see) {
        Ok(()) => text.len(),
        Err(_) => stream.read,
    }
}

struct Stream<'t> {
    scanner: Scanner<'t>,
    path: String,
    /// For every open object or array, the length of the pointer its members or items go on from.
    bases: Vec<usize>,
    /// Bit n: whether the nth of them, from the innermost, is an object.
    objects: u128,
    /// What was read for sure.
    read: usize,
}

impl Stream<'_> {
    fn values(&mut self, see: &mut dyn FnMut(&str, Item<'_>)) -> Read {
        self.scanner.space();
        while self.scanner.at < self.scanner.text.len() {
            self.value(see)?;
            self.scanner.space();
        }
        Ok(())
    }

    /// One value with all that is in it, without recursion.
    fn value(&mut self, see: &mut dyn FnMut(&str, Item<'_>)) -> Read {
        loop {
            self.read = self.scanner.at;
            let start = self.scanner.at;
            let mut before_value = false;
            match self.scanner.peek()? {
                b'"' => see(&self.path, Item::Text(&self.scanner.string()?.decode().0)),
                open @ (b'{' | b'[') => {
                    self.scanner.enter()?;
                    self.objects = self.objects << 1 | u128::from(open == b'{');
                    self.scanner.space();
                    before_value = !matches!(self.scanner.peek()?, b'}' | b']');
                    if open == b'[' {
                        self.path.push_str("/*");
                    }
                    self.bases.push(self.path.len());
                    if before_value && open == b'{' {
                        self.name(see)?;
                    }
                }
                other => {
                    match other {
                        b'-' | b'0'..=b'9' => drop(self.scanner.number()?),
                        b't' => self.scanner.literal("true")?,
                        b'f' => self.scanner.literal("false")?,
                        b'n' => self.scanner.literal("null")?,
                        _ => return Err(Stop::Fault),
                    }
                    let text = self.scanner.text.get(start..self.scanner.at).unwrap_or_default();
                    see(&self.path, Item::Scalar(text));
                }
            }
            while !before_value && !self.bases.is_empty() {
                self.scanner.space();
                let object = self.objects & 1 == 1;
                self.read = self.scanner.at;
                match self.scanner.next()? {
                    b',' => {
                        self.path.truncate(self.bases.last().copied().unwrap_or_default());
                        self.scanner.space();
                        if object {
                            self.name(see)?;
                        }
                        before_value = true;
                    }
                    close if close == if object { b'}' } else { b']' } => {
                        self.objects >>= 1;
                        self.scanner.depth -= 1;
                        let base = self.bases.pop().unwrap_or_default();
                        self.path.truncate(if object { base } else { base - 2 });
                    }
                    _ => return Err(Stop::Fault),
                }
            }
            if self.bases.is_empty() {
                return Ok(());
            }
        }
    }

    fn name(&mut self, see: &mut dyn FnMut(&str, Item<'_>)) -> Read {
        self.read = self.scanner.at;
        let name = self.scanner.name()?.decode().0;
        if self.path.len() + name.len() < MAX_POINTER {
            self.path.push('/');
            for c in name.chars() {
                match c {
                    '~' => self.path.push_str("~0"),
                    '/' => self.path.push_str("~1"),
                    c => self.path.push(c),
                }
            }
        }
        see(&self.path, Item::Name(&name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (Vec<String>, usize) {
        let mut told = Vec::new();
        let read = stream(text, "", &mut |pointer, item| {
            told.push(match item {
                Item::Name(name) => format!("{pointer} name {name}"),
                Item::Text(text) => format!("{pointer} text {text}"),
                Item::Scalar(text) => format!("{pointer} {text}"),
            });
        });
        (told, read)
    }

    #[test]
    fn names_strings_and_scalars_are_told_with_their_pointers() {
        let text = r#"{"a":"x\u0027","b":[1,"y",{"c~/":null},[],["z"],{}],"d":{"e":true},"f":-1.5e3}"#;
        let expected = [
            "/a name a",
            "/a text x'",
            "/b name b",
            "/b/* 1",
            "/b/* text y",
            "/b/*/c~0~1 name c~/",
            "/b/*/c~0~1 null",
            "/b/*/* text z",
            "/d name d",
            "/d/e name e",
            "/d/e true",
            "/f name f",
            "/f -1.5e3",
        ];
        assert_eq!(told(text), (expected.map(str::to_owned).into(), text.len()));
    }

    #[test]
    fn values_may_follow_each_other() {
        assert_eq!(told("{\"a\":\"1\"}\n{\"a\":\"2\"}\n").0, ["/a name a", "/a text 1", "/a name a", "/a text 2"]);
        assert_eq!(told("\"x\"").0, [" text x"]);
        assert_eq!(told("  "), (vec![], 2));
    }

    #[test]
    fn reading_stops_where_the_text_is_cut_or_no_json() {
        for (text, stop) in [
            ("{\"a\":\"cut", 5),
            ("{\"a\":\"b\" oops}", 9),
            ("{\"a\":'b'}", 5),
            ("{'a':1}", 1),
            ("{\"a\":1,}", 7),
            ("[1,2", 4),
            ("{{x}}", 1),
            ("oops", 0),
        ] {
            assert_eq!(told(text).1, stop, "{text}");
        }
    }

    #[test]
    fn depth_and_pointers_are_bounded() {
        let deep = |n: usize| "[".repeat(n) + "\"x\"" + &"]".repeat(n);
        assert_eq!(told(&deep(128)), (vec![format!("{} text x", "/*".repeat(128))], 2 * 128 + 3));
        assert_eq!(told(&deep(129)).1, 128);
        let long = "n".repeat(600);
        assert_eq!(told(&format!("{{\"{long}\":{{\"a\":\"x\"}}}}")).0[1], "/a name a");
    }
}
