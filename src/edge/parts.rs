//! Answers that are made as they are read, part by part: nothing is fetched before the client wants it, and nothing is held
//! of what it has.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;
use worker::worker_sys::web_sys::{Headers, Request, Response, ResponseInit};

use super::admin::Api;
use super::spread::ANSWER_TIMEOUT_MS;
use super::{clock, glue};
use crate::api::Refusal;
use crate::api::access::Caller;
use crate::policy::Policy;

/// The next part of an answer, nothing at its end; or why there is none.
pub type Next<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, String>> + 'a>>;

/// What makes an answer part by part.
pub trait Source {
    fn next(&mut self) -> Next<'_>;
}

/// A source as JavaScript reads it: one part at a time.
#[wasm_bindgen]
pub struct Parts {
    source: RefCell<Option<Box<dyn Source>>>,
    closed: Cell<bool>,
}

#[wasm_bindgen]
impl Parts {
    /// The next part. A stream asks for one after the other; whoever asks meanwhile is told that it is over.
    pub async fn next(&self) -> Result<JsValue, JsValue> {
        let Some(mut source) = self.source.take() else { return Ok(JsValue::UNDEFINED) };
        let next = source.next().await;
        match next {
            Ok(Some(part)) => {
                if !self.closed.get() {
                    self.source.replace(Some(source));
                }
                Ok(js_sys::Uint8Array::from(part.as_slice()).into())
            }
            Ok(None) => Ok(JsValue::UNDEFINED),
            Err(text) => {
                worker::console_error!("an answer was cut short: {text}");
                Err(js_sys::Error::new(&text).into())
            }
        }
    }
}

#[wasm_bindgen]
impl Parts {
    /// Nobody reads any more.
    pub fn close(&self) {
        self.closed.set(true);
        self.source.take();
    }
}

/// Who asks, for as long as the answer goes on.
pub struct Asker {
    request: Request,
    policy: Rc<Policy>,
    env: Env,
    caller: Caller,
}

impl Asker {
    /// The API as this caller asks it now.
    pub fn api(&self) -> Api<'_> {
        Api {
            request: &self.request,
            policy: &self.policy,
            env: &self.env,
            query: "",
            now_ms: clock::now_ms(self.policy.development.clock),
            until_ms: clock::real_now_ms() + ANSWER_TIMEOUT_MS,
            caller: self.caller.clone(),
        }
    }
}

impl Api<'_> {
    /// The same caller, for an answer that goes on after this one was given.
    pub fn asker(&self) -> Asker {
        let (policy, env) = (Rc::clone(self.policy), self.env.clone());
        Asker { request: Clone::clone(self.request), policy, env, caller: self.caller.clone() }
    }

    /// The answer whose body `source` makes; only its head where that is all that is asked for.
    pub fn streamed(&self, source: Box<dyn Source>, headers: &[(&str, &str)]) -> Result<Response, Refusal> {
        let fixed = [("cache-control", "no-store"), ("x-content-type-options", "nosniff")];
        let build = || -> Result<Response, JsValue> {
            let all = Headers::new()?;
            for (name, value) in fixed.iter().chain(headers) {
                all.set(name, value)?;
            }
            let init = ResponseInit::new();
            init.set_headers(&all);
            let body = (self.request.method() != "HEAD")
                .then(|| glue::stream(Parts { source: RefCell::new(Some(source)), closed: Cell::new(false) }));
            Response::new_with_opt_readable_stream_and_init(body.as_ref(), &init)
        };
        build().map_err(|_| Refusal::Unavailable)
    }
}
