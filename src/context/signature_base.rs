//! The signature base of RFC 9421 §2.5: the one text that both sides build and sign.

/// One line a component, in order, then the line of the parameters.
///
/// `components` are pairs of identifier, without quotes or parameters, and value as §2.1 or §2.2 derives it;
/// `parameters` is the serialised Inner List that follows the label in `Signature-Input`.
///
/// §2.5 has no base for a value with a line break. There is none in a request that the platform has parsed; if one came
/// here all the same, its control characters are left out, so that no value can pose as a line, and the signature fits
/// no request that still has them.
pub(super) fn signature_base(components: &[(&str, &str)], parameters: &str) -> String {
    let length = |(name, value): &(&str, &str)| name.len() + value.len() + 5;
    let total: usize = components.iter().map(length).sum();
    let mut base = String::with_capacity(total + parameters.len() + 24);
    for (name, value) in components {
        base.push('"');
        base.push_str(name);
        base.push_str("\": ");
        base.extend(value.chars().filter(|c| !c.is_control()));
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_rfc_9421_b_2_5_is_reproduced() {
        let base = signature_base(
            &[
                ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
                ("@authority", "example.com"),
                ("content-type", "application/json"),
            ],
            r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        );
        let expected = [
            r#""date": Tue, 20 Apr 2021 02:07:55 GMT"#,
            r#""@authority": example.com"#,
            r#""content-type": application/json"#,
            r#""@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
        ];
        assert_eq!(base, expected.join("\n"));
    }

    #[test]
    fn no_value_can_pose_as_a_line() {
        let base = signature_base(&[("@path", "/a\r\n\"@query\": ?b")], "()");
        assert_eq!(base, "\"@path\": /a\"@query\": ?b\n\"@signature-params\": ()");
    }
}
