//! JSON: every name and every string with its pointer.

use super::{Examination, Part, Place, Scan, Trail, graphql, place};
use crate::selector::{Item, Visitor, visit_json};

/// The texts of a JSON body. Answers how much of it could be read.
pub fn body(to: &mut Examination<'_>, text: &str, graphql: bool, trail: Trail) -> usize {
    let mut reader = Reader { to, part: Part::Json, is_body: true, graphql, trail, scan: Scan::default() };
    visit_json(text, "", &mut reader)
}

/// The texts of JSON inside another text, `true` where it is JSON from end to end.
pub fn nested(to: &mut Examination<'_>, text: &str, at: Place<'_>, trail: Trail) -> bool {
    let part = if at.part == Part::GraphqlArgument { at.part } else { Part::Json };
    let mut reader = Reader { to, part, is_body: false, graphql: false, trail, scan: Scan::default() };
    visit_json(text, at.name, &mut reader) == text.len()
}

struct Reader<'e, 'i> {
    to: &'e mut Examination<'i>,
    part: Part,
    is_body: bool,
    /// What stands in `variables` is given to a GraphQL document.
    graphql: bool,
    trail: Trail,
    /// Of the item that did not pass.
    scan: Scan,
}

impl Visitor for Reader<'_, '_> {
    fn passes(&mut self, item: Item<'_>) -> bool {
        let (Item::Name(text) | Item::Text(text)) = item else { return true };
        let scan = self.to.scan(text.as_bytes());
        self.scan = scan.unwrap_or_default();
        scan.is_none()
    }

    fn see(&mut self, pointer: &str, item: Item<'_>) {
        let (part, text) = match item {
            Item::Name(name) => (Part::JsonName, name),
            Item::Text(text)
                if self.is_body && matches!(pointer, "/query" | "/*/query") && graphql::is_document(text) =>
            {
                self.graphql = true;
                return graphql::arguments(self.to, text, pointer, self.trail);
            }
            Item::Text(text) => {
                let variable =
                    self.graphql && (pointer.starts_with("/variables/") || pointer.starts_with("/*/variables/"));
                (if variable { Part::GraphqlArgument } else { self.part }, text)
            }
            Item::Scalar(_) => return,
        };
        self.to.readings(place(part, pointer), text.as_bytes(), self.scan, self.trail);
    }
}
