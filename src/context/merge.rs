//! Our signature beside those of the client: both fields are Dictionaries with one member a signature (RFC 9421 §4).

use sfv::Parser;
use sfv::visitor::Ignored;

use super::sign::{LABEL, Signed};

/// The values of `Signature-Input` and `Signature` for the origin.
///
/// The arguments are what the client sent under these names, field lines joined with `, `, or `""`. Its signatures go on
/// as sent, before ours: the origin may ask for them. A member under our label is left out, for only we sign under it.
/// If either field is no Dictionary (RFC 9651 §4.2.2; keys are lower case) neither can be used, and both are dropped.
pub fn merge(existing_input: &str, existing_signature: &str, signed: &Signed) -> (String, String) {
    match (others(existing_input), others(existing_signature)) {
        (Some(input), Some(signature)) => {
            (followed_by(input, &signed.signature_input), followed_by(signature, &signed.signature))
        }
        _ => (signed.signature_input.clone(), signed.signature.clone()),
    }
}

/// The members under other labels, as sent; `None` where the field is no Dictionary.
fn others(field: &str) -> Option<Vec<&str>> {
    Parser::new(field).parse_dictionary_with_visitor(Ignored).ok()?;
    let kept = members(field).filter(|member| !member.is_empty() && label(member) != LABEL);
    Some(kept.collect())
}

fn followed_by<'a>(mut members: Vec<&'a str>, ours: &'a str) -> String {
    members.push(ours);
    members.join(", ")
}

fn label(member: &str) -> &str {
    member.split(['=', ';']).next().unwrap_or(member)
}

/// The members of a well-formed Dictionary, as sent: what stands between the commas outside quotes.
///
/// Nothing but Strings and Display Strings can hold a comma; and a backslash escapes in the first but not in the second
/// (§4.2.5, §4.2.10).
fn members(field: &str) -> impl Iterator<Item = &str> {
    #[derive(Clone, Copy)]
    enum Place {
        Outside { after_percent: bool },
        String { escaped: bool },
        DisplayString,
    }
    use Place::{DisplayString, Outside, String};
    let mut place = Outside { after_percent: false };
    let parts = field.split(move |c| {
        let is_separator = matches!((place, c), (Outside { .. }, ','));
        place = match (place, c) {
            (Outside { after_percent: true }, '"') => DisplayString,
            (Outside { .. }, '"') => String { escaped: false },
            (Outside { .. }, c) => Outside { after_percent: c == '%' },
            (String { escaped: false }, '"') | (DisplayString, '"') => Outside { after_percent: false },
            (String { escaped: false }, '\\') => String { escaped: true },
            (String { .. }, _) => String { escaped: false },
            (DisplayString, _) => DisplayString,
        };
        is_separator
    });
    parts.map(|part| part.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(input: &str, signature: &str) -> (String, String) {
        let signed = Signed {
            session_context: "id=\"0\"".to_owned(),
            signature_input: "throughline=();a".to_owned(),
            signature: "throughline=:AA==:".to_owned(),
        };
        merge(input, signature, &signed)
    }

    fn ours() -> (String, String) {
        ("throughline=();a".to_owned(), "throughline=:AA==:".to_owned())
    }

    #[test]
    fn without_other_signatures_ours_stands_alone() {
        assert_eq!(merged("", ""), ours());
        assert_eq!(merged("  ", ""), ours());
    }

    #[test]
    fn signatures_of_the_client_go_before_ours_as_sent() {
        let (input, signature) =
            merged("sig1=(\"@method\"  \"date\" );created=1 ,\tb=(  );x=\"1, \\\", 2\"", "sig1=:aGk=:, b=:aGk:");
        assert_eq!(input, "sig1=(\"@method\"  \"date\" );created=1, b=(  );x=\"1, \\\", 2\", throughline=();a");
        assert_eq!(signature, "sig1=:aGk=:, b=:aGk:, throughline=:AA==:");
    }

    #[test]
    fn nobody_else_signs_under_our_label() {
        let forged = "throughline=(\"@method\");created=1";
        for input in [forged.to_owned(), format!("{forged}, throughline=2;x, throughline, throughline;y=\"a, b\"")] {
            assert_eq!(merged(&input, "throughline=:Zm9yZ2Vk:"), ours(), "{input}");
        }
        let (input, signature) =
            merged(&format!("a=(), {forged}, throughliner=()"), "throughline=:Zm9yZ2Vk:, a=:AA==:");
        assert_eq!(input, "a=(), throughliner=(), throughline=();a");
        assert_eq!(signature, "a=:AA==:, throughline=:AA==:");
    }

    #[test]
    fn quotes_do_not_hide_a_forged_member() {
        // Read with the rules of a String, the Display String would not end at its backslash.
        let (input, _) = merged(r#"a=%"\", throughline=(), b=%"", c="\", throughline=1""#, "");
        assert_eq!(input, r#"a=%"\", b=%"", c="\", throughline=1", throughline=();a"#);
        // A percent sign may end a Token; what follows is then no Display String but an error.
        assert_eq!(merged(r#"a=t%"\", throughline=()"#, ""), ours());
        let (input, _) = merged(r#"a=t%, b="%\", throughline=()", throughline=x"#, "");
        assert_eq!(input, r#"a=t%, b="%\", throughline=()", throughline=();a"#);
    }

    #[test]
    fn a_field_that_is_no_dictionary_drops_both() {
        for bad in ["sig1=(", "Sig1=()", "Throughline=()", "a=1,", "a=\"é\"", "a=1 b=2", ",", "a=\"x", "a=:AA==", "\0"]
        {
            assert_eq!(merged(bad, "sig1=:AA==:"), ours(), "{bad:?}");
            assert_eq!(merged("sig1=()", bad), ours(), "{bad:?}");
        }
    }
}
