//! Command injection: text that a shell would take for the end of what it was given and the beginning of a command, and text that
//! a language would run. `shell` knows where commands begin, `known` what they are, `code` the languages.

mod code;
mod known;
mod shell;

use core::ops::Range;

use super::names::is_name;
use super::system::{
    Best, CODE, PROSE_WORDS, SECRET, begins, from, high, is_document, is_named, is_one_of, is_searched, is_spoken_of,
    part, words,
};
use crate::inspect::{Attack, Class, Part, Place, Reading, Scan, Sign};
use shell::{Before, Command};

/// Names of parameters that are handed to a shell.
const RUN: &[&str] = &["cmd", "exec", "command", "execute", "shell", "system", "run", "cli"];
/// Names under which jobs of builds stand.
const JOBS: &[&str] = &[
    "steps",
    "build",
    "test",
    "start",
    "entrypoint",
    "healthcheck",
    "args",
    "cron",
    "schedule",
    "task",
    "install",
    "job",
];
/// Shell commands and calls of languages that run them.
pub static COMMAND_INJECTION: Class =
    Class { attack: Attack::CommandInjection, words: &WORDS, chars: b"$;|&`\n~", may_be, judge };

const WORD_COUNT: usize = known::PROGRAMS.len() + code::WORDS.len();

/// The programs' names and the words of code in one list.
#[allow(clippy::indexing_slicing, reason = "the compiler works it out, and says so where it is wrong")]
static WORDS: [&str; WORD_COUNT] = {
    let mut words = [""; WORD_COUNT];
    let mut at = 0;
    while at < WORD_COUNT {
        let programs = known::PROGRAMS.len();
        words[at] = if at < programs { known::PROGRAMS[at].0 } else { code::WORDS[at - programs] };
        at += 1;
    }
    words
};

fn may_be(scan: Scan, place: Place<'_>) -> bool {
    let has_word = scan.word(Attack::CommandInjection);
    has_word && (scan.any(b";|&`$\n\r<>(/{") || !is_name(place.part) && is_named(place, RUN))
        // Names that are hidden from a search for words.
        || scan.any(b"$") && scan.any(b"{('@") && scan.any(b"IiHhPpSs'@")
        || scan.any(b";|&`\n") && scan.any(b"'\"\\^?*`")
        || scan.all(b"$=") && scan.any(b";&")
        || scan.all(b"(){}") && scan.any(b";|")
        || scan.all(b"%:~")
}

/// Words among a command's arguments that make a sentence of it.
const SENTENCE: usize = 4;

/// The text as a whole, looked at once.
struct Whole<'a> {
    place: Place<'a>,
    text: &'a [u8],
    words: usize,
    is_document: bool,
    /// A job of a build or a timer, which is a list of commands by nature.
    is_job: bool,
    /// The text is a command line from its first word on: nothing was ended to begin one.
    is_line: bool,
}

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let mut best = Best::default();
    let mut whole = None;
    // What says that it is a program in PHP ends its statements as shells do.
    let is_program = text.starts_with(b"<?");
    shell::commands(if is_program { b"" } else { text }, &mut |command| {
        let weight = known::weight(command);
        if weight == 0 {
            return;
        }
        let whole = whole.get_or_insert_with(|| Whole {
            place: reading.place,
            text,
            words: words(text, usize::MAX),
            is_document: is_document(text),
            is_job: is_job(reading),
            is_line: is_line(text),
        });
        if let Some(confidence) = weigh(whole, command, weight) {
            best.take(high(confidence, command.at.clone(), "runs a shell command"));
        }
    });
    for sign in [only_a_shell(text), code::judge(reading)].into_iter().flatten() {
        best.take(sign);
    }
    let mut sign = best.0?;
    let is_code = matches!(reading.place.part, Part::Json | Part::GraphqlArgument) && is_named(reading.place, CODE);
    if is_code || is_document(text) || reading.place.part == Part::File {
        sign.confidence = sign.confidence.min(if sign.what == code::WEB_SHELL { 90 } else { 60 });
    }
    if sign.confidence >= 90 {
        sign.severity = crate::session::Severity::Critical;
    }
    Some(sign)
}

