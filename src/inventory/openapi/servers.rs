//! `servers`: hosts and base paths, with their variables.

use serde_json::Value;

use super::{Base, Fault};

/// Servers read of one list, and base paths one of them may stand for by the values of its variables.
const MAX_SERVERS: usize = 64;
const MAX_VARIANTS: usize = 16;

/// The bases of a list of servers; none where there is no list. What is no server is told and left out.
pub fn bases(servers: Option<&Value>, pointer: &str, faults: &mut Vec<Fault>) -> Vec<Base> {
    let Some(servers) = servers else { return Vec::new() };
    let Some(list) = servers.as_array() else {
        faults.push(Fault::at(pointer, "is no list of servers"));
        return Vec::new();
    };
    if list.len() > MAX_SERVERS {
        faults.push(Fault::at(pointer, format!("has {} servers; at most {MAX_SERVERS} are taken", list.len())));
        return Vec::new();
    }
    let mut bases = Vec::new();
    for (at, server) in list.iter().enumerate() {
        let pointer = format!("{pointer}/{at}/url");
        match server.get("url").and_then(Value::as_str) {
            None => faults.push(Fault::at(pointer, "is missing, or no text")),
            Some(url) => match variants(url, server.get("variables")) {
                Ok(variants) => bases.extend(variants),
                Err(reason) => faults.push(Fault::at(pointer, reason)),
            },
        }
    }
    bases.sort();
    bases.dedup();
    bases
}

fn variants(url: &str, variables: Option<&Value>) -> Result<Vec<Base>, String> {
    let (authority, path) = match url.split_once("://") {
        Some((_, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), path)
        }
        None => match url.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            // A variable alone, `{baseUrl}`, stands for anything.
            None if url.starts_with('{') && !url.contains("}/") => (None, ""),
            None => match url.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((_, path)) => (None, path),
                None => (None, url),
            },
        },
    };
    let path = path.split(['?', '#']).next().unwrap_or("");
    // A host that depends on a variable is any host.
    let host = authority.filter(|host| !host.contains('{')).map(host_of).filter(|host| !host.is_empty());
    let mut paths = vec![String::new()];
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}').ok_or_else(|| format!("`{url}` leaves a brace open"))?;
        let values =
            values_of(name, variables).ok_or_else(|| format!("`{{{name}}}` has no default among the variables"))?;
        paths = paths.iter().flat_map(|path| values.iter().map(move |value| [path, before, value].concat())).collect();
        if paths.len() > MAX_VARIANTS {
            return Err(format!("the variables of `{url}` give more than {MAX_VARIANTS} base paths"));
        }
        rest = behind;
    }
    Ok(paths
        .into_iter()
        .map(|path| {
            let path = [path.as_str(), rest].concat();
            let trimmed = path.trim_matches('/');
            let path = if trimmed.is_empty() { String::new() } else { ["/", trimmed].concat() };
            Base { host: host.clone(), path }
        })
        .collect())
}

/// The default of a variable with what else it may be.
fn values_of(name: &str, variables: Option<&Value>) -> Option<Vec<String>> {
    let variable = variables?.get(name)?;
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let default = variable.get("default").and_then(text)?;
    let others = variable.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(text);
    let mut values = vec![default];
    for other in others {
        if !values.contains(&other) {
            values.push(other);
        }
    }
    Some(values)
}

/// A host without its port, lower case.
pub fn host_of(authority: &str) -> String {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty() => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn servers_are_hosts_and_base_paths() {
        for (server, expected) in [
            (json!({ "url": "/" }), vec![(None, "")]),
            (json!({ "url": "https://API.example.com:8443/v2/" }), vec![(Some("api.example.com"), "/v2")]),
            (json!({ "url": "//api.example.com" }), vec![(Some("api.example.com"), "")]),
            (json!({ "url": "v1" }), vec![(None, "/v1")]),
            (json!({ "url": "https://[2001:db8::1]:80/x" }), vec![(Some("[2001:db8::1]"), "/x")]),
            (json!({ "url": "{baseUrl}" }), vec![(None, "")]),
            (json!({ "url": "{scheme}://{host}/v1" }), vec![(None, "/v1")]),
            (
                json!({ "url": "https://x.test/{v}/a", "variables": { "v": { "default": "v2", "enum": ["v1", "v2"] } } }),
                vec![(Some("x.test"), "/v1/a"), (Some("x.test"), "/v2/a")],
            ),
        ] {
            let mut faults = Vec::new();
            let found = bases(Some(&json!([server])), "/servers", &mut faults);
            let found: Vec<_> = found.iter().map(|base| (base.host.as_deref(), base.path.as_str())).collect();
            assert_eq!((found, faults), (expected, Vec::new()), "{server}");
        }
    }

    #[test]
    fn what_is_no_server_is_named() {
        let mut faults = Vec::new();
        let list = json!([{ "url": 1 }, { "url": "https://x/{v}" }, { "url": "https://x/{v" }, {}]);
        assert!(bases(Some(&list), "/servers", &mut faults).is_empty());
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/servers/0/url", "/servers/1/url", "/servers/2/url", "/servers/3/url"]);
    }
}
