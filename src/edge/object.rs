//! Talking to Durable Objects.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use super::glue;
use crate::query::Question;
use crate::wire::{self, FleetOrder, FleetReply, operation};

/// Why an object did not answer, as the platform puts it.
#[derive(Debug)]
pub struct CallError(pub String);

impl From<JsValue> for CallError {
    fn from(value: JsValue) -> Self {
        let text = value.dyn_ref::<js_sys::Error>().map(|e| String::from(e.message()));
        Self(text.or_else(|| value.as_string()).unwrap_or_else(|| "unknown failure".to_owned()))
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
        let namespace = env.durable_object(binding).map_err(|e| CallError(e.to_string()))?;
        let stub = namespace.get_by_name(name).map_err(|e| CallError(e.to_string()))?;
        let stub: JsValue = stub.into_rpc::<js_sys::Object>().into();
        glue::call(&stub, path, js_sys::Uint8Array::from(body), timeout_ms)?
    };
    let answer = JsFuture::from(promise).await?;
    Ok(js_sys::Uint8Array::new(&answer).to_vec())
}

/// Sends a traffic message to the shard with this index.
pub async fn tell_shard<Q, A>(env: &Env, index: u32, path: &str, message: &Q, timeout_ms: u32) -> Result<A, CallError>
where
    Q: serde::Serialize,
    A: serde::de::DeserializeOwned,
{
    let answer = call(env, "SHARD", &wire::shard_name(index), path, &wire::encode(message), timeout_ms).await?;
    wire::decode(&answer).ok_or_else(|| CallError("the shard's answer cannot be read".to_owned()))
}

/// Asks a shard an analyst's question.
pub async fn ask_shard<A>(env: &Env, index: u32, question: &Asked<'_>, timeout_ms: u32) -> Result<A, CallError>
where
    A: serde::de::DeserializeOwned,
{
    let body = serde_json::to_vec(question).map_err(|e| CallError(e.to_string()))?;
    let answer = call(env, "SHARD", &wire::shard_name(index), operation::QUERY, &body, timeout_ms).await?;
    serde_json::from_slice(&answer).map_err(|e| CallError(e.to_string()))
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
    wire::decode(&answer).ok_or_else(|| CallError("the fleet's answer cannot be read".to_owned()))
}
