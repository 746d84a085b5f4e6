//! A selector seen from its source: what a client sends there, and what would be made of it.

use std::borrow::Cow;

use super::message::{ReadTokens, Request};
use super::plan::{End, Plan, Route};
use super::text::{self, Message, Step, Text};
use super::trie::Trie;
use super::{FirstValue, Selector, Side};

impl Selector {
    /// What would be found first if `sent` were the text at the selector's source: as for a key that a response gives
    /// out and the client sends back.
    pub fn decode_sent(&self, sent: &str, tokens: &mut dyn ReadTokens) -> Option<FirstValue<'static>> {
        let mut text = Text::owned(sent.to_owned());
        for step in &self.route.steps {
            text = step.apply(text, tokens);
        }
        let found = match &self.route.end {
            End::Text => text.into_found(),
            End::Json(pointer) => text::members(&text, &Trie::new([pointer]), &[]).pop()?,
            End::Claims(pointer) => text::claims(&text, &Trie::new([pointer]), &[], tokens).pop()?,
        };
        let value = found.values.into_iter().next()?;
        Some(FirstValue { text: Cow::Owned(value.text), trust: value.trust })
    }

    /// The selector of the whole token whose claim this one reads; `None` where it reads none.
    pub fn token(&self) -> Option<Self> {
        let steps = match &self.route.end {
            End::Claims(_) => self.route.steps.as_slice(),
            _ => {
                let last = self.route.steps.iter().rposition(|step| matches!(step, Step::Claims(_)))?;
                self.route.steps.get(..last)?
            }
        };
        let route = Route { source: self.route.source.clone(), steps: steps.to_vec(), end: End::Text };
        let plan = Plan::new([(0, &route)], 1);
        Some(Self { text: self.text.clone(), side: self.side, route, claim: None, plan })
    }

    /// The text at the selector's source, before any decoder; `None` for what stands in a body.
    pub fn sent<'a>(&self, request: &Request<'a>) -> Option<Cow<'a, str>> {
        let plain = self.side == Side::Request && !self.needs_body();
        let text = plain.then(|| text::at(&self.route.source, Message::Request(request)).text).flatten();
        text.filter(|text| !text.is_empty())
    }
}
