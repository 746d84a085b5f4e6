//! A message beside its contract.
//!
//! Work is bounded: so many steps a message, so deep, and the first few faults; what is not reached for that is taken for
//! right. Nothing that a client sent is told but the names of parameters and members.

use serde_json::Value;

use super::text;
use super::types::{ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING};
use super::{ANYTHING, Bound, Contract, MAX_BODY, Media, Node, Others, Scalar, Schema, Size};
use super::{essence, fits_range, is_json};

/// Schemas met with values in one message.
const MAX_WORK: u32 = 20_000;
/// Schemas inside each other.
const MAX_DEPTH: usize = 64;
/// Faults told of one message.
const MAX_FAULTS: usize = 4;
/// Bytes of a name that is told.
const MAX_NAME: usize = 64;

/// Which half of an exchange is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Answer,
}

/// One thing that is not as the document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `query.limit`, `body#/items/0/id`, `response.status`.
    pub place: String,
    pub what: &'static str,
}

/// A request as it is compared.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The template of the operation, with its base path.
    pub template: &'a str,
    /// As sent.
    pub path: &'a str,
    pub query: &'a str,
    /// Values of headers by their lower-case names.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    pub content_type: &'a str,
    /// Whether the body is compressed or encoded: then it is not read.
    pub encoded: bool,
    /// Its start, and whether it goes on; `None` where it was not read.
    pub body: Option<(&'a [u8], bool)>,
    /// Whether the request announced that it has none.
    pub bodiless: bool,
}

/// An answer as it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    pub status: u16,
    /// Empty where it is not known.
    pub content_type: &'a str,
    pub body: Option<(&'a [u8], bool)>,
}

/// Where a value lies, from the inside out.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    outer: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root(&'p str),
    Member(&'p str),
    Item(usize),
}

impl<'p> At<'p> {
    pub(super) fn root(name: &'p str) -> Self {
        Self { outer: None, step: Step::Root(name) }
    }

    fn within(&'p self, step: Step<'p>) -> Self {
        Self { outer: Some(self), step }
    }

    fn write(&self, into: &mut String) {
        self.outer.into_iter().for_each(|outer| outer.write(into));
        match self.step {
            Step::Root(name) => into.push_str(name),
            Step::Member(name) => {
                into.push('/');
                into.push_str(&cut(name).replace('~', "~0").replace('/', "~1"));
            }
            Step::Item(number) => into.push_str(&["/", &number.to_string()].concat()),
        }
    }
}

fn cut(name: &str) -> &str {
    let end = (0..=MAX_NAME.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.get(..end).unwrap_or("")
}

/// What a request has that its contract does not let it have.
pub fn request(contract: &Contract, schemas: &[Schema], asked: &Asked<'_>) -> Vec<Fault> {
    let mut check = Check::new(schemas, Side::Request);
    text::parameters(&mut check, contract, asked);
    let essence = essence(asked.content_type);
    if asked.bodiless || asked.body.is_some_and(|(bytes, cut)| bytes.is_empty() && !cut) {
        if contract.body_required {
            check.tell(&At::root("body"), "is missing");
        }
        return check.found;
    }
    if essence.is_empty() || contract.body.is_empty() {
        return check.found;
    }
    match contract.body.iter().find(|media| fits_range(&media.range, &essence)) {
        None => check.tell(&At::root("header.content-type"), "is no type that the document has"),
        Some(media) if !asked.encoded => check.body(media, &essence, asked.body, "body#"),
        Some(_) => {}
    }
    check.found
}

/// What an answer has that its contract does not let it have.
pub fn answer(contract: &Contract, schemas: &[Schema], answered: &Answered<'_>) -> Vec<Fault> {
    let mut check = Check::new(schemas, Side::Answer);
    let of = |status: u16| contract.answers.iter().find(|answer| answer.status == status);
    let Some(described) = of(answered.status).or_else(|| of(answered.status / 100)).or_else(|| of(0)) else {
        // Refusals, redirects and failures come from gateways and middleware, too.
        if !contract.answers.is_empty() && (200..300).contains(&answered.status) {
            check.tell(&At::root("response.status"), "is not in the document");
        }
        return check.found;
    };
    let essence = essence(answered.content_type);
    let media = described.media.iter().find(|media| fits_range(&media.range, &essence));
    match media {
        Some(media) => check.body(media, &essence, answered.body, "response.body#"),
        None if !essence.is_empty() && !described.media.is_empty() && (200..203).contains(&answered.status) => {
            check.tell(&At::root("response.content-type"), "is no type that the document has");
        }
        None => {}
    }
    check.found
}

/// Faults as they are told together: the first place, and all of them in words.
pub fn told(faults: &[Fault]) -> Option<(String, String)> {
    let first = faults.first()?;
    let all: Vec<String> = faults.iter().map(|fault| [&fault.place, " ", fault.what].concat()).collect();
    Some((first.place.clone(), ["unlike its document: ", &all.join("; ")].concat()))
}

/// One message on its way through its schemas.
pub(super) struct Check<'s> {
    schemas: &'s [Schema],
    side: Side,
    work: u32,
    pub(super) found: Vec<Fault>,
}

