//! Shell text (sh, bash, cmd.exe): where commands begin, and what they are called once quoting is undone.

use core::ops::Range;

use super::known;
use crate::inspect::classes::system::{begins, from, part};

/// What stands before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: the text begins with it.
    Start,
    /// `;`, `|`, `&` or the end of a line.
    One,
    /// `||` or `&&`.
    Two,
    /// `$(`, `<(` or `>(`.
    Substitution,
    Backtick,
}

/// A command as the shell would run it.
pub(super) struct Command<'a> {
    pub before: Before,
    /// From the separator on, to the end of the arguments.
    pub at: Range<usize>,
    /// What follows the name, up to the next separator.
    pub arguments: &'a [u8],
    /// The name is written so that a filter overlooks it.
    pub is_hidden: bool,
    /// The name stands behind `/bin/` or the like.
    pub is_program_path: bool,
    /// A pipe leads into it.
    pub is_piped: bool,
    has_path: bool,
    name: [u8; LONGEST_NAME],
    length: usize,
}

const LONGEST_NAME: usize = 20;
/// How much is read of a name as written, of an assignment before it, and of its arguments, bytes.
const LONGEST_WORD: usize = 96;
const LONGEST_ARGUMENTS: usize = 512;
/// How many blanks are skipped in front of a name: the end of a line further on is looked at as a separator of its own.
const MOST_BLANKS: usize = 64;

impl Command<'_> {
    pub(super) fn name(&self) -> &[u8] {
        let name = part(&self.name, 0..self.length);
        match name.len().checked_sub(4) {
            Some(stem) if begins(from(name, stem), b".exe") => part(name, 0..stem),
            _ => name,
        }
    }

    /// Whether the name is a pattern that the shell fills in: `/???/c?t`.
    pub(super) fn is_pattern(&self) -> bool {
        let name = self.name();
        let open = name.iter().filter(|byte| matches!(byte, b'?' | b'*')).count();
        self.has_path
            && open > 0
            && name.len() > 1
            && name.len() <= 8
            && name.iter().all(|b| b.is_ascii_lowercase() || b"?*".contains(b))
    }
}

