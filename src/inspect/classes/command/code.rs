//! Calls by which PHP, JavaScript, Python, Ruby, Java and PowerShell run what they are given.

use super::known;
use crate::inspect::classes::system::{Best, begins, find, from, high, is_searched, is_spoken_of, part};
use crate::inspect::{Part, Reading, Sign};

/// Words without which none of these calls is there.
pub(super) const WORDS: &[&str] = &[
    "system",
    "passthru",
    "popen",
    "phpinfo",
    "phpversion",
    "assert",
    "process",
    "import",
    "subprocess",
    "os",
    "getruntime",
    "processbuilder",
    "spawn",
    "execsync",
    "spawnsync",
    "md5",
    "iex",
    "downloadstring",
    "shell",
    "open",
    "start",
    "print",
    "base64",
    "request",
    "get",
    "post",
    "mainmodule",
    "call",
    "run",
    "contents",
    "invoke",
    "frombase64string",
    "oproxycommand",
    "askpass",
    "upload",
];

/// Said where a script runs what a request tells it to.
pub(super) const WEB_SHELL: &str = "runs what a request brings along";

/// Calls that run a command of the system.
const RUNS: &[&str] = &[
    "system",
    "exec",
    "shell_exec",
    "passthru",
    "popen",
    "proc_open",
    "pcntl_exec",
    "os.system",
    "os.popen",
    "execsync",
    "spawn",
    "spawnsync",
    "subprocess.call",
    "subprocess.run",
    "subprocess.popen",
    "subprocess.check_output",
    "io.popen",
    "kernel.exec",
    "process.start",
    "system.diagnostics.process.start",
    "kernel.system",
    "spawn_sync",
    "check_output",
    "execfile",
];
/// Names that have no other use than to run commands, cut at their last dot.
const REACHED: &[(&str, &str, &str)] = &[
    ("java.lang", "runtime", "reaches for Java's way to run commands"),
    ("java.lang", "processbuilder", "reaches for Java's way to run commands"),
    ("process", "mainmodule", "reaches for Node's modules"),
    ("wscript", "shell", "reaches for the shell of Windows"),
    ("net", "webclient", "has PowerShell fetch code"),
];

pub(super) fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let is_short =
        matches!(reading.place.part, Part::Query | Part::Header | Part::Cookie | Part::Path | Part::FileName)
            && !is_searched(reading.place);
    let mut best = Best::default();
    for (at, byte) in text.iter().enumerate() {
        let rest = from(text, at);
        match byte {
            b'(' => {
                if let Some((confidence, what, name)) = call(text, at) {
                    best.take(high(confidence, at - name..at + 1, what));
                }
            }
            b'.' => {
                if let Some((before, _, what)) = REACHED.iter().find(|(before, behind, _)| {
                    begins(from(rest, 1), behind.as_bytes()) && ends(part(text, 0..at), before)
                }) {
                    best.take(high(86, at - before.len()..at + 1, what));
                }
            }
            b'$' if ["$_get[", "$_post[", "$_request[", "$_cookie["]
                .iter()
                .any(|name| begins(rest, name.as_bytes())) =>
            {
                best.take(high(if is_short { 82 } else { 60 }, at..at + 5, "is code in PHP"));
            }
            b'$' if rest.starts_with(b"${@") || rest.starts_with(b"${$") => {
                best.take(high(86, at..at + 3, "calls a function of PHP inside a string"));
            }
            b'{' if rest.starts_with(b"{${") => {
                best.take(high(86, at..at + 3, "calls a function of PHP inside a string"));
            }
            b'<' if begins(rest, b"<?php") || rest.starts_with(b"<?=") => {
                let runs = part(rest, 0..24).windows(2).any(|two| matches!(two, [b' ' | b'=', b'`']));
                best.take(high(if is_short || runs { 86 } else { 70 }, at..at + 3, "is a script in PHP"));
            }
            _ => {}
        }
    }
    let mut sign = best.0?;
    if sign.what != WEB_SHELL && is_spoken_of(text, &sign.at) {
        sign.confidence = sign.confidence.min(60);
    }
    Some(sign)
}

/// Whether the text ends with a word (lower case), whatever its case.
fn ends(text: &[u8], word: &str) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| begins(from(text, start), word.as_bytes()))
}