fn weigh(whole: &Whole<'_>, command: &Command<'_>, weight: u8) -> Option<u8> {
    let (text, place) = (whole.text, whole.place);
    let inside = words(part(text, command.at.clone()), usize::MAX);
    let is_prose = whole.is_document || whole.words.saturating_sub(inside) >= PROSE_WORDS;
    if command.before == Before::Start {
        let is_json = matches!(place.part, Part::Json | Part::GraphqlArgument);
        return match weight {
            _ if is_prose => None,
            // A sentence that begins with a command: `awk '{print}' /etc/passwd is the classic example`.
            _ if words(command.arguments, SENTENCE) >= SENTENCE => Some(55),
            // A script that is run by its interpreter tells nothing, somebody's question neither.
            3 if is_json && is_named(place, RUN) && !is_telling_file(command) => Some(60),
            _ if is_searched(place) && !is_about_accounts(command) => Some(60),
            2 if !is_json && is_download(command) => Some(82),
            3 if is_named(place, RUN) => Some(84),
            1 | 2 if is_named(place, RUN) => Some(if is_json { 55 } else { 82 }),
            3 if command.is_hidden && is_telling(command) => Some(84),
            // In a member of a document, a command line is as likely a setting or somebody's words about one.
            3 if is_given(command) && is_telling(command) => Some(if is_json { 60 } else { 84 }),
            3 => Some(60),
            2 => Some(40),
            _ => None,
        };
    }
    let behind = from(text, command.at.end);
    let is_harmless = place.part == Part::Form && !known::is_about_system(command.arguments);
    if whole.is_line && !is_named(place, RUN) && (is_told(place) || is_searched(place) || is_harmless) {
        return Some(60);
    }
    if is_in_quotes(text, command) || is_filter(text, command) {
        return Some(60);
    }
    if is_prose {
        let ends_text = behind.iter().all(|byte| !byte.is_ascii_alphanumeric());
        let is_set_off = command.before != Before::Backtick;
        let is_sure = weight == 3 && ends_text && is_set_off && is_telling(command) && !whole.is_document;
        return Some(if is_sure { 82 } else { 50 });
    }
    // Markdown sets commands in backticks, in the middle of words.
    if command.before == Before::Backtick && weight < 3 && (whole.words > inside || is_inline(text, &command.at)) {
        return Some(50);
    }
    // A list of commands begins with one, and not with a value that is ended.
    let value = part(text, 0..command.at.start.min(LINE));
    let is_value = !value.contains(&b' ') && (value.contains(&b'.') || value.first().is_some_and(u8::is_ascii_digit));
    let is_ending = is_value || matches!(text.first(), Some(b';' | b'|' | b'&' | b'$' | b'`' | b'\n'));
    if weight == 2 && whole.is_job && !is_ending {
        return Some(60);
    }
    if weight >= 2 {
        return Some(if weight == 3 { 92 } else { 86 });
    }
    if !command.arguments.is_empty() {
        return None;
    }
    if is_named(place, SECRET) {
        return Some(45);
    }
    let confidence = match command.before {
        // `$(id).hide()` is jQuery.
        Before::Substitution
            if matches!(behind, [b')', b'.', ..]) && behind.iter().take(40).any(|byte| *byte == b'(') =>
        {
            20
        }
        Before::Substitution => 86,
        Before::Backtick => 84,
        Before::One | Before::Two => beside(text, command),
        Before::Start => return None,
    };
    Some(confidence)
}

/// Whether the text begins as a command line does: with a prompt, or with a program and what it is given.
fn is_line(text: &[u8]) -> bool {
    if let [b'$' | b'#' | b'%' | b'>', b' ', letter, ..] = text {
        return letter.is_ascii_alphabetic();
    }
    let end = text.iter().take(64).position(|byte| !(byte.is_ascii_alphanumeric() || b"/._-".contains(byte)));
    let Some(end) = end.filter(|end| text.get(*end) == Some(&b' ')) else { return false };
    let word = part(text, 0..end);
    let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
    let given = part(text, end + 1..end + 3);
    let is_option = matches!(given, [b'-', letter, ..] if letter.is_ascii_alphabetic() || *letter == b'-');
    known::program(name).is_some() && !matches!(given, [b';' | b'|' | b'&', ..]) || is_option
        // `kubectl get pods -n prod`
        || name.iter().all(u8::is_ascii_lowercase) && from(text, end).iter().take(48).collect::<Vec<_>>().windows(3).any(|three| {
            matches!(three, [b' ', b'-', letter] if letter.is_ascii_alphabetic())
        })
}

/// Places in which people and programs put down whole command lines: members of documents and files.
fn is_told(place: Place<'_>) -> bool {
    matches!(place.part, Part::Json | Part::GraphqlArgument | Part::Xml | Part::XmlDocument | Part::File | Part::Raw)
}

/// How much of a line around a command is looked at, bytes.
const LINE: usize = 512;

