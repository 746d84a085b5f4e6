//! The column of paths: what stands in a path where its template has `{…}`.
//!
//! Most ids in paths are integers and kept as such; UUIDs and hex digits take half their length. A path that is no
//! instance of its template (it was cut, or carries matrix parameters) is kept whole. Whatever the form, the path that
//! comes back is the one that went in.

use std::borrow::Cow;

use super::tables::{Endpoint, Interner, read_texts, write_texts};
use crate::inventory::path_of;
use crate::session::Event;
use crate::store::bytes::{Damaged, Reader, Writer};

/// Paths put together from template and values live in one string as long as a chunk's events are looked at. It never
/// grows beyond this, bytes: further paths of the chunk are kept whole, which needs no memory to read. 50,000 ordinary
/// paths are three megabytes.
const MAX_BUILT: usize = 8 * 1024 * 1024;

/// Where the first `{…}` segment at or behind `from` begins and ends.
fn placeholder(template: &str, mut from: usize) -> Option<(usize, usize)> {
    loop {
        let start = from + template.get(from..)?.find('{')?;
        let (before, segment) = template.split_at_checked(start)?;
        let len = segment.find('/').unwrap_or(segment.len());
        let is_whole = before.is_empty() || before.ends_with('/');
        if is_whole && segment.get(..len)?.ends_with('}') {
            return Some((start, start + len));
        }
        from = start + 1;
    }
}

/// What stands before, between and behind the `{…}` segments of a template; never nothing, but it may be empty.
fn literals(template: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(0);
    core::iter::from_fn(move || {
        let start = next?;
        let found = placeholder(template, start);
        next = found.map(|(_, end)| end);
        template.get(start..found.map_or(template.len(), |(at, _)| at))
    })
}

/// Finds what stands in `path` between the literals of its template; `false` where the two do not fit.
fn take_values<'p>(path: &'p str, template: &str, values: &mut Vec<&'p str>) -> bool {
    values.clear();
    let mut literals = literals(template);
    let Some(mut rest) = literals.next().and_then(|first| path.strip_prefix(first)) else { return false };
    for literal in literals {
        let end = rest.find('/').unwrap_or(rest.len());
        let Some((value, behind)) = rest.split_at_checked(end) else { return false };
        let Some(behind) = behind.strip_prefix(literal) else { return false };
        values.push(value);
        rest = behind;
    }
    rest.is_empty()
}

