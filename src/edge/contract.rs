//! An exchange beside the contract of its operation, once it is over: nobody waits for that.

use super::isolate::Isolate;
use super::outcome::Answered;
use super::request::{Described, Start};
use crate::inspect::Attack;
use crate::inventory::Known;
use crate::inventory::contract::{self, Asked, Fault};
use crate::policy::Policy;
use crate::session::{Carried, Detector, Severity};

/// How sure it is that the exchange is unlike its document, in hundredths: documents lag behind.
const CONFIDENCE: u8 = 50;

/// What the exchange has that its document does not let it have. An answer that is ours, or none, is not looked at.
pub fn look(
    described: &Described<'_>,
    body: Option<&Start>,
    answered: Option<&Answered<'_>>,
    known: &Known,
    policy: &Policy,
    isolate: &Isolate,
) -> Option<Carried> {
    policy.detectors.attacks.get(Attack::SchemaViolation)?;
    let document = isolate.documents.document(known.document)?;
    let contract = &document.operations.get(known.operation)?.contract;
    let header = |name: &str| Some(described.header(policy, name)).filter(|value| !value.is_empty());
    let content_encoding = described.header(policy, "content-encoding");
    let asked = Asked {
        template: &known.template,
        path: described.path,
        query: described.query,
        header: &header,
        content_type: described.content_type(policy),
        encoded: !matches!(content_encoding, "" | "identity"),
        body: body.map(|start| (start.bytes.as_slice(), start.cut)),
        bodiless: described.request_bytes == Some(0),
    };
    let mut faults = contract::request(contract, &document.schemas, &asked);
    let is_clients = !faults.is_empty();
    if let Some(answered) = answered.filter(|_| described.method != "HEAD") {
        let content_type = answered.told.parts(policy, answered.status, None).headers.get("content-type");
        let answer = contract::Answered {
            status: answered.status,
            content_type: content_type.unwrap_or(""),
            body: answered.response_body.as_ref().map(|start| (start.bytes.as_slice(), start.cut)),
        };
        faults.extend(contract::answer(contract, &document.schemas, &answer));
    }
    let exceptions: Vec<_> = policy.exceptions(described.method, described.path).collect();
    let is_excepted = |fault: &Fault| {
        let name = fault.place.rsplit(['.', '#']).next().unwrap_or("");
        exceptions.iter().any(|exception| {
            exception.detector.is_none_or(|of| of == Detector::Attack(Attack::SchemaViolation))
                && exception.parameter.as_deref().is_none_or(|parameter| parameter == name)
        })
    };
    faults.retain(|fault| !is_excepted(fault));
    let (place, what) = contract::told(&faults)?;
    // What the origin answers is nothing against its client.
    let severity = if is_clients { Severity::Low } else { Severity::Info };
    Some(Carried { attack: Attack::SchemaViolation, severity, confidence: CONFIDENCE, place, what, stopped: false })
}
