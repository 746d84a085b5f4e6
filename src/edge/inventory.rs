//! The part of the API that is about endpoints and documents: the fleet counts and keeps, this isolate compares.

use wasm_bindgen_futures::JsFuture;

use super::admin::{Answer, Api, page};
use super::documents::{self, Source};
use super::isolate;
use super::object;
use super::problem::{json, respond};
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::documents::{DocumentAnswer, DocumentDetails, changes, operation_names};
use crate::api::{ListAnswer, Refusal, discovered};
use crate::inventory::openapi::{Document, MAX_BYTES};
use crate::query::{
    Asked, ChangeAnswer, DocumentName, EndpointAnswer, EndpointTerm, ParameterError, Positions, Survey, parse_changes,
    parse_endpoints, parse_sessions, rfc3339,
};
use crate::wire::{FleetOrder, FleetReply};

const NO_ENDPOINT: Refusal = Refusal::NotFound("No endpoint has this id.");
const NO_DOCUMENT: Refusal = Refusal::NotFound("No uploaded document has this number.");

impl Api<'_> {
    /// Every endpoint, and whether some found no room.
    async fn survey(&self) -> Result<(Vec<EndpointAnswer>, bool), Refusal> {
        documents::refresh(self.env, self.policy).await;
        let reply = object::order_fleet(self.env, &FleetOrder::Endpoints, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Endpoints { endpoints, unlisted } = reply else { return Err(Refusal::Unavailable) };
        let known = isolate::with(|i| i.documents.clone());
        let names: Vec<DocumentName<'_>> = known
            .sources
            .iter()
            .filter_map(|source| {
                let document = source.document.as_ref().ok()?;
                let added_ms = source.added_ms.unwrap_or(0);
                let operations = document.operations.as_slice();
                Some(DocumentName { title: &document.title, version: &document.version, added_ms, operations })
            })
            .collect();
        let learned = &known.news.learned;
        let survey = Survey { endpoints: &endpoints, catalogue: &known.catalogue, documents: &names, learned };
        Ok((survey.rows(), unlisted > 0))
    }

    pub(super) async fn endpoints(&self) -> Answer {
        let Asked { query, question, as_of_ms, .. } = parse_endpoints(self.query, self.now_ms)?;
        let (rows, partial) = self.survey().await?;
        Ok(page(query.page(rows), partial, question, as_of_ms, Positions::default()))
    }

    /// What changed about endpoints.
    pub(super) async fn endpoint_changes(&self) -> Answer {
        let Asked { query, question, as_of_ms, .. } = parse_changes(self.query, self.now_ms)?;
        documents::refresh(self.env, self.policy).await;
        let reply = object::order_fleet(self.env, &FleetOrder::EndpointChanges, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::EndpointChanges(changes) = reply else { return Err(Refusal::Unavailable) };
        let catalogue = isolate::with(|i| i.documents.catalogue.clone());
        let changes = changes.iter().map(|change| ChangeAnswer::new(change, &catalogue)).collect();
        Ok(page(query.page(changes), false, question, as_of_ms, Positions::default()))
    }

    pub(super) async fn endpoint(&self, id: &str) -> Answer {
        Ok(json(200, &self.endpoint_row(id).await?))
    }

    async fn endpoint_row(&self, id: &str) -> Result<EndpointAnswer, Refusal> {
        let (rows, _) = self.survey().await?;
        rows.into_iter().find(|row| row.id == id).ok_or(NO_ENDPOINT)
    }

    /// The sessions that used an endpoint, with the filters and pages of `GET sessions`.
    pub(super) async fn endpoint_sessions(&self, id: &str) -> Answer {
        let mut asked = parse_sessions(self.query, self.now_ms)?;
        if !asked.query.filter.endpoint.any.is_empty() {
            let reason = "is given by the path".to_owned();
            return Err(ParameterError { name: "endpoint".to_owned(), reason }.into());
        }
        let row = self.endpoint_row(id).await?;
        asked.query.filter.endpoint.any =
            row.recorded.iter().map(|template| EndpointTerm::exactly(&row.method, &row.host, template)).collect();
        if row.recorded.is_empty() {
            return Ok(json(200, &ListAnswer::<EndpointAnswer> { items: Vec::new(), next: None, partial: false }));
        }
        self.sessions_asked(asked).await
    }

    /// Takes a learned template back.
    pub(super) async fn unlearn(&self, id: &str) -> Answer {
        let row = self.endpoint_row(id).await?;
        if !row.learned {
            return Err(Refusal::Conflict("The template was not learned from use; there is nothing to take back."));
        }
        let order =
            FleetOrder::Unlearn { template: row.template, actor: self.caller.name.clone(), now_ms: self.now_ms };
        object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
        documents::refresh(self.env, self.policy).await;
        Ok(respond(204, "application/json", b"", &[]))
    }

    pub(super) async fn discovered(&self) -> Answer {
        let (rows, _) = self.survey().await?;
        Ok(json(200, &discovered::document(&rows, &rfc3339(self.now_ms))))
    }

    pub(super) async fn documents(&self) -> Answer {
        let told = documents::refresh(self.env, self.policy).await;
        let sources = isolate::with(|i| i.documents.sources.clone());
        let items: Vec<DocumentAnswer> = sources.iter().map(shown).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial: !told }))
    }

    pub(super) async fn document(&self, id: u64) -> Answer {
        documents::refresh(self.env, self.policy).await;
        self.details(id, Vec::new()).map(|details| json(200, &details)).ok_or(NO_DOCUMENT)
    }

    fn details(&self, id: u64, warnings: Vec<String>) -> Option<DocumentDetails> {
        let sources = isolate::with(|i| i.documents.sources.clone());
        let at = sources.iter().position(|source| source.id == Some(id))?;
        let document = sources.get(at)?.document.as_ref().ok()?;
        let older = sources.iter().skip(at + 1).filter_map(|source| source.document.as_ref().ok());
        let before = older.into_iter().find(|older| older.title == document.title);
        Some(DocumentDetails {
            document: shown(sources.get(at)?),
            operation_names: operation_names(document),
            changes: before.map(|before| changes(before, document)),
            warnings,
        })
    }

    /// Takes a document in: its text is the body.
    pub(super) async fn add_document(&self) -> Answer {
        let text = self.text_of(MAX_BYTES).await?;
        let (document, warnings) = Document::parse(&text).map_err(Refusal::Document)?;
        let order = FleetOrder::AddDocument { document, actor: self.caller.name.clone(), now_ms: self.now_ms };
        let id = match object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? {
            FleetReply::Document { id } => id,
            FleetReply::Full => {
                return Err(Refusal::Conflict("As many documents as may be are uploaded; remove an old one first."));
            }
            FleetReply::TooLarge => return Err(Refusal::Body("the document has too many operations; split it".into())),
            _ => return Err(Refusal::Unavailable),
        };
        documents::refresh(self.env, self.policy).await;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        self.details(id, warnings).map(|details| json(201, &details)).ok_or(Refusal::Unavailable)
    }

    pub(super) async fn remove_document(&self, id: u64) -> Answer {
        let order = FleetOrder::RemoveDocument { id, actor: self.caller.name.clone(), now_ms: self.now_ms };
        let reply = object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await?;
        documents::refresh(self.env, self.policy).await;
        match reply {
            FleetReply::Done { existed: true } => Ok(respond(204, "application/json", b"", &[])),
            FleetReply::Done { existed: false } => Err(NO_DOCUMENT),
            _ => Err(Refusal::Unavailable),
        }
    }

    /// The text of the body.
    async fn text_of(&self, max: usize) -> Result<String, Refusal> {
        let unreadable = |_| Refusal::Body("the body cannot be read".into());
        let promise = self.request.array_buffer().map_err(unreadable)?;
        let buffer = JsFuture::from(promise).await.map_err(unreadable)?;
        let bytes = js_sys::Uint8Array::new(&buffer);
        if bytes.length() as usize > max {
            return Err(Refusal::TooLarge(max));
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::Body("the body is no UTF-8 text".into()))
    }
}

fn shown(source: &Source) -> DocumentAnswer {
    let document = source.document.as_deref().map_err(Vec::as_slice);
    DocumentAnswer::new(source.id, source.name.clone(), source.added_ms, document)
}