/// The number `text` is the plain decimal form of, if it has at most 18 digits: twice that fits a varint.
fn integer(text: &str) -> Option<u64> {
    let canonical = (1..=18).contains(&text.len())
        && text.bytes().all(|c| c.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

const UUID_LEN: usize = 36;

/// The bytes that pairs of lower-case hex digits stand for.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect()
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |four: u8| char::from(if four < 10 { b'0' + four } else { b'a' + four - 10 });
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Something other than an integer that stands in paths.
enum Value<'a> {
    Text(Cow<'a, str>),
    Uuid(Cow<'a, [u8]>),
    Hex(Cow<'a, [u8]>),
}

impl<'a> Value<'a> {
    fn of(text: &'a str) -> Self {
        let is_uuid = text.len() == UUID_LEN
            && text.bytes().enumerate().all(|(i, c)| (c == b'-') == matches!(i, 8 | 13 | 18 | 23));
        if is_uuid && let Some(bytes) = unhex(&text.replace('-', "")) {
            return Self::Uuid(bytes.into());
        }
        unhex(text).map_or(Self::Text(text.into()), |bytes| Self::Hex(bytes.into()))
    }

    /// The form is in the lowest two bits of the length.
    fn write(&self, out: &mut Writer) {
        let (form, bytes) = match self {
            Self::Text(text) => (0, text.as_bytes()),
            Self::Hex(bytes) => (1, &**bytes),
            Self::Uuid(bytes) => (2, &**bytes),
        };
        out.varint(((bytes.len() as u64) << 2) | form);
        out.raw(bytes);
    }

    fn read(from: &mut Reader<'a>) -> Result<Self, Damaged> {
        let head = from.varint()?;
        let bytes = from.raw(usize::try_from(head >> 2).map_err(|_| Damaged)?)?;
        Ok(match head & 3 {
            0 => Self::Text(core::str::from_utf8(bytes).map_err(|_| Damaged)?.into()),
            1 => Self::Hex(bytes.into()),
            2 if bytes.len() == 16 => Self::Uuid(bytes.into()),
            _ => return Err(Damaged),
        })
    }

    fn push_to(&self, path: &mut String) {
        match self {
            Self::Text(text) => path.push_str(text),
            Self::Hex(bytes) => push_hex(path, bytes),
            Self::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        path.push('-');
                    }
                    push_hex(path, core::slice::from_ref(byte));
                }
            }
        }
    }
}

/// Writes the column.
pub(super) fn write(out: &mut Writer, events: &[(u64, Event<'_>)]) {
    let (mut texts, mut whole) = (Interner::new(), Interner::new());
    let (mut stream, mut exceptions) = (Writer::default(), Writer::default());
    let (mut values, mut built, mut next) = (Vec::new(), 0, 0);
    for (index, (_, event)) in events.iter().enumerate() {
        let fits = take_values(event.path, path_of(event.template), &mut values);
        let size = if values.is_empty() { 0 } else { event.path.len() };
        if !fits || built + size > MAX_BUILT {
            exceptions.varint((index - next) as u64);
            exceptions.varint(whole.number(event.path).into());
            next = index + 1;
            continue;
        }
        built += size;
        for value in &values {
            // Even: the integer; odd: the number of a text.
            stream.varint(integer(value).map_or_else(|| (u64::from(texts.number(*value)) << 1) | 1, |n| n << 1));
        }
    }
    out.section(|out| write_texts(out, whole.entries()));
    out.section(|out| {
        out.varint(texts.entries().len() as u64);
        texts.entries().iter().for_each(|text| Value::of(text).write(out));
    });
    out.section(|out| out.raw(&exceptions.finish()));
    out.section(|out| out.raw(&stream.finish()));
}

/// The texts that stand in paths beside what templates say, numbers, UUIDs and hex digits.
pub(super) fn texts(bytes: &[u8]) -> Result<Vec<&str>, Damaged> {
    let mut from = Reader::new(bytes);
    let mut texts = read_texts(from.section()?)?;
    let mut table = from.section()?;
    for _ in 0..table.count()? {
        if let Value::Text(Cow::Borrowed(text)) = Value::read(&mut table)? {
            texts.push(text);
        }
    }
    Ok(texts)
}

/// A path as it is found again.
#[derive(Debug, Clone, Copy)]
enum Path<'a> {
    /// The template's own text.
    Template,
    Whole(&'a str),
    /// From here to there in what was put together.
    Built(usize, usize),
}

/// The paths of a chunk.
#[derive(Debug)]
pub(super) struct Paths<'a> {
    paths: Vec<Path<'a>>,
    built: String,
}

impl<'a> Paths<'a> {
    /// Reads the column; `numbers` are the events' endpoints in `endpoints`, checked.
    pub(super) fn read(bytes: &'a [u8], endpoints: &[Endpoint<'_>], numbers: &[u32]) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes);
        let whole = read_texts(from.section()?)?;
        let mut table = from.section()?;
        let texts = (0..table.count()?).map(|_| Value::read(&mut table)).collect::<Result<Vec<_>, _>>()?;
        table.end()?;
        let (mut exceptions, mut stream) = (from.section()?, from.section()?);
        from.end()?;

        let templates: Vec<_> =
            endpoints.iter().map(|e| path_of(e.template)).map(|t| (t, placeholder(t, 0).is_some())).collect();
        let mut paths = Vec::with_capacity(numbers.len());
        let mut built = String::new();
        let mut next_whole = next_exception(&mut exceptions)?;
        for number in numbers {
            if let Some((0, text)) = next_whole {
                paths.push(Path::Whole(whole.get(text).ok_or(Damaged)?));
                next_whole = next_exception(&mut exceptions)?;
                continue;
            }
            if let Some((gap, _)) = &mut next_whole {
                *gap -= 1;
            }
            let (template, has_values) = *templates.get(*number as usize).ok_or(Damaged)?;
            if !has_values {
                paths.push(Path::Template);
                continue;
            }
            let (start, mut literals) = (built.len(), literals(template));
            built.push_str(literals.next().unwrap_or(""));
            for literal in literals {
                let value = stream.varint()?;
                match texts.get((value >> 1) as usize) {
                    _ if value & 1 == 0 => push_integer(&mut built, value >> 1),
                    Some(text) => text.push_to(&mut built),
                    None => return Err(Damaged),
                }
                built.push_str(literal);
                if built.len() > MAX_BUILT {
                    return Err(Damaged);
                }
            }
            paths.push(Path::Built(start, built.len()));
        }
        stream.end()?;
        if next_whole.is_some() {
            return Err(Damaged);
        }
        Ok(Self { paths, built })
    }

    /// The path of the event at `index`, whose endpoint has this template.
    pub(super) fn get<'p>(&'p self, index: usize, template: &'p str) -> Option<&'p str> {
        match *self.paths.get(index)? {
            Path::Template => Some(path_of(template)),
            Path::Whole(path) => Some(path),
            Path::Built(start, end) => self.built.get(start..end),
        }
    }
}

