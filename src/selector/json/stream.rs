//! JSON read once, for those who look at all of it.

use super::scan::{Read, Scanner, Stop};
use super::string::Text;

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

/// Who looks at all of a document.
pub(crate) trait Visitor {
    /// Whether there is nothing in it, wherever it stands: most of a document is like that, and where it stands is not put together
    /// for it.
    fn passes(&mut self, item: Item<'_>) -> bool;
    /// Takes in what did not pass, with its pointer (RFC 6901, `*` for the items of an array).
    fn see(&mut self, pointer: &str, item: Item<'_>);
}

struct Everything<'v>(&'v mut dyn FnMut(&str, Item<'_>));

impl Visitor for Everything<'_> {
    fn passes(&mut self, _: Item<'_>) -> bool {
        false
    }

    fn see(&mut self, pointer: &str, item: Item<'_>) {
        (self.0)(pointer, item);
    }
}

/// Tells every name, string and other scalar with its pointer, which begins with `base`. Values may follow each other, as in JSON
/// Lines. Answers where reading stopped: the text's length where all of it was read, else the beginning of what could not be: cut,
/// too deep, or no JSON.
pub(crate) fn stream(text: &str, base: &str, see: &mut dyn FnMut(&str, Item<'_>)) -> usize {
    visit(text, base, &mut Everything(see))
}

/// The same for those who pass over most of it.
pub(crate) fn visit(text: &str, base: &str, visitor: &mut dyn Visitor) -> usize {
    let scanner = Scanner { text, at: 0, depth: 0, cut: false };
    let (path, steps) = (base.to_owned(), Vec::new());
    let mut stream = Stream { scanner, visitor, path, steps, built: 0, read: 0 };
    match stream.values() {
        Ok(()) => text.len(),
        Err(_) => stream.read,
    }
}

struct Stream<'t, 'v> {
    scanner: Scanner<'t>,
    visitor: &'v mut dyn Visitor,
    /// The pointer, down to where it was wanted last.
    path: String,
    /// Every open object or array.
    steps: Vec<Step<'t>>,
    /// How many of them are in `path`.
    built: usize,
    /// What was read for sure.
    read: usize,
}

struct Step<'t> {
    /// What the last member of an object is called; `None` for an array.
    name: Option<Text<'t>>,
    /// Length of the pointer without this step, where it is in `path`.
    base: usize,
}

impl<'t> Stream<'t, '_> {
    fn values(&mut self) -> Read {
        self.scanner.space();
        while self.scanner.at < self.scanner.text.len() {
            self.value()?;
            self.scanner.space();
        }
        Ok(())
    }

    /// One value with all that is in it, without recursion.
    fn value(&mut self) -> Read {
        loop {
            self.read = self.scanner.at;
            let start = self.scanner.at;
            let mut before_value = false;
            match self.scanner.peek()? {
                b'"' => {
                    let text = self.scanner.string()?.decode().0;
                    self.tell(Item::Text(&text));
                }
                open @ (b'{' | b'[') => {
                    self.scanner.enter()?;
                    let is_object = open == b'{';
                    self.steps.push(Step { name: is_object.then_some(Text::EMPTY), base: 0 });
                    self.scanner.space();
                    before_value = !matches!(self.scanner.peek()?, b'}' | b']');
                    if before_value && is_object {
                        self.name()?;
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
                    self.tell(Item::Scalar(text));
                }
            }
            while !before_value && let Some(step) = self.steps.last() {
                let is_object = step.name.is_some();
                self.scanner.space();
                self.read = self.scanner.at;
                match self.scanner.next()? {
                    b',' => {
                        self.scanner.space();
                        if is_object {
                            self.name()?;
                        }
                        before_value = true;
                    }
                    close if close == if is_object { b'}' } else { b']' } => {
                        self.scanner.depth -= 1;
                        self.step_back();
                        self.steps.pop();
                    }
                    _ => return Err(Stop::Fault),
                }
            }
            if self.steps.is_empty() {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Read {
        self.read = self.scanner.at;
        let name = self.scanner.name()?;
        self.step_back();
        if let Some(step) = self.steps.last_mut() {
            step.name = Some(name);
        }
        self.tell(Item::Name(&name.decode().0));
        Ok(())
    }

    /// Takes the innermost step out of the pointer.
    fn step_back(&mut self) {
        if self.built == self.steps.len()
            && let Some(step) = self.steps.last()
        {
            self.path.truncate(step.base);
            self.built -= 1;
        }
    }

    fn tell(&mut self, item: Item<'_>) {
        if self.visitor.passes(item) {
            return;
        }
        for step in self.steps.iter_mut().skip(self.built) {
            step.base = self.path.len();
            let Some(name) = step.name else {
                self.path.push_str("/*");
                continue;
            };
            let name = name.decode().0;
            if self.path.len() + name.len() < MAX_POINTER {
                self.path.push('/');
                if name.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
                    self.path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                } else {
                    self.path.push_str(&name);
                }
            }
        }
        self.built = self.steps.len();
        self.visitor.see(&self.path, item);
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
    fn what_passes_changes_no_pointer() {
        struct Odd(usize, Vec<String>);
        impl Visitor for Odd {
            fn passes(&mut self, _: Item<'_>) -> bool {
                self.0 += 1;
                !self.0.is_multiple_of(3)
            }
            fn see(&mut self, pointer: &str, item: Item<'_>) {
                self.1.push(format!("{pointer} {item:?}"));
            }
        }
        let text = r#"{"a":{"b":[1,[2,{"c":3,"d":[]}],"x"],"e":{}},"f":[{"g":"h"},{"g":"i"}],"j":"k"} {"l":{"m":[0]}}"#;
        let mut all = Vec::new();
        stream(text, "", &mut |pointer, item| all.push(format!("{pointer} {item:?}")));
        for first in 0..3 {
            let mut odd = Odd(first, Vec::new());
            assert_eq!(visit(text, "", &mut odd), text.len());
            let told = all.iter().skip(2 - first).step_by(3);
            assert_eq!(odd.1, told.cloned().collect::<Vec<_>>());
        }
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
