//! Many selectors read together.

use super::Selector;
use super::found::Found;
use super::message::{ReadTokens, Request, Response};
use super::plan::Plan;
use super::source::Side;
use super::text::Message;

/// Selectors that share their work: a body is read once for all that want something of it, a token once for all its
/// claims.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectorSet {
    selectors: Vec<Selector>,
    request: Plan,
    response: Plan,
}

impl SelectorSet {
    /// Compiles the selectors, of either side.
    pub fn new(selectors: Vec<Selector>) -> Self {
        let plan = |side| {
            let routes = selectors.iter().enumerate().filter(|(_, selector)| selector.side == side);
            Plan::new(routes.map(|(i, selector)| (i, &selector.route)), selectors.len())
        };
        let (request, response) = (plan(Side::Request), plan(Side::Response));
        Self { selectors, request, response }
    }

    /// The selectors, in the order their indexes count.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Reads a request and tells of every selector about requests what it found, in their order.
    pub fn read_request(&self, request: &Request<'_>, tokens: &mut dyn ReadTokens, each: impl FnMut(usize, Found)) {
        let found = self.request.read(Message::Request(request), tokens);
        self.tell(Side::Request, found, each);
    }

    /// Reads a response and tells of every selector about responses what it found, in their order.
    pub fn read_response(&self, response: &Response<'_>, tokens: &mut dyn ReadTokens, each: impl FnMut(usize, Found)) {
        let found = self.response.read(Message::Response(response), tokens);
        self.tell(Side::Response, found, each);
    }

    fn tell(&self, side: Side, found: Vec<Found>, mut each: impl FnMut(usize, Found)) {
        for (i, (found, selector)) in found.into_iter().zip(&self.selectors).enumerate() {
            if selector.side == side {
                each(i, found);
            }
        }
    }
}
