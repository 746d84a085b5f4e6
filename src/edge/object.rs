//! Talking to Durable Objects.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use super::glue;
use crate::backoff::Trouble;
use crate::query::Question;
use crate::wire::{self, FleetOrder, FleetReply, Place, operation};

/// Why an object did not answer, as the platform puts it.
#[derive(Debug)]
pub struct CallError {
    pub text: String,
    pub trouble: Trouble,
}

impl CallError {
    /// A failure of our own.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), trouble: Trouble::Failed }
    }

    /// Tells the log that a shard did not answer.
    pub fn log(&self, place: Place) {
        worker::console_error!("{} did not answer: {}", place.name(), self.text);
    }
}

impl From<JsValue> for CallError {
    fn from(value: JsValue) -> Self {
        let text = value.dyn_ref::<js_sys::Error>().map(|e| String::from(e.message()));
        let text = text.or_else(|| value.as_string()).unwrap_or_else(|| "unknown failure".to_owned());
        // The platform marks its errors so; whatever else the value is has no such member.
        let overloaded = js_sys::Reflect::get(&value, &"overloaded".into()).is_ok_and(|marked| marked.is_truthy());
        Self { text, trouble: if overloaded { Trouble::Overloaded } else { Trouble::Failed } }
    }
}

/// Sends bytes to an object of the binding.
async fn call(
    env: &Env,
    binding: &str,
    name: &str,
    path: &str,
    body: &[u8],
    timeout_ms: u32,
) -> Result<Vec<u8>, CallError> {
    let promise = {
        let namespace = env.durable_object(binding).map_err(|e| CallError::new(e.to_string()))?;
        let stub = namespace.get_by_name(name).map_err(|e| CallError::new(e.to_string()))?;
        let stub: JsValue = stub.into_rpc::<js_sys::Object>().into();
        glue::call(&stub, path, js_sys::Uint8Array::from(body), timeout_ms)?
    };
    let answer = JsFuture::from(promise).await?;
    Ok(js_sys::Uint8Array::new(&answer).to_vec())
}

/// Sends a traffic message to a shard.
pub async fn tell_shard<Q, A>(env: &Env, place: Place, path: &str, message: &Q, timeout_ms: u32) -> Result<A, CallError>
where
    Q: serde::Serialize,
    A: serde::de::DeserializeOwned,
{
    let answer = call(env, "SHARD", &place.name(), path, &wire::encode(message), timeout_ms).await?;
    wire::decode(&answer).ok_or_else(|| CallError::new(wire::refusal(&answer)))
}

/// Asks a shard an analyst's question.
pub async fn ask_shard<A>(env: &Env, place: Place, question: &Asked<'_>, timeout_ms: u32) -> Result<A, CallError>
where
    A: serde::de::DeserializeOwned,
{
    let body = wire::encode(question);
    let answer = call(env, "SHARD", &place.name(), operation::QUERY, &body, timeout_ms).await?;
    wire::decode(&answer).ok_or_else(|| CallError::new(wire::refusal(&answer)))
}

/// A question with the time it is asked at.
#[derive(Debug, serde::Serialize)]
pub struct Asked<'a> {
    pub now_ms: u64,
    pub question: &'a Question,
}

/// Gives the fleet object an order.
pub async fn order_fleet(env: &Env, order: &FleetOrder, timeout_ms: u32) -> Result<FleetReply, CallError> {
    tell_fleet(env, operation::FLEET, order, timeout_ms).await
}

/// Sends a message to the fleet object.
pub async fn tell_fleet<Q, A>(env: &Env, path: &str, message: &Q, timeout_ms: u32) -> Result<A, CallError>
where
    Q: serde::Serialize,
    A: serde::de::DeserializeOwned,
{
    let answer = call(env, "FLEET", wire::FLEET_NAME, path, &wire::encode(message), timeout_ms).await?;
    wire::decode(&answer).ok_or_else(|| CallError::new(wire::refusal(&answer)))
}
