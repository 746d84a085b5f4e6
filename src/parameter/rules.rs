//! Which parameters an exchange holds, and their values.
//!
//! Parameters with the same `on` are a group. For every group the groups that usually apply together with it are known
//! beforehand: those that fit a path of which nothing but the pattern is known. Their selectors are compiled into one
//! plan, so a body is read once however many parameters want something of it. Where a path fits another combination,
//! groups are read one by one, which takes longer and finds the same.

use crate::identity::{Naming, Role, Storing};
use crate::inventory::Pattern;
use crate::selector::{Found, ReadMarks, ReadTokens, Request, Response, Selector, SelectorSet, Side, Trust};
use crate::sorting;

use super::value::printable;
use super::{Currency, MAX_TEXT, Reason, Redact, Type, Value};

/// Values of one parameter kept of one message.
pub const MAX_VALUES: usize = 16;
/// Selectors compiled for combinations; groups of a combination beyond that are read one by one.
const MAX_COMBINED: usize = 2_048;

/// The name under which the subject of a token is told where it is not the user; no parameter has it.
pub const TOKEN_SUBJECT: &str = "token.subject";

/// A parameter by the number of its name. It holds for one policy: what is kept for longer is kept by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ParamId(pub u16);

/// An endpoint pattern, and a request that fits it and whatever fits all such requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct On {
    pub pattern: Pattern,
    method: String,
    path: String,
}

impl On {
    /// Parses `METHOD /path/{name}`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Pattern::parse(text)?;
        let (method, path) = text.split_once(' ').unwrap_or((text, "/"));
        // No client can send these, so only placeholders and wildcards fit them.
        let unknown =
            |segment| if matches!(segment, "*") || str::starts_with(segment, '{') { "\u{1}" } else { segment };
        let path = path.trim().split('/').map(unknown).collect::<Vec<_>>().join("/");
        let method = if method == "*" { "\u{1}".to_owned() } else { method.to_ascii_uppercase() };
        Ok(Self { pattern, method, path })
    }
}

/// Where the currency of an amount comes from.
#[derive(Debug, Clone)]
pub enum Unit {
    /// It is always this one.
    Fixed(Currency),
    /// It stands in the same message: one for all amounts, or one for each.
    From(Box<Selector>),
}

/// A parameter as the policy has it. Several entries may have one name, for several endpoints.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub from: Selector,
    /// Endpoints it is looked for on; `None` for all.
    pub on: Option<On>,
    pub kind: Type,
    pub currency: Option<Unit>,
    pub store: Storing,
    pub redact: Option<Redact>,
    pub role: Option<Role>,
}

impl Parameter {
    /// What it says about who is calling, if it does.
    pub fn naming(&self) -> Option<Naming> {
        let on = self.on.as_ref().map(|on| on.pattern.clone());
        let (name, from) = (self.name.clone(), self.from.clone());
        self.role.map(|role| Naming { name, from, on, role, store: self.store })
    }
}

/// Makes a pseudonym of a kind and a value, as `Keyring::pseudonym` does.
pub type Pseudonym<'a> = &'a dyn Fn(&str, &str) -> String;

/// What one message holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// In the order the policy has the parameters, as a rule.
    pub values: Vec<(ParamId, Value)>,
    /// What was out of the ordinary about reading them; cut also where a parameter has more than [`MAX_VALUES`].
    pub marks: ReadMarks,
}

/// The parameters of a policy, ready to be read.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    names: Vec<Box<str>>,
    entries: Vec<Entry>,
    groups: Vec<Group>,
    combined: Vec<(Fits, Batch)>,
}

#[derive(Debug, Clone)]
struct Entry {
    id: ParamId,
    parameter: Parameter,
    /// Keeps pseudonyms of different parameters apart; those of users and roles are the ones identity uses.
    purpose: String,
}

/// Entries that apply on the same endpoints.
#[derive(Debug, Clone)]
struct Group {
    on: Option<On>,
    entries: Vec<usize>,
    batch: Batch,
}

/// Which groups apply; a bit for each of at most 256.
type Fits = [u64; 4];

/// Entries read together: their selectors and then those of their currencies.
#[derive(Debug, Clone, Default)]
struct Batch {
    entries: Vec<usize>,
    set: SelectorSet,
    /// Index among the selectors of the currency of each entry.
    units: Vec<Option<usize>>,
}

impl Batch {
    fn new(entries: Vec<usize>, all: &[Entry]) -> Self {
        let of = |at: &usize| all.get(*at).map(|entry| &entry.parameter);
        let mut selectors: Vec<Selector> = entries.iter().filter_map(of).map(|p| p.from.clone()).collect();
        let mut units = Vec::new();
        for parameter in entries.iter().filter_map(of) {
            units.push(match &parameter.currency {
                Some(Unit::From(selector)) => {
                    selectors.push(Selector::clone(selector));
                    Some(selectors.len() - 1)
                }
                _ => None,
            });
        }
        Self { entries, set: SelectorSet::new(selectors), units }
    }
}