/// What a call says: by its name before the parenthesis at `at` and what is handed to it. Also the length of the name.
fn call(text: &[u8], at: usize) -> Option<(u8, &'static str, usize)> {
    let before = part(text, at.saturating_sub(40)..at);
    let name = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte)).count();
    let name = from(before, before.len() - name);
    let given = from(text, at + 1).trim_ascii_start();
    let is_known = |list: &[&str]| list.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let found = |confidence, what| Some((confidence, what, name.len()));
    if name.is_empty() {
        return None;
    }
    let is_brought = ["$_get", "$_post", "$_request", "$_cookie", "$_server", "${_get"]
        .iter()
        .any(|word| begins(given, word.as_bytes()));
    let is_unpacked = ["base64_decode(", "gzinflate(", "str_rot13(", "hex2bin(", "chr(", "compile(", "__import__"]
        .iter()
        .any(|word| begins(given, word.as_bytes()));
    let quoted = given.first().filter(|byte| b"'\"`[".contains(byte)).map(|_| from(given, 1));
    let runs = quoted.is_some_and(is_command);
    let is_run = is_known(RUNS) || is_known(&["eval", "assert", "call_user_func", "create_function"]);
    let is_read = is_run || is_known(&["include", "require", "include_once", "require_once"]);
    let is_piped = is_known(&["open"]) && quoted.is_some_and(|quoted| quoted.starts_with(b"|"));
    match () {
        () if is_read && is_brought => found(92, WEB_SHELL),
        () if is_run && is_unpacked => found(90, "runs hidden code"),
        () if is_run && runs || is_piped => found(88, "runs a command from a program"),
        () if ends(name, ".exec") && ends(before, "getruntime().exec") => found(90, "runs a command in Java"),
        () if is_known(&["processbuilder"]) && quoted.is_some() => found(82, "reaches for Java's way to run commands"),
        () if is_known(&["require"]) && quoted.is_some_and(|name| begins(name, b"child_process")) => {
            found(82, "reaches for Node's way to run commands")
        }
        () if is_known(&["__import__"]) => found(86, "imports a module of Python inside an expression"),
        () if ends(name, "downloadstring") => found(90, "has PowerShell fetch and run code"),
        () if ends(name, "frombase64string") => found(80, "has PowerShell run hidden code"),
        () if is_known(&["phpinfo", "phpversion"]) && given.starts_with(b")") => found(88, "calls phpinfo"),
        () if is_known(&["md5", "sha1"]) && is_probe(part(text, 0..at - name.len()), given) => {
            found(84, "probes whether code is run")
        }
        () if is_known(&[
            "file_get_contents",
            "readfile",
            "fopen",
            "show_source",
            "highlight_file",
            "include",
            "require",
            "file",
        ]) && quoted
            .is_some_and(|path| path.starts_with(b"/") || path.starts_with(b"..") || begins(path, b"php:")) =>
        {
            found(84, "reads a file from a program")
        }
        () => None,
    }
}

/// `print(md5(1337))`: a number whose sum the attacker knows.
fn is_probe(before: &[u8], given: &[u8]) -> bool {
    let given = given.strip_prefix(b"'").or(given.strip_prefix(b"\"")).unwrap_or(given);
    let digits = given.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let before = before.trim_ascii_end();
    digits >= 3
        && ["print(", "die(", "echo", "print", "var_dump(", "echo("].iter().any(|word| {
            before.len().checked_sub(word.len()).is_some_and(|start| begins(from(before, start), word.as_bytes()))
        })
}

/// Whether a quoted string begins with the name of a program.
fn is_command(quoted: &[u8]) -> bool {
    let quoted = quoted.strip_prefix(b"'").or(quoted.strip_prefix(b"\"")).unwrap_or(quoted);
    let end = quoted.iter().take(64).position(|byte| b" '\"`),;|&+".contains(byte)).unwrap_or(quoted.len().min(64));
    let name = part(quoted, 0..end);
    let base = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or(name);
    if base.len() < name.len() && find(name, b"bin/").is_none() && find(name, b"system32").is_none() {
        return false;
    }
    let name = base;
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or(name);
    known::program(stem).is_some()
}
