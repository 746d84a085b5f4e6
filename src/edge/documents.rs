//! The documents in this isolate: configured inline, fetched from assets by `entry.mjs`, uploaded and kept by the fleet.
//!
//! An isolate asks the fleet when it starts and again when a flush says that there is another version. Until the first
//! answer the outcome of a request waits in the background, for two seconds at the most; nothing else waits for documents.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;

use super::clock::real_now_ms;
use super::gateway::Gateway;
use super::isolate::{self, Setup};
use super::object;
use crate::inventory::Catalogue;
use crate::inventory::openapi::{Document, Fault};
use crate::policy::{DocumentSource, Policy};
use crate::wire::{FleetOrder, FleetReply, InventoryNews};

/// How long the fleet may take to tell of documents, ms.
const TIMEOUT_MS: u32 = 1_500;
/// It is not asked more often than this, ms.
const AGAIN_MS: u64 = 1_000;

/// One document as this isolate knows it.
#[derive(Debug, Clone)]
pub struct Source {
    /// `uploaded:ID`, `inline:PLACE` or the path of the asset.
    pub name: String,
    pub id: Option<u64>,
    pub added_ms: Option<u64>,
    /// Or what is wrong with it.
    pub document: Result<Rc<Document>, Vec<Fault>>,
}

/// What requests are compared with.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    pub catalogue: Rc<Catalogue>,
    /// Uploaded ones first, then as configured; those that are sound are numbered as the catalogue numbers them.
    pub sources: Rc<Vec<Source>>,
    pub news: Rc<InventoryNews>,
    /// Texts of assets, or why there is none.
    assets: Vec<Result<Rc<Document>, Vec<Fault>>>,
    /// Whether there was an answer, or an attempt to have one.
    loaded: bool,
    /// The version that shards speak of.
    heard: u64,
    asked_ms: u64,
}

impl Documents {
    /// Takes in the version a shard knows of.
    pub fn heard(&mut self, version: u64) {
        self.heard = self.heard.max(version);
    }

    /// The document that the catalogue numbers so.
    pub fn document(&self, at: usize) -> Option<&Document> {
        self.sources.iter().filter_map(|source| source.document.as_deref().ok()).nth(at)
    }

    fn is_due(&self, now_ms: u64) -> bool {
        self.loaded && self.heard > self.news.version && now_ms.saturating_sub(self.asked_ms) >= AGAIN_MS
    }

    fn compile(&mut self, policy: &Policy) {
        let mut sources: Vec<Source> = Vec::new();
        for stored in &self.news.documents {
            sources.push(Source {
                name: format!("uploaded:{}", stored.id),
                id: Some(stored.id),
                added_ms: Some(stored.added_ms),
                document: Ok(Rc::new(stored.document.clone())),
            });
        }
        let mut assets = self.assets.iter();
        for (place, source) in policy.inventory.documents.iter().enumerate() {
            let (name, document) = match source {
                DocumentSource::Inline(document) => (format!("inline:{place}"), Ok(Rc::new((**document).clone()))),
                DocumentSource::Asset(path) => {
                    let missing = || vec![Fault { pointer: String::new(), reason: "was not to be had".to_owned() }];
                    (path.clone(), assets.next().cloned().unwrap_or_else(|| Err(missing())))
                }
            };
            sources.push(Source { name, id: None, added_ms: None, document });
        }
        let sound = sources.iter().filter_map(|source| source.document.as_deref().ok());
        let learned = self.news.learned.iter().flat_map(crate::inventory::Learned::templates);
        let templates: Vec<String> = policy.inventory.templates.iter().cloned().chain(learned).collect();
        self.catalogue = Rc::new(Catalogue::new(sound).with_templates(templates.iter().map(String::as_str)));
        self.sources = Rc::new(sources);
    }
}

/// Asks the fleet for documents and templates and puts everything together.
pub async fn refresh(env: &Env, policy: &Policy) -> bool {
    let known = isolate::with(|i| {
        i.documents.asked_ms = real_now_ms();
        i.documents.loaded.then_some(i.documents.news.version)
    });
    let reply = object::order_fleet(env, &FleetOrder::Inventory { known }, TIMEOUT_MS).await;
    isolate::with(|i| {
        let told = match reply {
            Ok(FleetReply::Inventory(news)) => {
                if news.changed {
                    i.documents.news = Rc::new(news);
                    i.documents.compile(policy);
                }
                true
            }
            Ok(_) => false,
            Err(error) => {
                worker::console_error!("the fleet did not tell of documents: {}", error.text);
                false
            }
        };
        if !told {
            // Known ones have to do until a shard speaks of a version again.
            if !i.documents.loaded {
                i.documents.compile(policy);
                i.documents.heard = i.documents.heard.max(1);
            }
        }
        i.documents.loaded = true;
        told
    })
}

#[wasm_bindgen]
impl Gateway {
    /// Paths of the assets that are documents, as JSON.
    #[wasm_bindgen(js_name = documentAssets)]
    pub fn document_assets() -> String {
        let Setup::Ready(policy) = isolate::with(|i| i.setup.clone()) else { return "[]".to_owned() };
        let paths = policy.inventory.documents.iter().filter_map(|source| match source {
            DocumentSource::Asset(path) => Some(path.as_str()),
            DocumentSource::Inline(_) => None,
        });
        serde_json::to_string(&paths.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// Whether outcomes wait for documents still.
    #[wasm_bindgen(js_name = documentsMissing)]
    pub fn documents_missing() -> bool {
        isolate::with(|i| !i.documents.loaded && matches!(i.setup, Setup::Ready(_)))
    }

    /// Whether there is another version to learn.
    #[wasm_bindgen(js_name = documentsDue)]
    pub fn documents_due() -> bool {
        isolate::with(|i| i.documents.is_due(real_now_ms()))
    }

    /// Learns the documents; `texts` are those of the assets, in their order, or `!` and why there is none.
    #[wasm_bindgen(js_name = learnDocuments)]
    pub async fn learn_documents(env: Env, texts: Vec<String>) {
        let Setup::Ready(policy) = isolate::with(|i| i.setup.clone()) else { return };
        if !texts.is_empty() {
            let assets = texts.iter().map(|text| match text.strip_prefix('!') {
                Some(reason) => Err(vec![Fault { pointer: String::new(), reason: reason.to_owned() }]),
                None => Document::parse(text).map(|(document, _)| Rc::new(document)),
            });
            let assets: Vec<_> = assets.collect();
            for fault in assets.iter().filter_map(|asset| asset.as_ref().err()).flatten() {
                worker::console_error!("INVENTORY: a document is not used: {fault}");
            }
            isolate::with(|i| i.documents.assets = assets);
        }
        refresh(&env, &policy).await;
    }
}