/// How many events are passed over before the next path that is kept whole, and its number.
fn next_exception(from: &mut Reader<'_>) -> Result<Option<(u64, usize)>, Damaged> {
    if from.left() == 0 {
        return Ok(None);
    }
    Ok(Some((from.varint()?, from.varint32()? as usize)))
}

fn push_integer(text: &mut String, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        len += 1;
        if number == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(20 - len).map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_stands_in_the_braces() {
        let mut values = Vec::new();
        assert!(take_values("/a/1/b/x", "/a/{integer}/b/{hex}", &mut values));
        assert_eq!(values, ["1", "x"]);
        assert!(take_values("/1/2", "/{integer}/{integer}", &mut values));
        assert_eq!(values, ["1", "2"]);
        assert!(take_values("/", "/", &mut values) && values.is_empty());
        assert!(take_values("/{token}/…", "/{token}/{rest}", &mut values));
        for (path, template) in [
            ("/a/1/b", "/a/{integer}"),
            ("/b/1", "/a/{integer}"),
            ("/a", "/a/{integer}"),
            ("/a;v=1", "/a"),
            ("/a", "/ab"),
        ] {
            assert!(!take_values(path, template, &mut values), "{path} {template}");
        }
    }

    #[test]
    fn only_an_integer_with_one_form_is_kept_as_one() {
        for (text, expected) in
            [("0", Some(0)), ("10", Some(10)), ("999999999999999999", Some(999_999_999_999_999_999))]
        {
            assert_eq!(integer(text), expected);
        }
        for text in ["", "00", "01", "-1", "+1", "1000000000000000000", "1a", "١"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn values_of_every_form_come_back() {
        let uuid = "018f2f6e-7c1a-7cc0-9f5e-0123456789ab";
        let (shout, shifted) = (uuid.to_uppercase(), "018f2f6e7-c1a-7cc0-9f5e-0123456789ab");
        for text in [uuid, &shout, shifted, "507f1f77bcf86cd799439011", "ABCDEF12", "abc", "", "é{token}…"] {
            let mut out = Writer::default();
            Value::of(text).write(&mut out);
            let (bytes, mut read) = (out.finish(), String::new());
            Value::read(&mut Reader::new(&bytes)).unwrap().push_to(&mut read);
            assert_eq!(read, text);
        }
        for number in [0, 7, 10, 18_446_744_073_709_551_615] {
            let mut read = String::new();
            push_integer(&mut read, number);
            assert_eq!(read, number.to_string());
        }
    }
}