impl<'s> Check<'s> {
    fn new(schemas: &'s [Schema], side: Side) -> Self {
        Self { schemas, side, work: MAX_WORK, found: Vec::new() }
    }

    pub(super) fn tell(&mut self, at: &At<'_>, what: &'static str) {
        if self.found.len() < MAX_FAULTS {
            let mut place = String::new();
            at.write(&mut place);
            self.found.push(Fault { place, what });
        }
    }

    pub(super) fn schema(&self, node: Node) -> Option<&'s Schema> {
        if node == ANYTHING { None } else { self.schemas.get(node as usize) }
    }

    fn body(&mut self, media: &Media, essence: &str, body: Option<(&[u8], bool)>, place: &str) {
        let Some((bytes, false)) = body else { return };
        if media.schema == ANYTHING || bytes.is_empty() || bytes.len() > MAX_BODY {
            return;
        }
        let at = At::root(place);
        if is_json(essence) {
            match serde_json::from_slice::<Value>(bytes) {
                Ok(value) => self.value(media.schema, &value, &at, 0),
                // A byte order mark, other encodings of Unicode and depth are not for us to judge.
                Err(error) if is_broken(&error) && bytes.first().is_some_and(u8::is_ascii) => {
                    self.tell(&at, "is no JSON");
                }
                Err(_) => {}
            }
        } else if essence == "application/x-www-form-urlencoded" {
            text::form(self, media.schema, bytes);
        }
    }

    /// Whether a value fits, without telling why not. What it costs counts.
    pub(super) fn fits(&mut self, node: Node, value: &Value) -> bool {
        self.fits_part(node, value, 0, true)
    }

    fn fits_part(&mut self, node: Node, value: &Value, depth: usize, whole: bool) -> bool {
        let kept = core::mem::take(&mut self.found);
        self.part(node, value, &At::root(""), depth, whole);
        core::mem::replace(&mut self.found, kept).is_empty()
    }

    /// Tells what is wrong with a value.
    pub(super) fn value(&mut self, node: Node, value: &Value, at: &At<'_>, depth: usize) {
        self.part(node, value, at, depth, true);
    }

    /// The same for a schema that may be one of several for the value: then members that it does not have may be of the
    /// others, whatever it says of them. Documents close the parts of an `allOf` more often than they mean it.
    fn part(&mut self, node: Node, value: &Value, at: &At<'_>, depth: usize, whole: bool) {
        let Some(schema) = self.schema(node) else { return };
        if self.work == 0 || depth > MAX_DEPTH || self.found.len() >= MAX_FAULTS {
            return;
        }
        self.work -= 1;
        if schema.types != 0 && schema.types & types_of(value) == 0 {
            self.tell(at, wrong_type(schema.types));
            return;
        }
        // In 3.0 a null that is allowed is not looked at any further.
        if value.is_null() && schema.types & NULL != 0 {
            return;
        }
        if !schema.values.is_empty() && !schema.values.iter().any(|scalar| is_same(scalar, value)) {
            self.tell(at, "is none of the values that it may be");
            return;
        }
        schema.all.iter().for_each(|part| self.part(*part, value, at, depth + 1, false));
        let whole_choice = whole && schema.members.is_empty() && schema.all.is_empty();
        for choices in &schema.choices {
            if !choices.iter().any(|part| self.fits_part(*part, value, depth + 1, whole_choice)) {
                self.tell(at, "fits none of its alternatives");
            }
        }
        match value {
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or(0.0), at),
            Value::String(text) => self.text(schema, text, at),
            Value::Array(items) => {
                self.size(schema.items, items.len(), at, ["has too few items", "has too many items"]);
                if schema.item != ANYTHING {
                    for (number, item) in items.iter().enumerate() {
                        self.value(schema.item, item, &at.within(Step::Item(number)), depth + 1);
                    }
                }
            }
            Value::Object(members) => {
                self.size(schema.size, members.len(), at, ["has too few members", "has too many members"]);
                self.members(schema, members, at, depth, whole);
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn members(
        &mut self,
        schema: &Schema,
        members: &serde_json::Map<String, Value>,
        at: &At<'_>,
        depth: usize,
        whole: bool,
    ) {
        let known = |name: &str| {
            let at = schema.members.binary_search_by(|member| (*member.name).cmp(name)).ok()?;
            schema.members.get(at)
        };
        for name in schema.required.iter().filter(|name| !members.contains_key(&***name)) {
            // What only the other side has is not missing here.
            let elsewhere = known(name).is_some_and(|member| match self.side {
                Side::Request => member.read_only,
                Side::Answer => member.write_only,
            });
            if !elsewhere {
                self.tell(&at.within(Step::Member(name)), "is missing");
            }
        }
        for (name, value) in members {
            let at = at.within(Step::Member(name));
            match (known(name), schema.others) {
                (Some(member), _) if self.side == Side::Answer && member.write_only => {
                    self.tell(&at, "is for requests alone");
                }
                (Some(member), _) => self.value(member.schema, value, &at, depth + 1),
                (None, _) if !whole => {}
                (None, Others::Closed) => self.tell(&at, "is not in the document"),
                (None, Others::Like(node)) => self.value(node, value, &at, depth + 1),
                (None, Others::Open) => {}
            }
        }
    }

    fn number(&mut self, schema: &Schema, value: f64, at: &At<'_>) {
        let is_below = |bound: Bound| value < bound.value.get() || (bound.exclusive && value == bound.value.get());
        let is_above = |bound: Bound| value > bound.value.get() || (bound.exclusive && value == bound.value.get());
        if schema.least.is_some_and(is_below) {
            self.tell(at, "is too small");
        } else if schema.most.is_some_and(is_above) {
            self.tell(at, "is too large");
        } else if !text::fits_integer(schema.format, value) {
            self.tell(at, "is beyond its format");
        }
    }

    fn text(&mut self, schema: &Schema, value: &str, at: &At<'_>) {
        // Most texts are shorter in bytes than the limit in characters.
        let most = schema.length.most.map_or(usize::MAX, |most| most as usize);
        if value.len() > most || schema.length.least > 0 {
            self.size(schema.length, value.chars().count(), at, ["is too short", "is too long"]);
        }
        if !text::fits_format(schema.format, value) {
            self.tell(at, "is not of its format");
        }
    }

    pub(super) fn size(&mut self, size: Size, length: usize, at: &At<'_>, [short, long]: [&'static str; 2]) {
        if length < size.least as usize {
            self.tell(at, short);
        } else if size.most.is_some_and(|most| length > most as usize) {
            self.tell(at, long);
        }
    }
}

