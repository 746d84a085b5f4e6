//! Path templates of documents: `/pets/{id}`, and segments that hold more than a placeholder, `/report.{format}`.

/// Longest template, bytes, and segments it may have.
const MAX_LENGTH: usize = 1_024;
const MAX_SEGMENTS: usize = 64;

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Literal(String),
    /// What stands before, between and behind placeholders; `["", ""]` is one placeholder alone.
    Pieces(Vec<String>),
    /// `{proxy+}`, `{path*}` or `{*path}` at the end, as gateways and frameworks write it: any rest that is not empty.
    Rest,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub segments: Vec<Segment>,
    /// Names of the placeholders, in order.
    pub names: Vec<String>,
}

impl Template {
    /// Parses a template that starts with `/`; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH || text.split('/').count() > MAX_SEGMENTS {
            return Err(format!("has more than {MAX_LENGTH} bytes or {MAX_SEGMENTS} segments"));
        }
        let rest = text.strip_prefix('/').ok_or("does not start with `/`")?;
        if rest.contains(['?', '#']) {
            return Err("holds a query or fragment; parameters are described, not part of the path".to_owned());
        }
        let (mut segments, mut names) = (Vec::new(), Vec::<String>::new());
        for segment in rest.split('/') {
            let mut pieces = vec![String::new()];
            let mut left = segment;
            while let Some((before, behind)) = left.split_once('{') {
                if before.contains('}') {
                    return Err(format!("`{segment}` closes a brace that it did not open"));
                }
                let (name, behind) =
                    behind.split_once('}').ok_or_else(|| format!("`{segment}` leaves a brace open"))?;
                if name.is_empty() || name.contains('{') {
                    return Err(format!("`{segment}` has a placeholder without a name"));
                }
                if let Some(last) = pieces.last_mut() {
                    last.push_str(before);
                }
                pieces.push(String::new());
                names.push(name.to_owned());
                left = behind;
            }
            if left.contains('}') {
                return Err(format!("`{segment}` closes a brace that it did not open"));
            }
            if let Some(last) = pieces.last_mut() {
                last.push_str(left);
            }
            segments.push(match pieces.len() {
                1 => Segment::Literal(segment.to_owned()),
                _ => Segment::Pieces(pieces),
            });
        }
        let twice = names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|known| known == *name));
        if let Some((_, name)) = twice {
            return Err(format!("has the placeholder `{{{name}}}` twice"));
        }
        let is_rest = |name: &String| name.ends_with(['+', '*']) || name.starts_with('*');
        let alone =
            |segment: &Segment| matches!(segment, Segment::Pieces(pieces) if pieces.iter().all(String::is_empty));
        if names.last().is_some_and(is_rest)
            && let Some(last) = segments.last_mut().filter(|last| alone(last))
        {
            *last = Segment::Rest;
        }
        Ok(Self { segments, names })
    }
}

/// Whether a segment of a path is an instance of these pieces; placeholders stand for at least one character.
pub fn fits(pieces: &[String], segment: &str, ignore_case: bool) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    let starts = |text: &str, piece: &str| {
        let start = text.get(..piece.len());
        start.is_some_and(|start| start == piece || (ignore_case && start.eq_ignore_ascii_case(piece)))
    };
    if !starts(segment, first) {
        return false;
    }
    let mut rest = segment.get(first.len()..).unwrap_or("");
    for piece in middle {
        // The first place that leaves something for the placeholder before it.
        let found = rest
            .char_indices()
            .skip(1)
            .map(|(at, _)| at)
            .find(|at| rest.get(*at..).is_some_and(|behind| starts(behind, piece)));
        let Some(at) = found else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or("");
    }
    let Some(value_len) = rest.len().checked_sub(last.len()) else { return false };
    value_len > 0 && rest.get(value_len..).is_some_and(|end| starts(end, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_hold_placeholders_alone_and_among_text() {
        for (template, segment, is_fit) in [
            ("/{id}", "42", true),
            ("/{id}", "", false),
            ("/report.{format}", "report.csv", true),
            ("/report.{format}", "report.", false),
            ("/{name}.json", ".json", false),
            ("/{name}.json", "a.b.json", true),
            ("/{from}-{to}", "2026-11", true),
            ("/{from}-{to}", "-11", false),
            ("/users({id})", "users(7)", true),
            ("/users({id})", "users()", false),
            ("/items:{action}", "items:archive", true),
            ("/{a}é{b}", "xéy", true),
        ] {
            let parsed = Template::parse(template).unwrap();
            let Segment::Pieces(pieces) = &parsed.segments[0] else { panic!("{template} has placeholders") };
            assert_eq!(fits(pieces, segment, false), is_fit, "{template} {segment}");
        }
        assert_eq!(Template::parse("/a/{b}/c-{d}").unwrap().names, ["b", "d"]);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in ["", "a", "/{", "/}", "/{}", "/a{b}}", "/{a}/{a}", "/a?b={c}", "/a#b", "/{{a}}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
    }
}