/// Whether the separator stands inside a quoted argument that is closed behind it: `sh -c 'a; b' x`.
fn is_in_quotes(text: &[u8], command: &Command<'_>) -> bool {
    if !matches!(command.before, Before::One | Before::Two) {
        return false;
    }
    // A command line is no longer than that.
    let start = command.at.start.saturating_sub(LINE);
    let before = part(text, start..command.at.start);
    [b'\'', b'"'].into_iter().any(|quote| {
        let Some(open) = before.iter().rposition(|byte| *byte == quote) else { return false };
        let ahead = open.checked_sub(1).and_then(|at| before.get(at));
        let is_odd = before.iter().filter(|byte| **byte == quote).count() % 2 == 1;
        is_odd
            && ahead.is_some_and(|byte| b" =([{,:".contains(byte))
            && before.get(open + 1).is_some_and(u8::is_ascii_alphanumeric)
            && part(text, command.at.start..(command.at.start + LINE).min(text.len())).contains(&quote)
    })
}

/// Whether output is only sorted, counted or searched, behind several words: query languages have pipes too.
fn is_filter(text: &[u8], command: &Command<'_>) -> bool {
    const FILTERS: &[&str] =
        &["sort", "head", "tail", "wc", "grep", "egrep", "uniq", "cut", "less", "more", "sed", "awk", "xargs", "stats"];
    let before = part(text, command.at.start.saturating_sub(LINE)..command.at.start).trim_ascii();
    command.is_piped
        && is_one_of(command.name(), FILTERS)
        && !command.is_hidden
        && !command.arguments.iter().any(|byte| b"/$`\\".contains(byte))
        && before.iter().filter(|byte| **byte == b' ').count() >= 2
}

/// Whether commands are what stands here anyway: in a pipeline's or a package's settings, in a line of cron.
fn is_job(reading: &Reading<'_>) -> bool {
    let is_json = matches!(reading.place.part, Part::Json | Part::GraphqlArgument | Part::Xml);
    let is_time = |field: &[u8]| field.iter().all(|byte| byte.is_ascii_digit() || b"*/,-".contains(byte));
    let mut fields = reading.text.split(|byte| *byte == b' ').take(5);
    is_json && (is_named(reading.place, RUN) || is_named(reading.place, JOBS) || reading.place.name.contains("script"))
        || is_json && fields.clone().count() == 5 && fields.all(is_time)
}

/// Whether there are letters and blanks around what stands in backticks.
fn is_inline(text: &[u8], at: &Range<usize>) -> bool {
    let outside = || part(text, 0..at.start).iter().chain(from(text, at.end));
    outside().any(|byte| *byte == b' ') && outside().filter(|byte| byte.is_ascii_alphabetic()).take(4).count() == 4
}

fn is_telling(command: &Command<'_>) -> bool {
    command.name() == b"powershell" || command.arguments.iter().any(|byte| b"/\\$".contains(byte))
}

/// Whether somebody wants to see the accounts or settings of a machine: no question needs their real path.
fn is_about_accounts(command: &Command<'_>) -> bool {
    ["/etc/", "passwd", "win.ini"].iter().any(|word| super::system::find(command.arguments, word.as_bytes()).is_some())
}

/// Whether all of a text is a file that is fetched from elsewhere.
fn is_download(command: &Command<'_>) -> bool {
    is_one_of(command.name(), &["wget", "curl"]) && begins(command.arguments.trim_ascii(), b"http")
}

/// Whether the arguments name what an attacker wants to see or reach.
fn is_telling_file(command: &Command<'_>) -> bool {
    command.is_hidden || command.arguments.is_empty() || known::is_about_system(command.arguments)
}

/// Whether a name is followed by a path or an option at once, as no sentence goes on.
fn is_given(command: &Command<'_>) -> bool {
    let first = command.arguments.trim_ascii_start().first();
    first.is_some_and(|byte| b"/-~.$<\\{\"'".contains(byte))
        || command.arguments.contains(&b'-') && command.name() != b"file"
}

/// How sure a bare word behind a separator is a command: by what stands on the other side. `name;id;type` is a list of names,
/// `127.0.0.1;id` is not.
fn beside(text: &[u8], command: &Command<'_>) -> u8 {
    let before = part(text, 0..command.at.start).trim_ascii_end();
    let separator = text.get(command.at.start).copied().unwrap_or(b';');
    let is_name = |word: &[u8]| {
        let word = word.trim_ascii();
        word.len() > 2
            && word.iter().all(|b| b.is_ascii_alphanumeric() || b"_- \"'(".contains(b))
            && word.iter().any(u8::is_ascii_alphabetic)
    };
    let mut names = before.split(|byte| *byte == separator).rev();
    let next_to = names.next().unwrap_or_default();
    let is_list = is_name(next_to);
    let has_space = text.get(command.at.start + 1) == Some(&b' ');
    let ends_here = from(text, command.at.end).iter().all(|byte| !byte.is_ascii_alphanumeric());
    let is_plain = next_to.iter().all(|byte| byte.is_ascii_alphanumeric());
    match () {
        // Numbers and names with separators between them, and room for nothing else.
        () if !ends_here && !has_space && !before.is_empty() => 60,
        () if !is_list => 86,
        // `test; id`
        () if names.next().is_none() && has_space && ends_here && is_plain && separator == b';' => 82,
        () => 45,
    }
}

