//! Alerts on their way out, and the operations that show what waits.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::admin::{Answer, Api};
use super::problem::{json, respond};
use super::spread::QUESTION_TIMEOUT_MS;
use super::{clock, glue, object};
use crate::alert::{Secret, Style};
use crate::api::{AlertAnswer, ListAnswer, Refusal, alerts_asked};
use crate::wire::{FleetOrder, FleetReply, Outgoing};

/// How long a receiver may take, ms.
const TIMEOUT_MS: u32 = 10_000;

/// Sends one alert; fails with the reason.
pub async fn send(alert: &Outgoing, secret: Option<&Secret>) -> Result<(), String> {
    let mut headers = vec![("content-type", "application/json".to_owned()), ("user-agent", "Throughline".to_owned())];
    if let (Style::Json, Some(secret)) = (alert.style, secret) {
        let signed = secret.sign(&alert.id, clock::real_now_ms() / 1_000, &alert.body);
        headers.push(("webhook-id", signed.id));
        headers.push(("webhook-timestamp", signed.timestamp));
        headers.push(("webhook-signature", signed.signature));
    }
    let pairs: js_sys::Array =
        headers.into_iter().map(|(name, value)| js_sys::Array::of2(&name.into(), &value.into())).collect();
    let sent = JsFuture::from(glue::post(&alert.to, pairs.into(), &alert.body, TIMEOUT_MS)).await;
    match sent.map(|status| status.as_f64()) {
        Ok(Some(status)) if (200.0..300.0).contains(&status) => Ok(()),
        Ok(status) => Err(format!("answered {}", status.unwrap_or(0.0))),
        Err(error) => Err(failure(&error)),
    }
}

/// What went wrong. It does not name the receiver: its URL is a secret.
fn failure(error: &JsValue) -> String {
    let timed_out = js_sys::Reflect::get(error, &"name".into()).is_ok_and(|name| name == "TimeoutError");
    if timed_out { "did not answer in time" } else { "could not be reached" }.to_owned()
}

impl Api<'_> {
    pub async fn alerts(&self) -> Answer {
        let (dead, limit) = alerts_asked(self.query)?;
        let reply = object::order_fleet(self.env, &FleetOrder::Alerts { dead, limit }, QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Alerts(entries) = reply else { return Err(Refusal::Unavailable) };
        let items: Vec<AlertAnswer> = entries.into_iter().map(AlertAnswer::from).collect();
        Ok(json(200, &ListAnswer { items, next: None, partial: false }))
    }

    pub async fn retry_alert(&self, id: u128) -> Answer {
        let order = FleetOrder::RetryAlert { id, actor: self.caller.name.clone(), now_ms: clock::real_now_ms() };
        match object::order_fleet(self.env, &order, QUESTION_TIMEOUT_MS).await? {
            FleetReply::Done { existed: true } => Ok(respond(204, "application/json", b"", &[])),
            FleetReply::Done { existed: false } => Err(Refusal::NotFound("No alert has this id.")),
            _ => Err(Refusal::Unavailable),
        }
    }
}
