//! What of a tag runs: handlers, addresses, embedded documents, styles, redirects, scripts.

use super::html::{Attribute, Name, Tag, attributes};
use super::script::{self, Power};
use super::url;
use crate::inspect::classes::seek::{before, byte, find, has, is_space, piece, skip, starts, tail, trim};

/// How much of what a script holds is looked at, bytes.
const SCRIPT_BYTES: usize = 400;
/// In how much of it something has to be done, bytes.
const SCRIPT_START: usize = 160;
/// Starts of the events' names behind `on`. Others are handlers only with a value that is code.
const EVENTS: [&str; 69] = [
    "abort",
    "after",
    "anim",
    "auxclick",
    "before",
    "begin",
    "blur",
    "bounce",
    "cancel",
    "canplay",
    "change",
    "click",
    "close",
    "content",
    "copy",
    "cuechange",
    "cut",
    "dblclick",
    "drag",
    "drop",
    "durationchange",
    "emptied",
    "end",
    "error",
    "filter",
    "finish",
    "focus",
    "formdata",
    "fullscreen",
    "gesture",
    "gotpointer",
    "hashchange",
    "input",
    "invalid",
    "key",
    "load",
    "lostpointer",
    "message",
    "mouse",
    "page",
    "paste",
    "pause",
    "play",
    "pointer",
    "popstate",
    "progress",
    "readystate",
    "repeat",
    "reset",
    "resize",
    "scroll",
    "search",
    "seek",
    "select",
    "show",
    "start",
    "submit",
    "timeupdate",
    "toggle",
    "touch",
    "transition",
    "unload",
    "unhandled",
    "volume",
    "wait",
    "webkit",
    "wheel",
    "suspend",
    "stalled",
];
/// Words of other meanings that start like a handler.
const OTHER: [&str; 8] = ["once", "only", "one", "online", "ongoing", "onboarding", "onsite", "ontology"];
/// Attributes whose value is never an address.
const TEXTS: [&str; 6] = ["title", "alt", "placeholder", "aria-label", "content", "label"];
/// Types of script elements that hold data.
const DATA_TYPES: [&str; 4] = ["json", "text/template", "text/x-", "importmap"];

