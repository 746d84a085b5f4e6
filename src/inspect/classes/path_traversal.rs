//! Path traversal and file inclusion: paths that climb out of where they are put, names of files nobody asks for, wrappers of
//! languages that read a file as something else, and names that a program would cut or fetch.

mod climb;
mod target;

use super::system::{
    Best, begins, find, from, high, is_among_words, is_named, is_parameter, is_spoken_of, last_name, part,
};
use crate::inspect::{Attack, Class, Layers, Part, Place, Reading, Scan, Sign};
use climb::{Climb, Token};
use target::Target;

/// Names of parameters that hold what is opened.
const OPENED: &[&str] = &[
    "file",
    "filename",
    "filepath",
    "path",
    "page",
    "doc",
    "document",
    "template",
    "tpl",
    "include",
    "inc",
    "dir",
    "folder",
    "load",
    "download",
    "view",
    "read",
    "content",
    "layout",
    "module",
    "mod",
    "conf",
    "locale",
    "lang",
    "language",
    "style",
    "theme",
    "skin",
    "img",
    "image",
    "pdf",
    "root",
    "pg",
    "show",
    "cat",
    "attachment",
    "f",
    "p",
    "src",
    "resource",
    "log",
];
/// Of these, the names that no relative link in a configuration stands under.
const READ: &[&str] = &[
    "file",
    "filename",
    "filepath",
    "doc",
    "document",
    "template",
    "include",
    "download",
    "attachment",
    "page",
    "log",
];

/// Paths that climb, wrappers and well-known files.
pub static PATH_TRAVERSAL: Class = Class {
    attack: Attack::PathTraversal,
    words: &[
        "passwd", "shadow", "environ", "etc", "proc", "ini", "htaccess", "htpasswd", "env", "git", "svn", "ssh", "aws",
        "kube", "inf", "php", "phar", "expect", "zip", "glob", "data", "history", "config", "sam", "windows", "winnt",
        "system32", "var", "0x2f", "0x5c",
    ],
    chars: b"/\\\0",
    may_be: |scan: Scan, _: Place<'_>| {
        scan.any(b"/\\") && scan.any(b".") || scan.word(Attack::PathTraversal) && scan.any(b"./\\:%") || scan.any(b"\0")
    },
    judge,
};

fn judge(reading: &Reading<'_>) -> Option<Sign> {
    let mut best = Best::default();
    let has_words = reading.scan.word(Attack::PathTraversal);
    for token in climb::tokens(reading.text, has_words) {
        weigh(reading, &token, &mut best);
    }
    if has_words && let Some(sign) = wrapper(reading) {
        best.take(sign);
    }
    for sign in [opened(reading), unc(reading), included(reading), cut_name(reading)].into_iter().flatten() {
        best.take(sign);
    }
    let mut sign = best.0?;
    // What is spoken of is not asked for: markdown, pages, logs and letters name paths.
    let is_link = reading.is_in_address() && sign.confidence <= 80
        || reading.place.part == Part::Header && matches!(reading.place.name, "referer" | "origin");
    if is_link || is_spoken_of(reading.text, &sign.at) || matches!(reading.place.part, Part::File | Part::XmlDocument) {
        sign.confidence = sign.confidence.min(60);
    }
    Some(sign)
}

