//! JSON: every name and every string with its pointer.

use super::{Examination, Part, Place, Trail, graphql, place};
use crate::selector::{Item, stream_json};

/// The texts of a JSON body. Answers how much of it could be read.
pub fn body(to: &mut Examination<'_>, text: &str, graphql: bool, trail: Trail) -> usize {
    let mut graphql = graphql;
    stream_json(text, "", &mut |pointer, item| match item {
        Item::Name(name) => to.text(place(Part::JsonName, pointer), name.as_bytes(), trail),
        Item::Text(text) if matches!(pointer, "/query" | "/*/query") && graphql::is_document(text) => {
            graphql = true;
            graphql::arguments(to, text, pointer, trail);
        }
        Item::Text(text) => {
            let variable = graphql && (pointer.starts_with("/variables/") || pointer.starts_with("/*/variables/"));
            let part = if variable { Part::GraphqlArgument } else { Part::Json };
            to.text(place(part, pointer), text.as_bytes(), trail);
        }
        Item::Scalar(_) => {}
    })
}

/// The texts of JSON inside another text, `true` where it is JSON from end to end.
pub fn nested(to: &mut Examination<'_>, text: &str, at: Place<'_>, trail: Trail) -> bool {
    let part = if at.part == Part::GraphqlArgument { at.part } else { Part::Json };
    let read = stream_json(text, at.name, &mut |pointer, item| match item {
        Item::Name(name) => to.text(place(Part::JsonName, pointer), name.as_bytes(), trail),
        Item::Text(text) => to.text(place(part, pointer), text.as_bytes(), trail),
        Item::Scalar(_) => {}
    });
    read == text.len()
}
