//! `INVENTORY`: the documents that requests are compared with, and templates that no document has.

use serde::Deserialize;
use serde_json::Value;

use crate::inventory::openapi::{Document, Template};

/// Documents that may be configured; further ones are uploaded.
pub const MAX_DOCUMENTS: usize = 32;
const MAX_TEMPLATES: usize = 500;

/// What requests are compared with, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InventoryPlan {
    /// Newest first.
    pub documents: Vec<DocumentSource>,
    pub templates: Vec<String>,
}

/// Where a configured document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentSource {
    /// Path below the ASSETS binding.
    Asset(String),
    Inline(Box<Document>),
}

/// `INVENTORY` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawInventory {
    documents: Vec<Value>,
    templates: Vec<String>,
}

impl RawInventory {
    /// The plan, with everything that is wrong: field and reason.
    pub fn resolve(self) -> (InventoryPlan, Vec<(String, String)>) {
        let (mut plan, mut faults) = (InventoryPlan::default(), Vec::new());
        if self.documents.len() > MAX_DOCUMENTS {
            let reason = format!("has {} entries; at most {MAX_DOCUMENTS} are taken", self.documents.len());
            faults.push(("documents".to_owned(), reason));
        }
        for (at, document) in self.documents.iter().enumerate() {
            let field = format!("documents[{at}]");
            match document {
                Value::String(path) if path.starts_with('/') && !path.starts_with("//") => {
                    plan.documents.push(DocumentSource::Asset(path.clone()));
                }
                Value::String(_) => faults.push((field, "is no path of an asset: it starts with one `/`".to_owned())),
                value => match Document::from_value(value) {
                    Ok((document, _)) => plan.documents.push(DocumentSource::Inline(Box::new(document))),
                    Err(wrong) => faults.extend(wrong.into_iter().map(|fault| (field.clone(), fault.to_string()))),
                },
            }
        }
        if self.templates.len() > MAX_TEMPLATES {
            let reason = format!("has {} entries; at most {MAX_TEMPLATES} are taken", self.templates.len());
            faults.push(("templates".to_owned(), reason));
        }
        for (at, template) in self.templates.into_iter().enumerate() {
            match Template::parse(&template) {
                Ok(_) => plan.templates.push(template),
                Err(reason) => faults.push((format!("templates[{at}]"), reason)),
            }
        }
        (plan, faults)
    }
}
