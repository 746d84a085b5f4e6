//! Structured Fields (RFC 9651), as much of them as signatures and contexts are made of.

use std::collections::HashMap;

use super::Refusal;

/// A value of RFC 9651 §3.
pub enum Value {
    String(String),
    Display(String),
    Token(String),
    /// Still in base64.
    Bytes(String),
    Boolean(bool),
    Integer(i64),
    /// A kind that nothing here asks for.
    Decimal,
    Date,
    List(Vec<Member>),
}

/// A member of a Dictionary or of an Inner List.
pub struct Member {
    pub value: Value,
    pub parameters: Parameters,
}

/// Each key once, in the order they were first sent.
pub type Parameters = Vec<(String, Value)>;

/// The value of a parameter.
pub fn get<'a>(parameters: &'a Parameters, wanted: &str) -> Option<&'a Value> {
    parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
}

/// A Dictionary of RFC 9651 §4.2.2. A key may be there twice: the last one counts.
pub fn dictionary(text: &str) -> Result<Vec<(String, Member)>, Refusal> {
    let mut rest = Reader(text.trim_start_matches(' '));
    let mut members = Vec::new();
    while !rest.0.is_empty() {
        let key = rest.key()?;
        let member = match (rest.takes('='), rest.0.starts_with('(')) {
            (true, true) => rest.inner_list()?,
            (true, false) => rest.item()?,
            (false, _) => Member { value: Value::Boolean(true), parameters: rest.parameters()? },
        };
        members.push((key, member));
        rest.skip(&[' ', '\t']);
        if rest.0.is_empty() {
            break;
        }
        let is_separated = rest.takes(',');
        rest.skip(&[' ', '\t']);
        if !is_separated || rest.0.is_empty() {
            return Err(Refusal::Malformed);
        }
    }
    Ok(members)
}

/// What is left of a field.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn skip(&mut self, characters: &[char]) {
        self.0 = self.0.trim_start_matches(characters);
    }

    /// The characters up to the first that is not `wanted`.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !wanted(c)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn next(&mut self) -> Result<char, Refusal> {
        let mut characters = self.0.chars();
        let next = characters.next().ok_or(Refusal::Malformed)?;
        self.0 = characters.as_str();
        Ok(next)
    }

    fn key(&mut self) -> Result<String, Refusal> {
        if !self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
            return Err(Refusal::Malformed);
        }
        Ok(self.run(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c)).to_owned())
    }

    fn parameters(&mut self) -> Result<Parameters, Refusal> {
        let mut parameters: Parameters = Vec::new();
        let mut places = HashMap::new();
        while self.takes(';') {
            self.skip(&[' ']);
            let key = self.key()?;
            let value = if self.takes('=') { self.bare_item()? } else { Value::Boolean(true) };
            // Of a key sent twice the last value counts, in the place of the first.
            match places.get(&key).and_then(|place| parameters.get_mut(*place)) {
                Some((_, earlier)) => *earlier = value,
                None => {
                    places.insert(key.clone(), parameters.len());
                    parameters.push((key, value));
                }
            }
        }
        Ok(parameters)
    }

    fn item(&mut self) -> Result<Member, Refusal> {
        Ok(Member { value: self.bare_item()?, parameters: self.parameters()? })
    }

    fn inner_list(&mut self) -> Result<Member, Refusal> {
        let mut items = Vec::new();
        self.takes('(');
        self.skip(&[' ']);
        while !self.takes(')') {
            items.push(self.item()?);
            if !self.0.starts_with([' ', ')']) {
                return Err(Refusal::Malformed);
            }
            self.skip(&[' ']);
        }
        Ok(Member { value: Value::List(items), parameters: self.parameters()? })
    }

    fn bare_item(&mut self) -> Result<Value, Refusal> {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
        match self.0.chars().next() {
            Some('0'..='9' | '-') => self.number(),
            Some('A'..='Z' | 'a'..='z' | '*') => Ok(Value::Token(self.run(token).to_owned())),
            _ => match self.next()? {
                '"' => self.string(),
                '%' => self.display_string(),
                ':' => {
                    let encoded = self.run(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)).to_owned();
                    if self.takes(':') { Ok(Value::Bytes(encoded)) } else { Err(Refusal::Malformed) }
                }
                '?' => match self.next()? {
                    '0' => Ok(Value::Boolean(false)),
                    '1' => Ok(Value::Boolean(true)),
                    _ => Err(Refusal::Malformed),
                },
                '@' => match self.number()? {
                    Value::Integer(_) => Ok(Value::Date),
                    _ => Err(Refusal::Malformed),
                },
                _ => Err(Refusal::Malformed),
            },
        }
    }

    fn number(&mut self) -> Result<Value, Refusal> {
        let is_negative = self.takes('-');
        let digits = self.run(|c| c.is_ascii_digit());
        if self.takes('.') {
            let decimals = self.run(|c| c.is_ascii_digit());
            let is_bounded = (1..=12).contains(&digits.len()) && (1..=3).contains(&decimals.len());
            return if is_bounded { Ok(Value::Decimal) } else { Err(Refusal::Malformed) };
        }
        let number: i64 = digits.parse().map_err(|_| Refusal::Malformed)?;
        if digits.len() > 15 {
            return Err(Refusal::Malformed);
        }
        Ok(Value::Integer(if is_negative { -number } else { number }))
    }

    fn string(&mut self) -> Result<Value, Refusal> {
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Ok(Value::String(text)),
                '\\' => match self.next()? {
                    escaped @ ('"' | '\\') => text.push(escaped),
                    _ => return Err(Refusal::Malformed),
                },
                c @ ' '..='~' => text.push(c),
                _ => return Err(Refusal::Malformed),
            }
        }
    }

    fn display_string(&mut self) -> Result<Value, Refusal> {
        let mut text = Vec::new();
        let mut next = self.next()?;
        if next != '"' {
            return Err(Refusal::Malformed);
        }
        loop {
            next = self.next()?;
            match next {
                '"' => return String::from_utf8(text).map(Value::Display).map_err(|_| Refusal::Malformed),
                '%' => text.push((self.hex_digit()? << 4) | self.hex_digit()?),
                c @ ' '..='~' => text.extend(u8::try_from(c)),
                _ => return Err(Refusal::Malformed),
            }
        }
    }

    fn hex_digit(&mut self) -> Result<u8, Refusal> {
        match u8::try_from(self.next()?) {
            Ok(c @ b'0'..=b'9') => Ok(c - b'0'),
            Ok(c @ b'a'..=b'f') => Ok(c - b'a' + 10),
            _ => Err(Refusal::Malformed),
        }
    }
}
