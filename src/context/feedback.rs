//! `Session-Event`: what the origin reports about the user of a request, an RFC 9651 List.
//!
//! ```text
//! Session-Event: login-failure;user="alice"
//! Session-Event: order;amount=99.90;currency=EUR, payment-failure;reason="card declined"
//! ```

use core::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sfv::visitor::{EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser};

/// Longest value read, all field lines together, bytes.
pub const MAX_FEEDBACK_BYTES: usize = 4_096;
/// Most events taken from one response, the first ones.
pub const MAX_EVENTS: usize = 8;
/// Most parameters kept with an event besides `user` and `role`, the first ones.
pub const MAX_PARAMETERS: usize = 8;
/// Longest name of an event, bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Longest value of a parameter as text, bytes.
pub const MAX_VALUE_BYTES: usize = 256;

/// A name of an event with a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownEvent {
    /// As it stands in the header.
    pub name: &'static str,
    /// What the origin says with it.
    pub meaning: &'static str,
}

/// The names that say the same at every origin. Any other name is kept too, as the origin's own.
pub const KNOWN_EVENTS: &[KnownEvent] = &[
    KnownEvent { name: "login-success", meaning: "The user proved who they are; `user` says who." },
    KnownEvent { name: "login-failure", meaning: "Credentials were refused; `user` is the name that was tried." },
    KnownEvent { name: "logout", meaning: "The user ended their session." },
    KnownEvent { name: "signup", meaning: "An account was made." },
    KnownEvent { name: "password-reset", meaning: "A way to set a new password was asked for, without the old one." },
    KnownEvent { name: "password-change", meaning: "The password is another one now." },
    KnownEvent { name: "mfa-success", meaning: "A second factor was accepted." },
    KnownEvent { name: "mfa-failure", meaning: "A second factor was refused." },
    KnownEvent { name: "payment-success", meaning: "A payment went through." },
    KnownEvent { name: "payment-failure", meaning: "A payment was refused." },
    KnownEvent { name: "order", meaning: "Something was ordered." },
    KnownEvent { name: "refund", meaning: "Money went back." },
    KnownEvent { name: "account-lock", meaning: "The origin locked the account." },
    KnownEvent { name: "account-unlock", meaning: "The origin opened the account again." },
];

/// What a `Session-Event` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feedback {
    /// In the order they were sent; at most [`MAX_EVENTS`].
    pub events: Vec<OriginEvent>,
    /// The value is no List, and then nothing of it is used; or a member is no name, and then only that one is not.
    pub malformed: bool,
    /// Something was left out because it is over a bound.
    pub cut: bool,
}

/// One event the origin reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginEvent {
    /// 1 to [`MAX_NAME_BYTES`] of `a-z 0-9 - _ .`; one of [`KNOWN_EVENTS`] or the origin's own.
    pub name: String,
    /// Parameter `user`: who the event is about, as the origin names its users. May hold any character.
    pub user: Option<String>,
    /// Parameter `role`: what that user may do, as the origin names its roles. May hold any character.
    pub role: Option<String>,
    /// The other parameters, each key once, as text: Strings, Display Strings and Tokens their characters, numbers
    /// their shortest form (`99.90` is `99.9`), Booleans `true` or `false`, Dates epoch seconds, Byte Sequences base64.
    pub parameters: Vec<(String, String)>,
}

impl OriginEvent {
    /// The entry of [`KNOWN_EVENTS`] it is, if it is one.
    pub fn known(&self) -> Option<&'static KnownEvent> {
        KNOWN_EVENTS.iter().find(|known| known.name == self.name)
    }
}

/// Reads a `Session-Event`: an RFC 9651 List (§4.2.1) of Tokens or Strings with parameters.
///
/// `value` is the field's value, several lines joined with `, `. Names are lower-cased; of a parameter sent twice the
/// last counts (§4.2.3.2).
///
/// The bounds are the constants of this module. A value over its bound is refused whole; events, parameters and texts
/// over theirs are left out. Each sets `cut`.
///
/// What is no List is ignored whole and `malformed` (§4.2 leaves no choice), also for the commonest slips: a user with
/// `@`, spaces or the like but without quotes, and raw UTF-8. A name beyond ASCII is sent as a Display String:
/// `user=%"Zo%c3%ab"`.
pub fn parse_feedback(value: &str) -> Feedback {
    if value.len() > MAX_FEEDBACK_BYTES {
        return Feedback { cut: true, ..Feedback::default() };
    }
    let mut feedback = Feedback::default();
    match Parser::new(value).parse_list_with_visitor(Members(&mut feedback)) {
        Ok(()) => feedback,
        Err(_) => Feedback { malformed: true, ..Feedback::default() },
    }
}

/// Reads the members of the List into events.
struct Members<'a>(&'a mut Feedback);

impl<'de> ListVisitor<'de> for Members<'_> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(Member(self.0))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Member<'a>(&'a mut Feedback);

impl<'de> EntryVisitor<'de> for Member<'_> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        self.0.malformed = true;
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for Member<'_> {
    type Out = Option<()>;
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = Self::Out>, Infallible> {
        let feedback = self.0;
        let sent = match &item {
            BareItemFromInput::Token(token) => token.as_str(),
            BareItemFromInput::String(text) => text.as_str(),
            _ => "",
        };
        let is_name = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        if sent.is_empty() || !sent.bytes().all(is_name) {
            feedback.malformed = true;
            return Ok(None);
        }
        if sent.len() > MAX_NAME_BYTES || feedback.events.len() == MAX_EVENTS {
            feedback.cut = true;
            return Ok(None);
        }
        feedback.events.push(OriginEvent { name: sent.to_ascii_lowercase(), ..OriginEvent::default() });
        let Feedback { events, cut, .. } = feedback;
        Ok(events.last_mut().map(|event| Parameters { event, cut }))
    }
}

/// Reads the parameters of the event that was added last.
struct Parameters<'a> {
    event: &'a mut OriginEvent,
    cut: &'a mut bool,
}

impl<'de> ParameterVisitor<'de> for Parameters<'_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Infallible> {
        let text = Some(text(value)).filter(|text| text.len() <= MAX_VALUE_BYTES);
        *self.cut |= text.is_none();
        let OriginEvent { user, role, parameters, .. } = &mut *self.event;
        let is_full = parameters.len() >= MAX_PARAMETERS;
        match (key.as_str(), text) {
            ("user", text) => *user = text,
            ("role", text) => *role = text,
            (key, Some(text)) => match parameters.iter_mut().find(|(known, _)| known == key) {
                Some((_, earlier)) => *earlier = text,
                None if is_full => *self.cut = true,
                None => parameters.push((key.to_owned(), text)),
            },
            // The last one counts, and it is too long: an earlier one does not stand in for it.
            (key, None) => parameters.retain(|(known, _)| known != key),
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn text(value: BareItemFromInput<'_>) -> String {
    match value {
        BareItemFromInput::String(text) => text.as_str().to_owned(),
        BareItemFromInput::DisplayString(text) => text.into_owned(),
        BareItemFromInput::Token(token) => token.as_str().to_owned(),
        BareItemFromInput::Integer(number) => number.to_string(),
        BareItemFromInput::Decimal(number) => number.to_string(),
        BareItemFromInput::Boolean(truth) => truth.to_string(),
        BareItemFromInput::Date(date) => date.unix_seconds().to_string(),
        BareItemFromInput::ByteSequence(bytes) => STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests;