/// What nothing but a shell reads so.
fn only_a_shell(text: &[u8]) -> Option<Sign> {
    let mut best = Best::default();
    if text.starts_with(b":(){") || text.starts_with(b":() {") {
        best.take(high(90, 0..4, "defines a function that calls itself without end"));
    }
    if text.starts_with(b"() {") || text.starts_with(b"(){") {
        best.take(high(95, 0..4, "defines a function for a shell to run (Shellshock)"));
    }
    if begins(text, b"-oproxycommand=") || begins(text, b"--use-askpass=") || begins(text, b"--upload-pack=") {
        best.take(high(84, 0..text.len().min(15), "is an option that runs a command"));
    }
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'$' | b'%' | b'<' | b'/')) {
        let rest = from(text, at);
        let sign = match rest {
            [b'/', b'd' | b'D', ..] if begins(rest, b"/dev/tcp/") || begins(rest, b"/dev/udp/") => {
                high(90, at..at + 9, "opens a connection from a shell")
            }
            [b'/', ..] => continue,
            [b'%', b'c' | b'C', ..] if begins(rest, b"%comspec%") => {
                high(82, at..at + 9, "runs the command interpreter of Windows")
            }
            [b'$', b'a'..=b'z' | b'A'..=b'Z', ..] if is_joined(text, at) => {
                high(82, at..at + 2, "puts a command together from variables")
            }
            _ if shell::ifs(rest) > 0 => {
                high(84, at..at + shell::ifs(rest), "writes a space so that only a shell reads it")
            }
            [b'$', b'\'', quoted @ ..] if has_escape(quoted) => {
                high(82, at..at + 3, "writes characters so that only a shell reads them")
            }
            [b'$' | b'%', ..] if is_slice(rest) => high(84, at..at + 2, "takes letters out of a variable of the shell"),
            [b'<', b'<', b'<', b'$' | b'\'' | b'"', ..] => high(80, at..at + 3, "hands text to a command of a shell"),
            _ => continue,
        };
        best.take(sign);
    }
    let mut sign = best.0?;
    if is_spoken_of(text, &sign.at) && sign.at.start > 0 {
        sign.confidence = 60;
    }
    Some(sign)
}

/// `a=i;b=d;$a$b`: a command that is nothing but variables, after at least one of them was set.
fn is_joined(text: &[u8], at: usize) -> bool {
    let name = |rest: &[u8]| rest.iter().take(8).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (before, first) = (part(text, 0..at), from(text, at + 1));
    let length = name(first);
    let is_first = before.last().is_some_and(|byte| b";&|\n".contains(byte));
    let is_second = matches!(from(first, length), [b'$', letter, ..] if letter.is_ascii_alphabetic());
    let is_set = |statement: &[u8]| {
        statement.split(|byte| *byte == b'=').next() == Some(part(first, 0..length)) && statement.contains(&b'=')
    };
    is_first
        && is_second
        && from(before, before.len().saturating_sub(64)).split(|byte| b";&|\n ".contains(byte)).any(is_set)
}

/// Whether characters are written by number before the quote ends.
fn has_escape(quoted: &[u8]) -> bool {
    let end = quoted.iter().take(128).position(|byte| *byte == b'\'').unwrap_or(0);
    part(quoted, 0..end)
        .windows(3)
        .any(|three| matches!(three, [b'\\', b'x' | b'u' | b'0'..=b'7', digit] if digit.is_ascii_hexdigit()))
}

/// `${HOME:0:1}` and `%PROGRAMFILES:~10,-5%`.
fn is_slice(rest: &[u8]) -> bool {
    let (rest, colon, end): (_, &[u8], u8) = match rest {
        [b'$', b'{', rest @ ..] => (rest, b":", b'}'),
        [b'%', rest @ ..] => (rest, b":~", b'%'),
        _ => return false,
    };
    let name = rest.iter().take(32).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_').count();
    let is_loud = end == b'%' || part(rest, 0..name).iter().all(|byte| !byte.is_ascii_lowercase());
    let Some(numbers) = from(rest, name).strip_prefix(colon) else { return false };
    let length = numbers.iter().take(16).take_while(|byte| byte.is_ascii_digit() || b":,-~".contains(byte)).count();
    name > 1 && is_loud && length > 0 && numbers.get(length) == Some(&end)
}