impl Parameters {
    /// Compiles the parameters; at most 256 are taken, the policy sees to that.
    pub fn new(parameters: Vec<Parameter>) -> Self {
        let mut this = Self::default();
        for parameter in parameters {
            this.add(parameter);
        }
        let batches: Vec<Batch> =
            this.groups.iter().map(|group| Batch::new(group.entries.clone(), &this.entries)).collect();
        this.groups.iter_mut().zip(batches).for_each(|(group, batch)| group.batch = batch);
        this.combine();
        this
    }

    fn add(&mut self, parameter: Parameter) {
        let number = self.names.iter().position(|name| **name == parameter.name).unwrap_or_else(|| {
            self.names.push(parameter.name.as_str().into());
            self.names.len() - 1
        });
        let at = self.entries.len();
        // What is dropped is read by identity alone.
        if parameter.store != Storing::Drop {
            match self.groups.iter_mut().find(|group| group.on == parameter.on) {
                Some(group) => group.entries.push(at),
                None => {
                    let group = Group { on: parameter.on.clone(), entries: vec![at], batch: Batch::default() };
                    self.groups.push(group);
                }
            }
        }
        let purpose = match parameter.role {
            Some(Role::User) => "user".to_owned(),
            Some(Role::Role) => "role".to_owned(),
            None => ["parameter:", &parameter.name].concat(),
        };
        // At most 256.
        self.entries.push(Entry { id: ParamId(number as u16), parameter, purpose });
    }

    fn combine(&mut self) {
        let mut selectors = 0;
        for group in &self.groups {
            let Some(on) = &group.on else { continue };
            let fits = self.fits(&on.method, &on.path);
            let mut entries: Vec<usize> = self.groups_of(fits).flat_map(|g| g.entries.iter().copied()).collect();
            let known = self.combined.iter().any(|(known, _)| *known == fits);
            // A path that is odd to the pattern may not fit it; nothing is wrong with that.
            if known || entries.len() <= group.entries.len() || selectors + entries.len() > MAX_COMBINED {
                continue;
            }
            selectors += entries.len();
            sorting::sort(&mut *entries);
            self.combined.push((fits, Batch::new(entries, &self.entries)));
        }
    }

    fn fits(&self, method: &str, path: &str) -> Fits {
        let mut fits = Fits::default();
        for (at, group) in self.groups.iter().enumerate() {
            if group.on.as_ref().is_none_or(|on| on.pattern.matches(method, path))
                && let Some(word) = fits.get_mut(at / 64)
            {
                *word |= 1 << (at % 64);
            }
        }
        fits
    }

    fn groups_of(&self, fits: Fits) -> impl Iterator<Item = &Group> {
        let fits = move |at: usize| fits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1);
        self.groups.iter().enumerate().filter(move |(at, _)| fits(*at)).map(|(_, group)| group)
    }

    /// The entries of the policy, in its order.
    pub fn list(&self) -> impl Iterator<Item = (ParamId, &Parameter)> {
        self.entries.iter().map(|entry| (entry.id, &entry.parameter))
    }

    /// Every name once, by its number.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The name of a parameter.
    pub fn name(&self, id: ParamId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", AsRef::as_ref)
    }

    /// The parameter of that name, by its first entry.
    pub fn named(&self, name: &str) -> Option<(ParamId, &Parameter)> {
        self.list().find(|(_, parameter)| parameter.name == name)
    }

    /// The headers of this side that parameters are read from.
    pub fn headers(&self, side: Side) -> Vec<String> {
        let selectors = self.groups.iter().flat_map(|group| group.batch.set.selectors());
        selectors.filter(|s| s.side() == side).flat_map(Selector::headers).map(str::to_owned).collect()
    }

    /// Whether the body of this side is wanted on this endpoint.
    pub fn needs_body(&self, side: Side, method: &str, path: &str) -> bool {
        let wants = |group: &Group| group.batch.set.selectors().iter().any(|s| s.side() == side && s.needs_body());
        let on = |group: &Group| group.on.as_ref().is_none_or(|on| on.pattern.matches(method, path));
        self.groups.iter().any(|group| wants(group) && on(group))
    }

    /// The parameters that are looked for in the body of a request to this endpoint.
    pub fn in_body(&self, method: &str, path: &str) -> Vec<ParamId> {
        let entries = self.groups_of(self.fits(method, path)).flat_map(|group| group.entries.iter());
        let entries = entries.filter_map(|at| self.entries.get(*at));
        let in_body = entries.filter(|entry| {
            let from = &entry.parameter.from;
            from.side() == Side::Request && from.needs_body()
        });
        in_body.map(|entry| entry.id).collect()
    }

    /// The values of a request. `verifies` says whether tokens are verified at all: where they are, what an unverified
    /// one claims is nothing.
    pub fn read_request(
        &self,
        request: &Request<'_>,
        verifies: bool,
        pseudonym: Pseudonym<'_>,
        tokens: &mut dyn ReadTokens,
    ) -> Reading {
        self.read(request.method, request.path, Side::Request, verifies, pseudonym, &mut |batch, found| {
            batch.set.read_request(request, tokens, |i, f| put(found, i, f));
            // What stands in the path depends on the pattern, so it is read for each by itself.
            for (i, at) in batch.entries.iter().enumerate() {
                let Some(Entry { parameter: Parameter { from, on: Some(on), .. }, .. }) = self.entries.get(*at) else {
                    continue;
                };
                if from.path_name().is_some() {
                    let captures = on.pattern.captures(request.path);
                    put(found, i, from.read_request(&Request { captures: &captures, ..*request }, tokens));
                }
            }
        })
    }

    /// The values of the response to such a request.
    pub fn read_response(
        &self,
        (method, path): (&str, &str),
        response: &Response<'_>,
        verifies: bool,
        pseudonym: Pseudonym<'_>,
        tokens: &mut dyn ReadTokens,
    ) -> Reading {
        self.read(method, path, Side::Response, verifies, pseudonym, &mut |batch, found| {
            batch.set.read_response(response, tokens, |i, f| put(found, i, f));
        })
    }

    fn read(
        &self,
        method: &str,
        path: &str,
        side: Side,
        verifies: bool,
        pseudonym: Pseudonym<'_>,
        fill: &mut dyn FnMut(&Batch, &mut Vec<Found>),
    ) -> Reading {
        let mut reading = Reading::default();
        let fits = self.fits(method, path);
        let combined = self.combined.iter().find(|(known, _)| *known == fits).map(|(_, batch)| batch);
        let single = self.groups_of(fits).filter(|_| combined.is_none()).map(|group| &group.batch);
        for batch in combined.into_iter().chain(single) {
            if batch.set.selectors().iter().all(|s| s.side() != side) {
                continue;
            }
            let mut found = vec![Found::default(); batch.set.selectors().len()];
            fill(batch, &mut found);
            for ((i, at), unit) in batch.entries.iter().enumerate().zip(&batch.units) {
                let (Some(entry), Some(values)) = (self.entries.get(*at), found.get(i)) else { continue };
                if entry.parameter.from.side() == side {
                    let units = unit.and_then(|unit| found.get(unit));
                    entry.take(values, units, verifies, pseudonym, &mut reading);
                }
            }
        }
        reading
    }
}