/// How sure, since what, and what it is.
pub type Seen = (u8, usize, &'static str);

/// The most active thing of a tag.
pub fn of_tag(text: &[u8], tag: &Tag) -> Option<Seen> {
    let mut best = None;
    if tag.name.is(&["script"]) {
        raise(&mut best, script_element(text, tag));
    }
    if tag.name.is(&["style"]) {
        let inside = piece(text, tag.range.end..tag.range.end + SCRIPT_BYTES);
        raise(
            &mut best,
            style(inside).map(|confidence| (confidence, tag.range.start, "a style sheet that runs script")),
        );
    }
    for attribute in attributes(text, tag) {
        let value = piece(text, attribute.value.clone());
        let at = attribute.range.start;
        if value.is_empty() {
            continue;
        }
        raise(
            &mut best,
            handler(&attribute.name, piece(text, attribute.range.clone()), value)
                .map(|sure| (sure, at, "a tag with an event handler")),
        );
        if !attribute.is_quoted
            && let Some(inner) = find(value, "/on", 0)
            && let Some((sure, _)) = handler_at(value, inner + 1)
        {
            raise(&mut best, Some((sure, at, "a tag with an event handler")));
        }
        // What frameworks run: `ng-focus=…`, `v-html="…"`, `@click="…"`.
        let is_bound =
            ["ng-", "data-ng-", "v-", "x-", "@", ":"].iter().any(|start| starts(attribute.name.text(), 0, start));
        if is_bound && matches!(script::power(value), Some((Power::Strikes, _))) {
            raise(&mut best, Some((84, at, "a tag with an expression that a framework runs")));
        }
        if !attribute.name.is(&TEXTS) {
            raise(&mut best, url::in_attribute(value).map(|sure| (sure, at, "a tag with an address that runs script")));
        }
        raise(&mut best, special(tag, &attribute, value).map(|(sure, what)| (sure, at, what)));
    }
    best
}

fn raise(best: &mut Option<Seen>, seen: Option<Seen>) {
    if let Some(seen) = seen
        && best.is_none_or(|(known, ..)| seen.0 > known)
    {
        *best = Some(seen);
    }
}

/// What certain attributes do in certain tags.
fn special(tag: &Tag, attribute: &Attribute, value: &[u8]) -> Option<(u8, &'static str)> {
    let name = &attribute.name;
    let is_foreign =
        starts(value, 0, "//") || starts(value, 0, "http") || starts(value, 0, "\\\\") || starts(value, 0, "/\\");
    if name.is(&["style"]) {
        return style(value).map(|sure| (sure, "a style that runs script"));
    }
    if name.is(&["srcdoc"]) && (has(value, "<") || has(value, "&lt") || has(value, "&#")) {
        return Some((90, "a frame with a document of its own"));
    }
    if tag.name.is(&["iframe", "frame", "embed", "object", "applet", "portal"])
        && name.is(&["src", "data", "code", "codebase"])
    {
        // Editors quote what they embed.
        return is_foreign.then_some((if attribute.is_quoted { 45 } else { 82 }, "a foreign document embedded"));
    }
    if tag.name.is(&["object", "embed"]) && name.is(&["type"]) && value.eq_ignore_ascii_case(b"text/x-scriptlet") {
        return Some((84, "a foreign document embedded"));
    }
    if tag.name.is(&["base"]) && name.is(&["href"]) {
        let sure = if attribute.is_quoted && starts(value, 0, "http") { 50 } else { 82 };
        return is_foreign.then_some((sure, "a base for all addresses of the page"));
    }
    if tag.name.is(&["meta"]) && name.is(&["content"]) {
        let address = find(value, "url", 0)
            .map(|at| skip(value, at + 3, |byte| is_space(byte) || matches!(byte, b'=' | b'\'' | b'"')));
        let is_refresh = byte(trim(value).1, 0).is_ascii_digit() && address.is_some();
        let runs = address.and_then(|at| url::in_attribute(tail(value, at)));
        return is_refresh.then_some((runs.unwrap_or(82), "a page that sends its reader elsewhere"));
    }
    if tag.name.is(&["meta"]) && name.is(&["http-equiv"]) && value.eq_ignore_ascii_case(b"set-cookie") {
        return Some((85, "a page that sets a cookie"));
    }
    if tag.name.is(&["link"]) && name.is(&["rel"]) && value.eq_ignore_ascii_case(b"import") {
        return Some((84, "a document imported"));
    }
    let is_sheet = tag.name.is(&["link"]) && name.is(&["href"]) && is_foreign && !attribute.is_quoted;
    is_sheet.then_some((70, "a foreign style sheet"))
}

/// A script element: by its source, its content, its end.
fn script_element(text: &[u8], tag: &Tag) -> Option<Seen> {
    let start = tag.range.start;
    let mut is_deferred = false;
    let mut source = None;
    for attribute in attributes(text, tag) {
        let value = piece(text, attribute.value.clone());
        if attribute.name.is(&["type"]) && DATA_TYPES.iter().any(|kind| has(value, kind)) {
            return Some((40, start, "a script element that holds data"));
        }
        is_deferred |= attribute.name.is(&["async", "defer"]);
        if attribute.name.is(&["src", "href", "data"]) && !value.is_empty() {
            // A script of the page's own.
            let is_own = attribute.is_quoted && !has(value, "//") && !value.contains(&b':') && !value.contains(&b'\\');
            if is_own {
                return Some((60, start, "a script"));
            }
            source = Some(attribute.is_quoted && starts(value, 0, "https://"));
        }
    }
    match source {
        // What services for embedding hand out.
        Some(true) if is_deferred => return Some((60, start, "a foreign script")),
        Some(_) => return Some((93, start, "a foreign script")),
        None => {}
    }
    let inside = piece(text, tag.range.end..tag.range.end + SCRIPT_BYTES);
    let close = find(inside, "</script", 0);
    let content = piece(inside, 0..close.unwrap_or(SCRIPT_START).min(SCRIPT_START));
    let sure = match (script::power(content), close) {
        (Some((Power::Strikes, _)), _) => 96,
        (_, Some(_)) if script::is_idle(content) && content.len() < SCRIPT_START => 70,
        (Some(_), _) => 90,
        // `<script>…</script>`
        (None, Some(_)) if !content.is_empty() && !content.iter().any(u8::is_ascii_alphanumeric) => 55,
        (None, Some(_)) => 88,
        (None, None) => {
            let raw = piece(text, tag.named.clone());
            let is_disguised = raw.contains(&0)
                || (raw.iter().any(u8::is_ascii_lowercase) && raw.iter().skip(1).any(u8::is_ascii_uppercase));
            if is_disguised {
                84
            } else if trim(inside).1.is_empty() {
                70
            } else {
                55
            }
        }
    };
    Some((sure, start, "a script element"))
}

/// Whether a style runs something. Comments and escapes inside words are undone first.
fn style(value: &[u8]) -> Option<u8> {
    let mut plain = Vec::with_capacity(value.len().min(SCRIPT_BYTES));
    let mut at = 0;
    while at < value.len().min(SCRIPT_BYTES) {
        if starts(value, at, "/*") {
            at = tail(value, at + 2).windows(2).position(|pair| pair == b"*/").map_or(value.len(), |end| at + end + 4);
            continue;
        }
        let byte = byte(value, at);
        if byte != b'\\' && !is_space(byte) {
            plain.push(byte);
        }
        at += 1;
    }
    let runs =
        ["expression(", "javascript:", "vbscript:", "-moz-binding:", "behavior:url", "behaviour:url", "data:text/html"];
    if runs.iter().any(|word| has(&plain, word)) {
        return Some(88);
    }
    let import = find(&plain, "@import", 0)? + 7;
    (starts(&plain, import, "'//") || starts(&plain, import, "\"//") || starts(&plain, import, "url(//")).then_some(70)
}

/// How sure it is that an attribute is an event handler: by its name and by what its value does.
fn handler(name: &Name, raw: &[u8], value: &[u8]) -> Option<u8> {
    let is_component =
        raw.iter().skip(2).take(1).any(u8::is_ascii_uppercase) && raw.iter().skip(3).any(u8::is_ascii_lowercase);
    judged(name.text(), value, is_component)
}

/// A handler that stands at `at` of a text without being in a tag: its confidence as one, and where its value starts.
pub fn handler_at(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let end = skip(piece(text, 0..at + 41), at, |byte| byte.is_ascii_alphabetic() || byte == 0);
    let equals = skip(text, end, is_space);
    if byte(text, equals) != b'=' || end - at > 40 {
        return None;
    }
    let first = skip(text, equals + 1, is_space);
    if matches!(piece(text, first..first + 2), b"\"\"" | b"''") {
        return None;
    }
    let value = skip(text, first, |byte| is_space(byte) || matches!(byte, b'"' | b'\'' | b'`'));
    let name: Vec<u8> = piece(text, at..end).iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let sure = judged(
        &name,
        piece(text, value..value + SCRIPT_BYTES),
        before(text, at) == b' ' && byte(text, at + 2).is_ascii_uppercase(),
    )?;
    Some((sure, value))
}

fn judged(name: &[u8], value: &[u8], is_component: bool) -> Option<u8> {
    let event = name.strip_prefix(b"on")?;
    let letters = skip(event, 0, |byte| byte.is_ascii_alphabetic());
    let event = piece(event, 0..letters);
    if event.len() < 2 || OTHER.iter().any(|other| name == other.as_bytes()) {
        return None;
    }
    let (_, value) = trim(value);
    if value.is_empty() {
        return Some(40);
    }
    // Components are written like this: `<Button onClick={() => go()}>`.
    if is_component && byte(value, 0) == b'{' {
        return Some(45);
    }
    let is_known = EVENTS.iter().any(|known| event.starts_with(known.as_bytes()));
    let is_harmless = starts(value, 0, "return false")
        || starts(value, 0, "return true")
        || !value.iter().any(u8::is_ascii_alphanumeric) && script::symbols(value).is_none();
    match script::power(value) {
        _ if is_harmless && value.len() < 16 => Some(50),
        Some((Power::Calls, 0)) if script::is_own_call(value) => Some(60),
        _ if starts(value, 0, "this.") && value.len() < SCRIPT_START && script::is_idle(value) => Some(60),
        Some((Power::Strikes, _)) => Some(95),
        Some(_) if is_known => Some(90),
        Some(_) => Some(82),
        None if is_known => Some(85),
        None => None,
    }
}
