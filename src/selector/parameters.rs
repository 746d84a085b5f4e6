//! Parameters of a header field: `form-data; name="a"; filename="b"`.

use std::borrow::Cow;

/// The field's value before its first parameter, trimmed.
pub(crate) fn essence(field: &str) -> &str {
    field.split(';').next().unwrap_or(field).trim()
}

/// Names and values of the parameters; in a quoted value `\"` stands for a quote and `\\` for a backslash, and any other
/// backslash for itself, because browsers send file names of Windows as they are.
pub(crate) fn parameters(field: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = field.split_once(';').map(|(_, rest)| rest);
    core::iter::from_fn(move || {
        loop {
            let text = rest?.trim_start();
            let end = text.find([';', '='])?;
            let (name, after) = text.split_at_checked(end)?;
            let Some(value) = after.strip_prefix('=') else {
                rest = after.strip_prefix(';');
                continue;
            };
            let value = value.trim_start();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => unquote(quoted),
                None => {
                    let (token, after) = value.split_at_checked(value.find(';').unwrap_or(value.len()))?;
                    (Cow::Borrowed(token.trim_end()), after)
                }
            };
            rest = after.find(';').and_then(|at| after.get(at + 1..));
            return Some((name.trim_end(), value));
        }
    })
}

/// The value up to the closing quote, and what follows it.
fn unquote(quoted: &str) -> (Cow<'_, str>, &str) {
    let mut escaped = false;
    let end = quoted.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    });
    let inner = quoted.get(..end.unwrap_or(quoted.len())).unwrap_or_default();
    let after = end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    if !inner.contains('\\') {
        return (Cow::Borrowed(inner), after);
    }
    let (mut out, mut chars) = (String::with_capacity(inner.len()), inner.chars().peekable());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next_if(|next| matches!(next, '"' | '\\')) } else { None };
        out.push(escaped.unwrap_or(c));
    }
    (Cow::Owned(out), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_quoted_or_not() {
        for (field, expected) in [
            ("form-data; name=a", vec![("name", "a")]),
            ("form-data;name=\"a;b=c\" ; filename=\"x\"", vec![("name", "a;b=c"), ("filename", "x")]),
            ("form-data; name=\"a\\\"b\\\\\"; x=1", vec![("name", "a\"b\\"), ("x", "1")]),
            ("form-data; filename=\"C:\\dir\\file\"", vec![("filename", "C:\\dir\\file")]),
            ("form-data; flag; name = a ", vec![("name", "a")]),
            ("form-data; name=\"open", vec![("name", "open")]),
            ("form-data; name=\"a\"junk; x=1", vec![("name", "a"), ("x", "1")]),
            ("form-data; name=", vec![("name", "")]),
            ("form-data", vec![]),
            ("", vec![]),
            (";;=;", vec![("", "")]),
        ] {
            let read: Vec<_> = parameters(field).collect();
            let read: Vec<_> = read.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            assert_eq!(read, expected, "{field}");
        }
        assert_eq!(essence(" Text/HTML ; charset=x"), "Text/HTML");
    }
}
