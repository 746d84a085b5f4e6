//! What request and response together say about sessions and users; the same for traffic and for samples.

use super::issue::Issued;
use super::jwt::TokensAt;
use super::users::Exchange;
use super::{Identified, KeyPlan, UserPlan, Who};
use crate::context::Feedback;
use crate::selector::{Request, Response};
use crate::session::Reason;

/// What an exchange says about sessions and users once its response is there.
#[derive(Debug)]
pub struct Outcome {
    pub issued: Vec<Issued>,
    pub who: Who,
    pub ended: bool,
}

impl Outcome {
    /// Reads request and response together.
    pub fn of(
        keys: &KeyPlan,
        users: &UserPlan,
        request: &Request<'_>,
        response: &Response<'_>,
        feedback: &Feedback,
        found: &Identified<'_>,
        tokens: &mut TokensAt<'_>,
    ) -> Self {
        let issued = keys.issued(request, response, found, tokens);
        let subject = if users.names_by_subject() { keys.subject(request, found, tokens) } else { None };
        let exchange = Exchange {
            request,
            response,
            feedback,
            subject: subject.as_deref(),
            issued: !issued.is_empty(),
            verifies: keys.verifies(),
        };
        let who = users.who(&exchange, keys.ring(), tokens);
        let ended = keys.is_ended(request, response, found, feedback);
        Self { issued, who, ended }
    }

    /// Why the response issued a key.
    pub fn reason(
        &self,
        request: &Request<'_>,
        found: &Identified<'_>,
        issued: &Issued,
        feedback: &Feedback,
    ) -> Reason {
        // A name that only now became the user's is a login, whatever the path is called.
        let logged_in = !self.who.user.is_empty() && !self.who.attempted && found.principal == 0;
        KeyPlan::reason(request, found, issued, feedback, logged_in, self.ended)
    }
}