/// Calls `each` with every place where a shell would begin a command.
pub(super) fn commands(text: &[u8], each: &mut dyn FnMut(&Command<'_>)) {
    let mut in_backticks = false;
    let mut at = 0;
    let mut tell = |before, start: usize, behind: usize, is_piped| {
        if let Some(command) = command(text, before, start, behind, is_piped) {
            each(&command);
        }
    };
    tell(Before::Start, 0, 0, false);
    while at < text.len() {
        let mut length = 1;
        match from(text, at) {
            [b'|', b'|', ..] | [b'&', b'&', ..] => {
                length = 2;
                tell(Before::Two, at, at + 2, false);
            }
            [b';', ..] if ends_entity(text, at) => {}
            [b'&', ..] if begins_entity(from(text, at)) => {}
            [b';' | b'&' | b'\n' | b'\r', ..] => tell(Before::One, at, at + 1, false),
            [b'|', ..] => tell(Before::One, at, at + 1, true),
            [b'$' | b'<' | b'>', b'(', ..] => {
                length = 2;
                tell(Before::Substitution, at, at + 2, false);
            }
            [b'`', ..] => {
                in_backticks = !in_backticks;
                if in_backticks && from(text, at + 1).iter().take(LONGEST_ARGUMENTS).any(|byte| *byte == b'`') {
                    tell(Before::Backtick, at, at + 1, false);
                }
            }
            _ => {}
        }
        at += length;
    }
}

/// `&amp;` and the like, read from the `&`.
fn begins_entity(rest: &[u8]) -> bool {
    let letters =
        from(rest, 1).iter().take(9).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#').count();
    letters >= 2 && rest.get(letters + 1) == Some(&b';')
}

fn ends_entity(text: &[u8], at: usize) -> bool {
    let letters = part(text, 0..at)
        .iter()
        .rev()
        .take(9)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#')
        .count();
    letters >= 2 && at.checked_sub(letters + 1).and_then(|start| text.get(start)) == Some(&b'&')
}

/// White space, also as `${IFS}`; groups and quotes that stand before a command.
fn blanks(text: &[u8], mut at: usize) -> usize {
    for _ in 0..MOST_BLANKS {
        at += match from(text, at) {
            [b' ' | b'\t' | b'(' | b'{' | b'!' | b'\n' | b'\r', ..] | [b'@', b'^', ..] => 1,
            rest => match ifs(rest) {
                0 => return at,
                length => length,
            },
        };
    }
    at
}

/// Length of `${IFS}` or `$IFS$9` at the start of the text.
pub(super) fn ifs(rest: &[u8]) -> usize {
    if rest.starts_with(b"${IFS") {
        return rest.iter().take(24).position(|byte| *byte == b'}').map_or(0, |end| end + 1);
    }
    match rest.strip_prefix(b"$IFS") {
        Some([b'$', b'0'..=b'9' | b'@' | b'*', ..]) => 6,
        Some(_) => 4,
        None => 0,
    }
}

fn command<'a>(text: &'a [u8], before: Before, start: usize, behind: usize, is_piped: bool) -> Option<Command<'a>> {
    let mut at = blanks(text, behind);
    let is_brace = before != Before::Substitution && part(text, behind..at).contains(&b'{');
    let mut command = Command {
        before,
        at: start..at,
        arguments: &[],
        is_hidden: false,
        is_program_path: false,
        is_piped,
        has_path: false,
        name: [0; LONGEST_NAME],
        length: 0,
    };
    let last = at + LONGEST_WORD;
    while at < text.len().min(last) {
        let rest = from(text, at);
        let next = rest.get(1).copied().unwrap_or(0);
        let is_inside = command.length > 0 || next.is_ascii_alphanumeric();
        let skipped = match rest {
            [b'\'' | b'"', b'\'' | b'"', ..]
                if command.length > 0 || rest.get(2).is_some_and(u8::is_ascii_alphanumeric) =>
            {
                2
            }
            [b'\'' | b'"' | b'^', ..] if next.is_ascii_alphanumeric() => 1,
            [b'\'' | b'"', ..] if command.is_hidden => 1,
            // A quote that was opened before the name and is closed behind it hides nothing.
            [b'\'' | b'"', ..] => break,
            [b'\\', b'a'..=b'z' | b'A'..=b'Z', ..] if command.name().ends_with(b":") || command.has_path => {
                command.length = 0;
                command.has_path = true;
                at += 1;
                continue;
            }
            [b'\\', b'a'..=b'z' | b'A'..=b'Z' | b'\n', ..] => 1,
            [b'$', b'@' | b'*' | b'0'..=b'9' | b'!', ..] if is_inside => 2,
            [b'$', b'(', b')', ..] => 3,
            [b'`', b'`', ..] => 2,
            [b'/', ..] => {
                let directory = command.name();
                command.is_program_path |=
                    ["bin", "sbin", "system32"].iter().any(|name| directory.eq_ignore_ascii_case(name.as_bytes()));
                (command.length, command.has_path) = (0, true);
                at += 1;
                continue;
            }
            [b'=', ..] if command.length > 0 && !command.has_path => {
                // `a=b command`: the command comes behind the assignment.
                let value = rest.iter().position(|byte| matches!(byte, b' ' | b';' | b'&' | b'|' | b'\n'))?;
                if rest.get(value) != Some(&b' ') {
                    return None;
                }
                (command.length, command.is_hidden) = (0, false);
                at += value + 1;
                continue;
            }
            [byte, ..] if byte.is_ascii_alphanumeric() || b"_-.?*:".contains(byte) => {
                if let Some(place) = command.name.get_mut(command.length) {
                    *place = *byte;
                    command.length += 1;
                } else {
                    return None;
                }
                at += 1;
                continue;
            }
            _ => break,
        };
        // Quotes around a whole name are no trick; anything inside it is.
        command.is_hidden |= command.length > 0 && next != 0 || !matches!(rest, [b'\'' | b'"', ..]);
        at += skipped;
    }
    if command.length == 0 || known::program(command.name()).is_none() && !command.is_pattern() {
        return None;
    }
    let rest = from(text, at);
    let is_list = is_brace && matches!(rest, [b',', next, ..] if *next != b' ');
    let is_word = is_list
        || rest.first().is_none_or(|byte| b" \t\r\n;|&<>()`'\"#}%,".contains(byte))
        || ifs(rest) > 0
        || rest.first() == Some(&b'$');
    // `name, other` is prose, and `;name=` a parameter.
    if !is_word || rest.first() == Some(&b',') && !is_list {
        return None;
    }
    command.is_hidden |= is_list || ifs(rest) > 0;
    let mut end = at;
    let mut is_open = 0_u32;
    for byte in rest.iter().take(LONGEST_ARGUMENTS) {
        match byte {
            b'(' => is_open += 1,
            b')' if is_open > 0 => is_open -= 1,
            b')' | b';' | b'|' | b'\n' | b'\r' => break,
            b'&' if part(text, end..end + 2) != b"&>" && text.get(end.wrapping_sub(1)) != Some(&b'>') => break,
            b'`' if before == Before::Backtick => break,
            _ => {}
        }
        end += 1;
    }
    command.at.end = end;
    let arguments = part(text, at..end);
    command.arguments = from(arguments, ifs(arguments).max(usize::from(is_list)));
    // What closes a quote or begins a comment is no argument.
    let given = command.arguments.trim_ascii();
    if given.first() == Some(&b'#') || !given.iter().any(|byte| byte.is_ascii_alphanumeric() || b"$*~/.".contains(byte))
    {
        command.arguments = &[];
    }
    Some(command)
}
