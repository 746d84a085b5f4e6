//! A small JSON writer: members in the order they are written, and no text in it that a terminal, a log reader or a
//! program that splits lines would take for anything but text.

use core::fmt::Write;

/// JSON being written, one value after the other.
#[derive(Debug, Default)]
pub struct Json {
    out: String,
    /// Whether the next member or item follows another.
    follows: bool,
}

impl Json {
    /// What was written.
    pub fn take(&mut self) -> String {
        self.follows = false;
        core::mem::take(&mut self.out)
    }

    fn next(&mut self, name: &str) {
        if self.follows {
            self.out.push(',');
        }
        if !name.is_empty() {
            write_text(&mut self.out, name);
            self.out.push(':');
        }
        self.follows = true;
    }

    /// Opens an object; `name` is empty for an item of a list, or the whole.
    pub fn open(&mut self, name: &str) {
        self.next(name);
        self.out.push('{');
        self.follows = false;
    }

    /// Closes the object opened last.
    pub fn close(&mut self) {
        self.out.push('}');
        self.follows = true;
    }

    /// Opens a list.
    pub fn open_list(&mut self, name: &str) {
        self.next(name);
        self.out.push('[');
        self.follows = false;
    }

    /// Closes the list opened last.
    pub fn close_list(&mut self) {
        self.out.push(']');
        self.follows = true;
    }

    /// A text member.
    pub fn text(&mut self, name: &str, value: &str) {
        self.next(name);
        write_text(&mut self.out, value);
    }

    /// A text member, left out where there is none.
    pub fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A number.
    pub fn number(&mut self, name: &str, value: i64) {
        self.next(name);
        let _ = write!(self.out, "{value}");
    }

    /// A number, left out where there is none.
    pub fn maybe_number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(name, i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// A number with a fraction; what is no number is null.
    pub fn decimal(&mut self, name: &str, value: f64) {
        self.next(name);
        let _ = if value.is_finite() { write!(self.out, "{value}") } else { write!(self.out, "null") };
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &str, values: &[String]) {
        self.open_list(name);
        values.iter().for_each(|value| self.text("", value));
        self.close_list();
    }
}

/// A text in quotes.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_active(c) => escape(out, c),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Escapes what is active in JSON that another writer made: such characters only ever stand in its strings.
pub fn calmed(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_active(c) { escape(&mut out, c) } else { out.push(c) }
    }
    out
}

/// Control characters, line and paragraph separators, and what turns the direction of writing.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// All of these are in the basic plane: one escape is enough.
fn escape(out: &mut String, c: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}