/// Whether the text is at fault, and not what is read of it: how deep it is, how large its numbers are.
fn is_broken(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    (error.is_syntax() || error.is_eof()) && !text.starts_with("recursion") && !text.starts_with("number out")
}

fn types_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Object(_) => OBJECT,
        Value::Array(_) => ARRAY,
        Value::String(_) => STRING,
        Value::Number(number) => {
            let whole = number.as_f64().is_some_and(|value| value.fract() == 0.0);
            if whole { NUMBER | INTEGER } else { NUMBER }
        }
    }
}

fn wrong_type(types: u8) -> &'static str {
    match types & !NULL {
        BOOLEAN => "is no boolean",
        OBJECT => "is no object",
        ARRAY => "is no list",
        INTEGER => "is no integer",
        STRING => "is no text",
        NUMBER => "is no number",
        _ => "is of another type",
    }
}

fn is_same(scalar: &Scalar, value: &Value) -> bool {
    match (scalar, value) {
        (Scalar::Null, Value::Null) => true,
        (Scalar::Bool(one), Value::Bool(other)) => one == other,
        (Scalar::Number(one), Value::Number(other)) => other.as_f64() == Some(one.get()),
        (Scalar::Text(one), Value::String(other)) => **one == **other,
        _ => false,
    }
}
