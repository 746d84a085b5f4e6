//! Selectors compiled together: each source is read once, and each document once for all that is wanted of it.

use super::body::{self, Format};
use super::collect::Collector;
use super::found::Found;
use super::graphql::Envelope;
use super::message::ReadTokens;
use super::pointer::Pointer;
use super::source::Source;
use super::text::{self, Message, Step, Text};
use super::trie::Trie;

use crate::sorting;

/// What a selector does with the text of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub source: Source,
    pub steps: Vec<Step>,
    pub end: End,
}

/// What the last text is read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The value itself.
    Text,
    /// JSON, of which members are wanted.
    Json(Pointer),
    /// A token, of whose claims members are wanted.
    Claims(Pointer),
}

/// Selectors of one side, ready to be read together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    sources: Vec<Source>,
    /// Members and form fields, with the index of each one's source.
    members: Option<(Trie, Vec<usize>)>,
    /// Slots of those that are decoded further, so that their length is of no account yet.
    decoded: Vec<usize>,
    /// Parts of a GraphQL request, with the index of each one's source.
    graphql: Option<(Envelope, Vec<usize>)>,
    /// Those that take a source as it is come last: they may take it away.
    groups: Vec<Group>,
    /// How many selectors there are, here and on the other side.
    selectors: usize,
}

/// Selectors that go the same way up to the last text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    source: usize,
    steps: Vec<Step>,
    format: Last,
    /// The selectors, in the order of the trie's slots.
    selectors: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Last {
    Text,
    Json(Trie),
    Claims(Trie),
}

impl Plan {
    /// The plan of these routes, each with the index of its selector among `selectors`.
    pub fn new<'r>(routes: impl IntoIterator<Item = (usize, &'r Route)>, selectors: usize) -> Self {
        let mut plan = Self { selectors, ..Self::default() };
        let mut drafts: Vec<(usize, Vec<(usize, &Route)>)> = Vec::new();
        for (selector, route) in routes {
            let source = plan.source(&route.source);
            let alike = |other: &Route| {
                let ends = core::mem::discriminant(&other.end) == core::mem::discriminant(&route.end);
                ends && other.steps == route.steps
            };
            let known = drafts
                .iter_mut()
                .find(|(at, routes)| *at == source && routes.first().is_some_and(|(_, other)| alike(other)));
            match known {
                Some((_, routes)) => routes.push((selector, route)),
                None => drafts.push((source, vec![(selector, route)])),
            }
        }
        plan.groups = drafts.into_iter().filter_map(|(source, routes)| Group::new(source, &routes)).collect();
        sorting::sort_by_key(&mut plan.groups, Group::is_plain);
        plan.compile_structured();
        plan
    }

    fn source(&mut self, source: &Source) -> usize {
        self.sources.iter().position(|known| known == source).unwrap_or_else(|| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        })
    }

    fn compile_structured(&mut self) {
        let (mut members, mut fields) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for (at, source) in self.sources.iter().enumerate() {
            match source {
                Source::Member(pointer) => {
                    members.0.push(pointer.clone());
                    members.1.push(at);
                }
                Source::Form(name) => {
                    members.0.push(Pointer::member(name));
                    members.1.push(at);
                }
                Source::GraphQl(field) => {
                    fields.0.push(field.clone());
                    fields.1.push(at);
                }
                _ => {}
            }
        }
        let decoded = |at: &usize| self.groups.iter().any(|group| group.source == *at && !group.is_plain());
        self.decoded = (0..).zip(&members.1).filter(|(_, at)| decoded(at)).map(|(slot, _)| slot).collect();
        self.members = (!members.1.is_empty()).then(|| (Trie::new(&members.0), members.1));
        self.graphql = (!fields.1.is_empty()).then(|| (Envelope::new(fields.0), fields.1));
    }

    /// Reads a message: what was found, by selector.
    pub fn read(&self, message: Message<'_, '_>, tokens: &mut dyn ReadTokens) -> Vec<Found> {
        let mut structured = self.structured(message);
        let mut all = vec![Found::default(); self.selectors];
        for group in &self.groups {
            let Some(source) = self.sources.get(group.source) else { continue };
            if let Some(read) = structured.get_mut(group.source).filter(|_| group.is_plain() && source.is_structured())
            {
                group.give_same(core::mem::take(read).limited(), &mut all);
                continue;
            }
            let mut text = match structured.get(group.source).filter(|_| source.is_structured()) {
                Some(read) => Text::first(read),
                None => text::at(source, message),
            };
            for step in &group.steps {
                text = step.apply(text, tokens);
            }
            match &group.format {
                Last::Text => group.give_same(text.into_found(), &mut all),
                Last::Json(trie) => group.give_each(text::members(&text, trie, &[]), &mut all),
                Last::Claims(trie) => group.give_each(text::claims(&text, trie, &[], tokens), &mut all),
            }
        }
        all
    }

    /// What structured sources hold, by source; nothing at all where there are no such sources.
    fn structured(&self, message: Message<'_, '_>) -> Vec<Found> {
        if self.members.is_none() && self.graphql.is_none() {
            return Vec::new();
        }
        let mut all = vec![Found::default(); self.sources.len()];
        if let (Some((trie, sources)), Some(body)) = (&self.members, message.body()) {
            let format = Format::of(&body);
            let mut to = Collector::new(trie, None).unlimited(&self.decoded);
            body::read(&body, format, &mut to);
            let is_form = matches!(format, Format::Form | Format::Multipart);
            for (at, found) in sources.iter().zip(to.finish()) {
                let fits = is_form || !matches!(self.sources.get(*at), Some(Source::Form(_)));
                if let Some(place) = all.get_mut(*at).filter(|_| fits) {
                    *place = found;
                }
            }
        }
        if let (Some((envelope, sources)), Message::Request(request)) = (&self.graphql, message) {
            for (at, found) in sources.iter().zip(envelope.read(request)) {
                if let Some(place) = all.get_mut(*at) {
                    *place = found;
                }
            }
        }
        all
    }
}

impl Group {
    fn new(source: usize, routes: &[(usize, &Route)]) -> Option<Self> {
        let pointers = || {
            routes.iter().filter_map(|(_, route)| match &route.end {
                End::Json(pointer) | End::Claims(pointer) => Some(pointer),
                End::Text => None,
            })
        };
        let (_, first) = routes.first()?;
        let format = match first.end {
            End::Text => Last::Text,
            End::Json(_) => Last::Json(Trie::new(pointers())),
            End::Claims(_) => Last::Claims(Trie::new(pointers())),
        };
        let selectors = routes.iter().map(|(selector, _)| *selector).collect();
        Some(Self { source, steps: first.steps.clone(), format, selectors })
    }

    /// Whether the source's text is the value.
    fn is_plain(&self) -> bool {
        self.steps.is_empty() && self.format == Last::Text
    }

    /// Gives every selector of the group the same.
    fn give_same(&self, found: Found, all: &mut [Found]) {
        let Some((last, others)) = self.selectors.split_last() else { return };
        for selector in others {
            if let Some(place) = all.get_mut(*selector) {
                place.clone_from(&found);
            }
        }
        if let Some(place) = all.get_mut(*last) {
            *place = found;
        }
    }

    /// Gives every selector of the group its own.
    fn give_each(&self, found: Vec<Found>, all: &mut [Found]) {
        for (selector, found) in self.selectors.iter().zip(found) {
            if let Some(place) = all.get_mut(*selector) {
                *place = found;
            }
        }
    }
}