/// What one path says.
fn weigh(reading: &Reading<'_>, token: &Token, best: &mut Best) {
    let Climb { out, count, tricks } = token.climb;
    let at = token.at.clone();
    let place = reading.place;
    let undone = Layers(Layers::PERCENT_TWICE.0 | Layers::PERCENT_U.0 | Layers::OVERLONG.0 | Layers::FOLDED.0);
    let is_hidden = tricks > 0 || count > 0 && reading.layers.0 & undone.0 != 0;
    let is_json = matches!(place.part, Part::Json | Part::GraphqlArgument | Part::Xml);
    let path = part(reading.text, at.clone());
    let is_rooted = path.first().is_some_and(|byte| b"/\\".contains(byte));
    // A path by itself is asked for; between words it is spoken of.
    if count == 0 && token.target.is_some() && is_among_words(reading.text, &at) {
        return best.take(high(60, at, "names a file of the system"));
    }
    let is_whole = is_rooted && at.len() + 2 >= reading.text.trim_ascii().len();
    match token.target {
        Some(Target::Secret | Target::Home) if count > 0 => {
            best.take(high(95, at, "climbs to a file that holds secrets"));
        }
        Some(Target::Secret) if token.segments > 1 => best.take(high(92, at, "names a file of the system")),
        Some(Target::Home) if !is_json || READ.contains(&last_name(place)) || begins(path, b"/root/") => {
            best.take(high(86, at, "names a file that holds credentials"));
        }
        Some(Target::Secret) if is_parameter(place.part) && is_named(place, OPENED) => {
            best.take(high(82, at, "names a file of the system"));
        }
        Some(Target::Known | Target::Machine)
            if out > 1 || is_hidden || out > 0 && (!is_json || is_named(place, READ)) =>
        {
            best.take(high(90, at, "climbs to a file of the system"));
        }
        // `"hosts_file": "/etc/hosts"` is a setting.
        Some(Target::Machine) if is_whole && !(is_json && last_name(place).contains(['_', '-'])) => {
            best.take(high(80, at, "names a file of the system"));
        }
        Some(Target::Known) if is_whole && !is_json && !matches!(place.part, Part::Form | Part::Raw) => {
            best.take(high(80, at, "names a file of the system"));
        }
        Some(Target::Known | Target::Machine)
            if is_rooted && is_parameter(place.part) && (place.part == Part::Path || is_named(place, OPENED)) =>
        {
            best.take(high(80, at, "names a file of the system"));
        }
        // `?page=.env`
        Some(Target::Known) if is_parameter(place.part) && is_named(place, OPENED) && path == b".env" => {
            best.take(high(82, at, "names a file of the system"));
        }
        Some(_) => best.take(high(55, at, "names a file of the system")),
        None if count == 0 => {}
        None => {
            let confidence = match place.part {
                Part::Path => 84 + (count.min(4) * 2) as u8,
                Part::FileName => 88,
                _ if is_hidden && out > 0 => 88,
                Part::Json | Part::GraphqlArgument => match out {
                    0 => 20,
                    1 => 40,
                    // What programs import, and stack traces and maps of sources tell.
                    _ if is_source(path) => 55,
                    2 | 3 if is_named(place, READ) || is_rooted && out == 3 => 82,
                    2 => 50,
                    3 => 65,
                    _ => 86,
                },
                Part::Xml | Part::Raw => 55,
                _ => match out {
                    0 => 20,
                    1 if is_named(place, READ) && token.segments > 1 => 82,
                    1 if is_named(place, OPENED) => 60,
                    1 => 45,
                    2 if is_named(place, OPENED) => 84,
                    2 => 70,
                    _ => 88,
                },
            };
            let what = if is_hidden { "climbs out of a directory, and hides it" } else { "climbs out of a directory" };
            best.take(high(confidence, at, what));
        }
    }
}

/// Whether a path leads to what pages and programs are made of.
fn is_source(path: &[u8]) -> bool {
    const KINDS: &[&str] = &[
        "js", "mjs", "cjs", "ts", "mts", "tsx", "jsx", "vue", "svelte", "css", "scss", "less", "map", "png", "jpg",
        "jpeg", "svg", "gif", "webp", "woff2", "rs", "go", "md",
    ];
    let kind = path.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known.as_bytes()))
}

/// A parameter for a file to read that names one in a directory of the system. Configuration does so in bodies, and
/// under other names.
fn opened(reading: &Reading<'_>) -> Option<Sign> {
    const TREES: &[&str] = &[
        "/etc/",
        "/proc/",
        "/root/",
        "/boot/",
        "/var/log/",
        "/var/adm/",
        "/var/mail/",
        "/var/spool/",
        "/private/etc/",
    ];
    const SETTINGS: &[&str] =
        &[".conf", ".ini", ".cnf", ".cfg", ".err", "access.log", "error.log", "access_log", "error_log"];
    let text = reading.text.trim_ascii();
    let path = match text {
        [drive, b':', path @ ..] if drive.is_ascii_alphabetic() => path,
        path => path,
    };
    if !matches!(path, [b'/' | b'\\', letter, ..] if letter.is_ascii_alphabetic()) {
        return None;
    }
    let ends =
        |end: &str| path.len().checked_sub(end.len()).is_some_and(|start| begins(from(path, start), end.as_bytes()));
    let is_told = match reading.place.part {
        Part::Path => begins(path, b"/etc/") || begins(path, b"/proc/"),
        Part::Query | Part::Cookie => {
            let is_tree = TREES.iter().any(|tree| begins(path, tree.as_bytes()));
            is_named(reading.place, READ) && (is_tree || SETTINGS.iter().any(|end| ends(end)))
        }
        _ => false,
    };
    is_told.then(|| high(82, 0..reading.text.len(), "opens a file of the system by its whole path"))
}

