//! The Model Context Protocol: a tool's questions are put to the API as a viewer's, and its answers are told.

use wasm_bindgen_futures::JsFuture;

use super::admin::{Answer, Api};
use super::problem::{json, respond};
use crate::api::access::{Role, host_of, is_own_site};
use crate::api::mcp::{Message, Step, step, told_as};
use crate::api::{Refusal, resolve};

impl Api<'_> {
    pub async fn mcp(&self) -> Answer {
        let header = |name: &str| self.request.headers().get(name).ok().flatten().unwrap_or_default();
        if !is_own_site(&header("origin"), "", host_of(&self.request.url())) {
            return Err(Refusal::Forbidden);
        }
        let message: Message = self.order().await?;
        match step(message) {
            Step::Taken => Ok(respond(202, "application/json", b"", &[])),
            Step::Answer(answer) => Ok(json(200, &answer)),
            Step::Ask(id, paths) => {
                let mut answers = Vec::new();
                for path in paths {
                    answers.push(self.asked(&path).await);
                }
                Ok(json(200, &told_as(&id, &answers)))
            }
        }
    }

    /// What the API answers a viewer: status and text.
    async fn asked(&self, target: &str) -> (u16, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let caller = self.caller.clone().as_viewer(self.policy.viewer_sees_users);
        debug_assert_eq!(caller.role, Role::Viewer, "tools only look");
        let api = Api { query, caller, ..*self };
        let answered = match resolve("GET", path) {
            Ok(operation) => api.route(operation, path).await,
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(response) => {
                let text = match response.text() {
                    Ok(text) => JsFuture::from(text).await.ok().and_then(|text| text.as_string()),
                    Err(_) => None,
                };
                text.map_or_else(|| (503, "no answer".to_owned()), |text| (response.status(), text))
            }
            Err(refusal) => {
                let (status, _, detail) = refusal.describe();
                (status, detail)
            }
        }
    }
}
