//! GraphQL documents: the strings in them. Their shape is for `graphql_abuse` to judge.

use super::{Examination, Part, Trail, place};
use crate::selector::{after_block, after_string};

/// Whether a text is a GraphQL document beyond doubt: outside its strings and comments it holds only what one is made of. A text
/// that only looks a little like one is judged as a text.
pub fn is_document(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let named = ["query", "mutation", "subscription", "fragment", "#"].iter().any(|word| start.starts_with(word));
    let fields = start.strip_prefix('{').map(str::trim_start);
    let anonymous = fields.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
    let (mut depth, mut deepest) = (0_i32, 0);
    let mut sound = named || anonymous;
    parts(text, &mut |code, _| {
        for byte in code.bytes() {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            deepest = deepest.max(depth);
            sound &= depth >= 0 && (byte.is_ascii_alphanumeric() || b"_ \t\r\n{}()[]:!$@=|&.,#-+".contains(&byte));
        }
    }) && sound
        && depth == 0
        && deepest > 0
}

/// The strings of a document, each under the name of its argument where it is one: `/query/id`.
pub fn arguments(to: &mut Examination<'_>, text: &str, pointer: &str, trail: Trail) {
    parts(text, &mut |code, string| {
        let Some(string) = string else { return };
        // Its escapes are those of JSON (GraphQL, section 2.9.4); a block has none.
        let plain = string
            .contains('\\')
            .then(|| serde_json::from_str::<String>(&["\"", string, "\""].concat()).ok())
            .flatten();
        let string = plain.as_deref().unwrap_or(string);
        match argument(code) {
            Some(name) => {
                let name = [pointer, "/", name].concat();
                to.text(place(Part::GraphqlArgument, &name), string.as_bytes(), trail);
            }
            None => to.text(place(Part::GraphqlArgument, pointer), string.as_bytes(), trail),
        }
    });
}

/// The name of the argument whose value follows.
fn argument(code: &str) -> Option<&str> {
    let name = code.trim_end().strip_suffix(':')?.trim_end();
    let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    name.get(start..).filter(|name| !name.is_empty())
}

/// The document piece by piece: code, and the string that follows it; comments count as strings. `false` where one has no end.
fn parts(text: &str, see: &mut dyn FnMut(&str, Option<&str>)) -> bool {
    let mut rest = text;
    while let Some((code, special)) = rest.find(['"', '#']).and_then(|at| rest.split_at_checked(at)) {
        let (string, after) = if special.starts_with('#') {
            let end = special.find(['\n', '\r']).unwrap_or(special.len());
            (special.get(1..end), special.get(end..))
        } else if let Some(block) = special.strip_prefix("\"\"\"") {
            let after = after_block(block);
            (after.and_then(|after| block.get(..block.len() - after.len() - 3)), after)
        } else {
            let inner = special.strip_prefix('"').unwrap_or_default();
            let after = after_string(inner);
            (after.and_then(|after| inner.get(..inner.len() - after.len() - 1)), after)
        };
        let Some(after) = after else { return false };
        see(code, string);
        rest = after;
    }
    see(rest, None);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_from_other_texts_with_braces() {
        for text in [
            "{ me { id } }",
            "query Q($id: ID!) { user(id: $id) { ...F } } fragment F on User { name }",
            "mutation { add(text: \"' or <x> * 1\", n: -1.5) @skip(if: true) { id } }",
            "# comment * '\n{ a }",
            "\n  {\n    shop { name }\n  }\n",
        ] {
            assert!(is_document(text), "{text}");
        }
        for text in
            ["", "shoes", "{{7*7}}", "{{x}}", "${7}", "{ a", "{ a } }", "query", "query \"open", "{ a; b }", "{' or 1}"]
        {
            assert!(!is_document(text), "{text}");
        }
    }

    #[test]
    fn strings_and_comments_are_told_apart_from_code() {
        let mut strings = Vec::new();
        parts("{ a(x: \"b\\\"c\", y: \"\"\"d \" e\"\"\") # f\n }", &mut |_, string| {
            strings.extend(string.map(str::to_owned));
        });
        assert_eq!(strings, ["b\\\"c", "d \" e", " f"]);
    }
}