/// Schemes that make PHP read something else than a file.
fn wrapper(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let colon = find(text, b"://").or_else(|| find(text, b":"))?;
    let letters = part(text, 0..colon).iter().rev().take_while(|b| b.is_ascii_alphanumeric() || **b == b'.').count();
    let scheme = part(text, colon - letters..colon);
    let behind = from(text, colon + 1);
    let path = behind.strip_prefix(b"//");
    let confidence = match (scheme.to_ascii_lowercase().as_slice(), path) {
        (b"php", Some(path))
            if ["filter", "input", "stdin", "fd", "temp", "memory"].iter().any(|w| begins(path, w.as_bytes())) =>
        {
            95
        }
        (
            b"expect" | b"phar" | b"zip" | b"compress.zlib" | b"compress.bzip2" | b"glob" | b"rar" | b"ogg"
            | b"ssh2.exec",
            Some(_),
        ) => 90,
        (b"data", Some(path)) if begins(path, b"text/") => 88,
        // `<?` as it is, and in base64.
        (b"data", _)
            if find(behind, b"<?").is_some() || behind.windows(3).any(|three| three == b"PD8" || three == b"PD9") =>
        {
            88
        }
        _ => return None,
    };
    let at = colon - letters..(colon + 12).min(text.len());
    let end = from(text, colon).iter().position(u8::is_ascii_whitespace).map_or(text.len(), |end| colon + end);
    let is_spoken_of = path.is_some() && is_among_words(text, &(at.start..end));
    Some(high(if is_spoken_of { 60 } else { confidence }, at, "names a stream wrapper of PHP"))
}

/// `\\host\share`: a Windows server would open it with its own credentials.
fn unc(reading: &Reading<'_>) -> Option<Sign> {
    let rest = reading.text.strip_prefix(b"\\\\")?;
    let host = rest.split(|byte| *byte == b'\\').next()?;
    let share = rest.get(host.len() + 1..)?.split(|byte| *byte == b'\\').next()?;
    let is_host = !host.is_empty() && host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_@:".contains(byte));
    if !is_host || share.is_empty() {
        return None;
    }
    let is_hidden_share = share.ends_with(b"$");
    let is_far = host.contains(&b'.') || host.contains(&b'@');
    let is_one = matches!(reading.place.part, Part::Query | Part::Cookie | Part::Header | Part::Path)
        || reading.place.part == Part::Form && is_named(reading.place, READ);
    let confidence = if is_one && (is_far || is_hidden_share) { 82 } else { 45 };
    Some(high(confidence, 0..2 + host.len(), "names a file on another machine"))
}

/// `?page=http://host/shell.txt?`: what is included from elsewhere, with what the program appends cut off.
fn included(reading: &Reading<'_>) -> Option<Sign> {
    let text = reading.text;
    let is_far = begins(text, b"http://") || begins(text, b"https://") || begins(text, b"ftp://");
    if !is_far || !is_parameter(reading.place.part) || !is_named(reading.place, OPENED) {
        return None;
    }
    let end = text.iter().position(|byte| b"?#\0".contains(byte)).unwrap_or(text.len());
    let name = part(text, 0..end).rsplit(|byte| *byte == b'/').next()?;
    let is_script =
        [".txt", ".php", ".inc", ".jsp", ".asp", ".cgi"].iter().any(|tail| find(name, tail.as_bytes()).is_some());
    let is_shell =
        ["shell", "c99", "r57", "cmd", "evil", "backdoor", "rfi"].iter().any(|w| find(name, w.as_bytes()).is_some());
    let is_cut = end < text.len() && end + 2 > text.len();
    let confidence = match (is_script, is_shell, is_cut) {
        (true, true, _) | (true, _, true) => 85,
        (true, ..) => 50,
        _ => return None,
    };
    Some(high(confidence, 0..end, "has a script from elsewhere included"))
}

/// `shell.php\0.jpg`: one program checks the whole name, the next reads up to the NUL.
fn cut_name(reading: &Reading<'_>) -> Option<Sign> {
    let decoded = Layers::BASE64.0 | Layers::HEX.0 | Layers::GZIP.0 | Layers::UTF16.0;
    if reading.layers.0 & decoded != 0 || matches!(reading.place.part, Part::File | Part::Raw) {
        return None;
    }
    let text = reading.text;
    let nul = text.iter().position(|byte| *byte == 0)?;
    let name = part(text, 0..nul);
    let behind = from(text, nul).iter().position(|byte| *byte != 0).map_or(text.len(), |skip| nul + skip);
    let tail = from(text, behind).strip_prefix(b".");
    let is_extension =
        tail.is_some_and(|tail| (1..6).contains(&tail.len()) && tail.iter().all(u8::is_ascii_alphanumeric));
    let has_extension = name.iter().rev().take(6).any(|byte| *byte == b'.');
    let is_name = name.iter().all(|byte| (0x20..0x7f).contains(byte));
    (is_name && !name.is_empty() && (is_extension || has_extension && behind == text.len()))
        .then(|| high(85, nul..text.len(), "cuts a file name with a NUL byte"))
}
