//! Tables of texts: `attack` or `benign`, part, name, and the text with `\n \r \t \0 \\ \xNN` escapes.

use throughline::inspect::{Attack, Class, Layers, Part, Place, Reading, Scan, Sign};

pub struct Line {
    pub is_attack: bool,
    pub part: Part,
    pub name: String,
    pub shown: String,
    text: Vec<u8>,
}

impl Line {
    /// What the class says of it, if it looks at all.
    pub fn judge(&self, class: &Class) -> Option<Sign> {
        let place = Place { part: self.part, name: &self.name };
        let scan = scan(&self.text, class);
        let reading = Reading { place, text: &self.text, layers: Layers::default(), scan };
        let sign = if (class.may_be)(scan, place) { (class.judge)(&reading) } else { None };
        if let Some(sign) = &sign {
            assert!(sign.at.start < sign.at.end && sign.at.end <= self.text.len(), "{}: {sign:?}", self.shown);
        }
        sign
    }
}

/// The lines of `tests/corpus/texts/{table}.tsv`.
pub fn read(table: &str) -> Vec<Line> {
    let path = format!("{}/tests/corpus/texts/{table}.tsv", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with("##")).map(line).collect()
}

fn line(line: &str) -> Line {
    let mut cells = line.splitn(4, '\t');
    let mut next = || cells.next().unwrap_or_else(|| panic!("four columns: {line}"));
    let (label, part, name, text) = (next(), next(), next(), next());
    let is_attack = match label {
        "attack" => true,
        "benign" => false,
        _ => panic!("attack or benign: {line}"),
    };
    Line { is_attack, part: part_of(part), name: name.to_owned(), shown: text.to_owned(), text: unescape(text) }
}

fn part_of(name: &str) -> Part {
    use Part::{
        Cookie, CookieName, Form, FormName, GraphqlArgument, Header, Json, JsonName, Path, Query, QueryName, Raw, Xml,
    };
    let all =
        [Path, QueryName, Query, Header, CookieName, Cookie, JsonName, Json, FormName, Form, Xml, GraphqlArgument, Raw];
    all.into_iter().find(|part| format!("{part:?}") == name).unwrap_or_else(|| panic!("a part: {name}"))
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match (byte, byte == b'\\') {
            (byte, false) => byte,
            _ => match bytes.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
        });
    }
    out
}

/// What a scan would tell, slowly.
fn scan(text: &[u8], class: &Class) -> Scan {
    let mut scan = Scan::default();
    for byte in text {
        if *byte < 128 {
            scan.ascii |= 1 << byte;
        } else {
            scan.high = true;
        }
    }
    let lower = text.to_ascii_lowercase();
    let has = |word: &&str| {
        lower.windows(word.len()).enumerate().any(|(at, window)| {
            let open = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphanumeric);
            window == word.as_bytes()
                && open(at.checked_sub(1).and_then(|at| lower.get(at)))
                && open(lower.get(at + word.len()))
        })
    };
    if class.words.iter().any(has) {
        scan.words |= 1 << (class.attack as u32);
    }
    let _: Attack = class.attack;
    scan
}
