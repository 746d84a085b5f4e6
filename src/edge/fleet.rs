//! The Fleet object, of which there is one: the block set with its numbering, the audit log, the layouts of shards, and
//! what shards tell of requests and findings.
//!
//! Why its sequences are atomic: an order is carried out from the first statement to the last without an await.

use core::cell::RefCell;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::isolate::{self, Setup};
use super::sql::ObjectSql;
use crate::fleet::Fleet as Core;
use crate::wire::{self, FleetOrder, Sync, operation};

#[durable_object(fetch)]
pub struct Fleet {
    /// The fleet's state, or why it could not be opened; then everything is answered 503.
    core: RefCell<core::result::Result<Core<ObjectSql>, String>>,
}

impl DurableObject for Fleet {
    fn new(state: State, env: Env) -> Self {
        let retention_ms = match isolate::load(&env) {
            Setup::Ready(policy) => policy.retention_ms,
            // Nothing is forgotten while nobody knows how long it is kept.
            Setup::Refused { .. } | Setup::Unloaded => u64::MAX,
        };
        let opened = Core::open(ObjectSql::new(state.storage().sql()), retention_ms).map_err(|error| error.to_string());
        if let Err(text) = &opened {
            worker::console_error!("fleet cannot open its store: {text}");
        }
        Self { core: RefCell::new(opened) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let path = request.path();
        let body = request.bytes().await?;
        let mut core = self.core.borrow_mut();
        let core = match core.as_mut() {
            Ok(core) => core,
            Err(text) => return Response::error(text.clone(), 503),
        };
        let answered = match path.as_str() {
            operation::SYNC => {
                wire::decode::<Sync>(&body).map(|sync| core.sync(sync).map(|reply| wire::encode(&reply)))
            }
            operation::FLEET => {
                wire::decode::<FleetOrder>(&body).map(|order| core.order(order).map(|reply| wire::encode(&reply)))
            }
            _ => return Response::error("no such operation", 404),
        };
        match answered {
            Some(Ok(bytes)) => Response::from_bytes(bytes),
            Some(Err(error)) => Response::error(error.to_string(), 500),
            None => Response::error("the message cannot be read; is one side a release behind?", 400),
        }
    }
}
