//! Endpoint patterns: `METHOD /path/{name}`, `*` for any method or, at the end, any rest of the path.

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Upper case; `None` for any.
    method: Option<String>,
    segments: Vec<Segment>,
    /// Whether any further segments fit.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `{name}`: any one segment that is not empty.
    Any(String),
}

impl Pattern {
    /// Parses a pattern; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (method, path) = text.split_once(' ').ok_or("expected `METHOD /path`, or `* /path` for any method")?;
        let method = match method {
            "*" => None,
            m if !m.is_empty() && m.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') => {
                Some(m.to_ascii_uppercase())
            }
            m => return Err(format!("`{m}` is no method; use letters, or `*` for any")),
        };
        let path = path.trim();
        // `*` alone and `/*` both stand for every path.
        let path = if path == "*" { "/*" } else { path };
        let rest = path.strip_prefix('/').ok_or_else(|| format!("the path `{path}` does not start with `/`"))?;
        let (rest, open) = match rest.strip_suffix('*') {
            Some("") => ("", true),
            Some(before) if before.ends_with('/') => (before.trim_end_matches('/'), true),
            Some(_) => return Err("`*` stands for whole segments: write `/*` at the end".to_owned()),
            None => (rest, false),
        };
        let segments = if rest.is_empty() && open {
            Vec::new()
        } else {
            rest.split('/').map(segment).collect::<Result<_, _>>()?
        };
        Ok(Self { method, segments, open })
    }

    /// Whether a request fits. `path` starts with `/`; the comparison is exact, as the platform handed it over.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|m| m != method) {
            return false;
        }
        let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
        let fits = self.segments.iter().all(|segment| match (segment, parts.next()) {
            (Segment::Literal(literal), Some(part)) => literal == part,
            (Segment::Any(_), Some(part)) => !part.is_empty(),
            (_, None) => false,
        });
        fits && (self.open || parts.next().is_none())
    }

    /// The placeholders' names with the raw segments of a path that fits.
    pub fn captures<'a>(&'a self, path: &'a str) -> Vec<(&'a str, &'a str)> {
        let parts = path.strip_prefix('/').unwrap_or(path).split('/');
        let named = self.segments.iter().zip(parts).filter_map(|(segment, part)| match segment {
            Segment::Any(name) => Some((name.as_str(), part)),
            Segment::Literal(_) => None,
        });
        named.collect()
    }

    /// Whether there is a placeholder of this name.
    pub fn names(&self, name: &str) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Any(n) if n == name))
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    let named = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    match named {
        Some("") => Err("`{}` needs a name".to_owned()),
        Some(name) => Ok(Segment::Any(name.to_owned())),
        None if text.contains(['{', '}', '*']) => {
            Err(format!("`{text}`: a placeholder is a whole segment, `{{name}}`"))
        }
        None => Ok(Segment::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn placeholders_are_captured_by_name() {
        let pattern = Pattern::parse("GET /users/{user}/orders/{order}").unwrap();
        assert_eq!(pattern.captures("/users/7/orders/a%20b"), [("user", "7"), ("order", "a%20b")]);
        assert!(pattern.names("user") && !pattern.names("users"));
    }

    #[test]
    fn patterns_fit_what_they_say() {
        for (pattern, method, path, fits) in [
            ("POST /api/orders", "POST", "/api/orders", true),
            ("POST /api/orders", "GET", "/api/orders", false),
            ("POST /api/orders", "POST", "/api/orders/", false),
            ("* /api/orders", "PROPFIND", "/api/orders", true),
            ("GET /api/orders/{id}", "GET", "/api/orders/42", true),
            ("GET /api/orders/{id}", "GET", "/api/orders/", false),
            ("GET /api/orders/{id}", "GET", "/api/orders/42/items", false),
            ("GET /api/*", "GET", "/api/orders/42", true),
            ("GET /api/*", "GET", "/apix", false),
            ("* *", "GET", "/", true),
            ("* /*", "GET", "//host/x", true),
            ("get /", "GET", "/", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(method, path), fits, "{pattern} {method} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "/api", "GET api", "G3T /x", "GET /a*", "GET /{}", "GET /a{b}", "GET /*/b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