fn put(all: &mut [Found], at: usize, found: Found) {
    if let Some(place) = all.get_mut(at) {
        *place = found;
    }
}

impl Entry {
    fn take(&self, found: &Found, units: Option<&Found>, verifies: bool, pseudonym: Pseudonym<'_>, to: &mut Reading) {
        to.marks.set(found.marks);
        let believed = |trust: Option<Trust>| !verifies || trust != Some(Trust::Unverified);
        for (i, value) in found.values.iter().filter(|value| believed(value.trust)).enumerate() {
            if i >= MAX_VALUES {
                to.marks.set(ReadMarks::CUT);
                break;
            }
            let beside = match (&self.parameter.currency, units) {
                (Some(Unit::From(_)), Some(units)) => match units.values.as_slice() {
                    [] => None,
                    [one] => Some(one.text.as_str()),
                    // `?` is no currency, and says that there is none to be told.
                    many if many.len() == found.values.len() => many.get(i).map(|unit| unit.text.as_str()),
                    _ => Some("?"),
                },
                _ => None,
            };
            to.values.push((self.id, self.value(&value.text, beside, pseudonym)));
        }
    }

    fn value(&self, text: &str, beside: Option<&str>, pseudonym: Pseudonym<'_>) -> Value {
        let parameter = &self.parameter;
        let is_text = parameter.kind == Type::String;
        if is_text && parameter.store == Storing::Hashed {
            // As sent and at any length, as a search for it will have it.
            return Value::Hashed(pseudonym(&self.purpose, text).into());
        }
        if let (true, Some(redact)) = (is_text, parameter.redact) {
            let too_long = text.len() > MAX_TEXT;
            return if too_long {
                Value::Invalid(Reason::TooLong)
            } else {
                Value::Text(printable(&redact.apply(text)))
            };
        }
        let mut value = Value::parse(parameter.kind, text, beside);
        if let (Value::Money(amount, currency), Some(Unit::Fixed(fixed))) = (&value, &parameter.currency) {
            let fits = *currency == Currency::NONE || currency == fixed;
            value = if fits { Value::Money(*amount, *fixed) } else { Value::Invalid(Reason::Currency) };
        }
        if parameter.store == Storing::Hashed && !value.is_invalid() {
            value = Value::Hashed(pseudonym(&self.purpose, &value.to_string()).into());
        }
        value
    }
}

impl Parameters {
    /// Forms the value of a hashed parameter may be stored in, for a search: `pseudonyms` answers one for each secret
    /// in force.
    pub fn hashed_forms(&self, name: &str, raw: &str, pseudonyms: &dyn Fn(&str, &str) -> Vec<String>) -> Vec<String> {
        let Some(entry) = self.entries.iter().find(|entry| entry.parameter.name == name) else { return Vec::new() };
        match entry.parameter.kind {
            Type::String => pseudonyms(&entry.purpose, raw),
            kind => pseudonyms(&entry.purpose, &Value::parse(kind, raw, None).to_string()),
        }
    }
}
