//! Vectors that an origin must accept.

use throughline::context::Context;
use throughline::verdict::Action;

use super::{CREATED, Case, Vector};

/// A request with something of its own, signed as it is.
fn signed(name: &'static str, prepare: impl FnOnce(&mut Case)) -> Vector {
    let mut case = Case::usual();
    prepare(&mut case);
    case.vector(name)
}

/// The usual request after something that must not matter.
fn changed(name: &'static str, change: impl FnOnce(&mut Vector)) -> Vector {
    let mut vector = Case::usual().vector(name);
    change(&mut vector);
    vector
}

pub fn vectors() -> Vec<Vector> {
    requests().into_iter().chain(contexts()).chain(signatures()).chain(surroundings()).collect()
}

fn requests() -> Vec<Vector> {
    vec![
        signed("everything as usual", |_| {}),
        signed("no query", |case| case.query = None),
        signed("an empty query", |case| case.query = Some("")),
        signed("odd characters in the query", |case| case.query = Some("q=%C3%A9&a[]=1&b=%22;,+~?x=y&=&&'")),
        signed("an empty path stands for /", |case| case.path = ""),
        signed("odd characters in the path", |case| case.path = "/a%2Fb//c;v=1/%7Ed/..%2e/'\"$&+,:=@"),
        signed("another method", |case| case.method = "DELETE"),
        signed("a method in lower case", |case| case.method = "patch"),
        signed("a port in the authority", |case| case.authority = "shop.example:8443"),
        signed("an authority in mixed case", |case| case.authority = "Shop.Example"),
        signed("an IPv6 authority", |case| case.authority = "[2001:DB8::443]:8080"),
    ]
}

fn contexts() -> Vec<Vector> {
    vec![
        signed("a user beyond ASCII", |case| case.context.user = Some("Zoë \"%\" 山田 ✓ \\")),
        signed("a user with quotes and commas", |case| case.context.user = Some("a\"b\\c, risk=0, user=\"d")),
        signed("an empty user", |case| case.context.user = Some("")),
        signed("no user", |case| case.context.user = None),
        signed("control characters in the user", |case| case.context.user = Some("a\r\nrisk: 0\0\u{7f}")),
        signed("a session nothing is known of", |case| {
            let nothing = Context { risk: 0, known: false, verified: false, user: None, findings: &[], ..case.context };
            case.context = nothing;
        }),
        signed("a session with a past", |case| {
            let findings = &["sqli", "bola", "credential_stuffing"];
            case.context = Context { risk: 100, verdict: Action::Tag, findings, ..case.context };
        }),
    ]
}

fn signatures() -> Vec<Vector> {
    vec![
        signed("the client signed too", |case| {
            case.client = (
                r#"sig1=("@method" "@path";req "date");created=1699999990;keyid="a, \"b\"", b=("x");p=%"\""#,
                "sig1=:dGhlIGNsaWVudCdzIG93bg==:, b=:AA==:",
            );
        }),
        signed("every kind of value beside ours", |case| {
            case.client =
                ("a;b;b=?0, c=-1.5, d=@-7, e=*t/:%, f=%\"%c3%ab\", g=(1  :AA==: \"\\\\\");h=i, a=7", "a=(  )");
        }),
        signed("the client signed under our label", |case| {
            case.client = ("throughline=(\"@method\");created=1, sig1=()", "throughline=:AA==:, sig1=:AA==:");
        }),
        changed("two keys while they are changed, the new one used", |v| v.keys = vec!["previous", "current"]),
        Vector {
            keys: vec!["current", "previous"],
            ..signed("two keys while they are changed, the old one used", |case| case.key = "previous")
        },
    ]
}

fn surroundings() -> Vec<Vector> {
    vec![
        changed("the origin's clock is 5 s behind", |v| v.now = CREATED - 5),
        changed("the last second", |v| v.now = CREATED + 59),
        changed("names of headers in another case", |v| {
            let names = ["host", "SESSION-CONTEXT", "signature-input", "sIGNATURE"];
            v.request.headers.iter_mut().zip(names).for_each(|((name, _), other)| *name = other);
        }),
        changed("white space around the fields", |v| {
            v.request.headers.iter_mut().for_each(|(_, value)| *value = format!(" \t{value} "));
        }),
        changed("signatures in lines of their own", |v| {
            v.request.headers.insert(0, ("Signature-Input", "sig1=();a=b".to_owned()));
            v.request.headers.push(("Signature", "sig1=:AA==:".to_owned()));
        }),
        changed("more white space between components and parameters", |v| {
            v.request.replace("Signature-Input", "(\"@method\" ", "(  \"@method\"   ");
            v.request.replace("Signature-Input", ";created", "; created");
        }),
    ]
}
