//! Erasing a user everywhere: every shard of every layout, slice by slice, written down before it begins.

use super::admin::{Answer, Api};
use super::clock;
use super::object::{self, CallError};
use super::problem::json;
use super::spread::QUESTION_TIMEOUT_MS;
use crate::api::Refusal;
use crate::api::erasure::ErasureAnswer;
use crate::api::subject::value_of;
use crate::identity::UserPlan;
use crate::store::Erased;
use crate::subject::Kind;
use crate::wire::{AuditEntry, Erase, FleetOrder, FleetReply, Place, operation};

/// How long one request goes on erasing, ms: less than whoever waits for it usually has. Shards remember how far they are,
/// so the next one goes on.
const ERASE_MS: u64 = 20_000;

impl Api<'_> {
    /// Erases the user that the path ends in.
    pub async fn erase_user(&self, path: &str) -> Answer {
        let name = value_of(Kind::User, path)?;
        let ring = self.policy.keys.ring();
        let entry = AuditEntry {
            time_ms: self.now_ms,
            actor: self.caller.name.clone(),
            act: "erase".to_owned(),
            // The log says who was erased to whoever knows the name, and to nobody else.
            subject: format!("user:{}", ring.pseudonym("user", &name)),
            detail: String::new(),
        };
        // What is not in the log does not happen.
        let reply = object::order_fleet(self.env, &FleetOrder::Note(entry), QUESTION_TIMEOUT_MS).await?;
        let FleetReply::Done { .. } = reply else { return Err(Refusal::Unavailable) };
        let order = Erase { forms: UserPlan::forms(ring, &name) };
        let until_ms = clock::real_now_ms() + ERASE_MS;
        let spread = self.spread().await;
        let asked = self.ask_each(&spread, spread.all(), |place| self.erase_at(place, &order, until_ms)).await?;
        let missing = asked.missing;
        let mut whole = Erased { done: true, ..Erased::default() };
        asked.into_answers().for_each(|erased| whole.add(&erased));
        let answer = ErasureAnswer::new(&whole, missing);
        Ok(json(if answer.complete { 200 } else { 202 }, &answer))
    }

    /// Has one shard erase until it is through or time is up.
    async fn erase_at(&self, place: Place, order: &Erase, until_ms: u64) -> Result<Erased, CallError> {
        let mut whole = Erased::default();
        loop {
            let told = object::tell_shard(self.env, place, operation::ERASE, order, QUESTION_TIMEOUT_MS).await;
            let slice: Erased = match told {
                Ok(slice) => slice,
                Err(error) if whole == Erased::default() => return Err(error),
                // What is erased is erased: only the rest is missing.
                Err(error) => {
                    error.log(place);
                    return Ok(whole);
                }
            };
            whole = Erased { done: true, ..whole };
            whole.add(&slice);
            if whole.done || clock::real_now_ms() >= until_ms {
                return Ok(whole);
            }
        }
    }
}
