//! Exact decimal numbers: what amounts are added up in.
//!
//! A binary fraction would do for one amount, but not for their sum: added in another order it is another sum, and
//! events come in any order. So a number is a whole count of billionths: nine decimals, enough for every currency
//! (ISO 4217 has four at most) and for a satoshi; what is finer is rounded, half away from zero.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Reason;

/// Longest text read as a number, bytes. No number within [`MAX`] needs as much.
const MAX_TEXT: usize = 64;
/// Largest amount, either side of zero, in billionths: 10^18 whole units. A sum over 10^11 of them still fits.
const MAX: u128 = 1_000_000_000_000_000_000_000_000_000;
const ONE: i128 = 1_000_000_000;
const DECIMALS: i32 = 9;
/// Digits that are looked at, leading zeros aside.
const MAX_DIGITS: u32 = 30;

/// A number in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Decimal(i128);

impl Decimal {
    /// Reads a number as people and programs write it:
    ///
    /// - digits with a decimal point and an exponent, as in JSON: `-12.5`, `1e3`;
    /// - a comma alone is the decimal mark, `12,50`, unless it may as well group thousands: `1,234` is ambiguous;
    /// - thousands in groups of three where that is beyond doubt: two groups or more (`1,234,567`), a decimal mark that
    ///   differs from what groups (`1,234.56`, `1.234,56`), or spaces and apostrophes (`1 234,50`, `1'234.50`).
    ///
    /// A point alone is always the decimal mark. Anything else, `NaN` and a currency with the number too, is no number.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.len() > MAX_TEXT {
            return Err(Reason::TooLong);
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let (digits, decimals) = Mantissa::read(mantissa)?.resolve()?;
        let billionths = shifted(digits, exponent - decimals + DECIMALS).filter(|n| *n <= MAX);
        // At most 10^27, so it fits.
        let billionths = billionths.ok_or(Reason::OutOfRange)?.cast_signed();
        Ok(Self(if negative { -billionths } else { billionths }))
    }

    /// A whole number.
    pub fn whole(number: i64) -> Self {
        Self(i128::from(number) * ONE)
    }

    /// The sum; at the limits of 128 bits it stays there, which takes 10^11 numbers of the largest size.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, as [`Decimal::plus`].
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The number in billionths.
    pub fn billionths(self) -> i128 {
        self.0
    }

    /// The nearest binary fraction.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

/// The shortest exact form: `-12.5`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        // The fraction is below 10^9; whole units of sums may be beyond 64 bits only where they saturated.
        let (whole, mut fraction) = (all / one, (all % one) as u32);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        fmt::Display::fmt(&u64::try_from(whole).unwrap_or(u64::MAX), f)?;
        if fraction == 0 {
            return Ok(());
        }
        let mut width = 9;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")
    }
}

fn exponent_of(text: &str) -> Result<i32, Reason> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Reason::NotANumber);
    }
    let exponent: i32 = if digits.len() > 4 { 9_999 } else { digits.parse().map_err(|_| Reason::NotANumber)? };
    Ok(if text.starts_with('-') { -exponent } else { exponent })
}

/// `digits` times ten to the power of `by`, rounded; `None` where it cannot be held.
fn shifted(digits: u128, by: i32) -> Option<u128> {
    let power = 10_u128.checked_pow(by.unsigned_abs());
    match power {
        _ if digits == 0 => Some(0),
        Some(power) if by >= 0 => digits.checked_mul(power),
        None if by >= 0 => None,
        Some(power) => Some(digits / power + u128::from(digits % power >= power.div_ceil(2))),
        None => Some(0),
    }
}

/// The digits of a number, and what stood between them.
#[derive(Default)]
struct Mantissa {
    digits: u128,
    kept: u32,
    /// Digits before the first separator, and whether they begin with a zero.
    first_run: u32,
    zero: bool,
    /// Digits after the last separator, and how many of them were kept.
    run: u32,
    run_kept: u32,
    separators: u32,
    /// What groups, if there is more than one separator; and the last one.
    groups: Option<char>,
    last: Option<char>,
    /// Groups are not of three digits, or not separated alike.
    uneven: bool,
    /// Digits before the last separator were too many to keep.
    dropped: bool,
}

impl Mantissa {
    fn read(text: &str) -> Result<Self, Reason> {
        let mut this = Self::default();
        for c in text.chars() {
            match c.to_digit(10) {
                Some(digit) => this.digit(digit),
                None if matches!(c, '.' | ',' | '\'' | ' ' | '\u{a0}' | '\u{202f}') => this.separator(c),
                None => return Err(Reason::NotANumber),
            }
        }
        if this.separators == 0 {
            this.first_run = this.run;
        }
        if this.run == 0 || this.first_run == 0 { Err(Reason::NotANumber) } else { Ok(this) }
    }

    fn digit(&mut self, digit: u32) {
        self.zero |= self.separators == 0 && self.run == 0 && digit == 0;
        self.run += 1;
        if self.kept < MAX_DIGITS {
            self.digits = self.digits * 10 + u128::from(digit);
            self.kept += u32::from(self.digits > 0);
            self.run_kept += 1;
        }
    }

    fn separator(&mut self, c: char) {
        if self.separators == 0 {
            self.first_run = self.run;
            self.groups = Some(c);
        } else {
            self.uneven |= self.last != self.groups || self.run != 3;
        }
        self.dropped |= self.run_kept < self.run;
        self.last = Some(c);
        self.separators += 1;
        (self.run, self.run_kept) = (0, 0);
    }

    /// The digits, and how many of them are decimals.
    fn resolve(&self) -> Result<(u128, i32), Reason> {
        let grouped = (1..=3).contains(&self.first_run) && !self.zero && !self.uneven;
        let marks = matches!(self.last, Some('.' | ','));
        let decimal = match self.separators {
            0 => false,
            1 if self.last == Some(',') && grouped && self.run == 3 => return Err(Reason::Ambiguous),
            1 if marks => true,
            _ if !grouped => return Err(Reason::NotANumber),
            1 => false,
            _ => self.last != self.groups && marks,
        };
        if self.separators > 0 && !decimal && (self.run != 3 || self.last != self.groups) {
            return Err(Reason::NotANumber);
        }
        if self.dropped || (!decimal && self.run_kept < self.run) {
            return Err(Reason::OutOfRange);
        }
        // At most 64 digits.
        Ok((self.digits, if decimal { self.run_kept.cast_signed() } else { 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_meant_or_not_at_all() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("42", "42"),
            (" +42\n", "42"),
            ("-12.50", "-12.5"),
            ("007", "7"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("1.234", "1.234"),
            ("12,50", "12.5"),
            ("0,123", "0.123"),
            ("1234,567", "1234.567"),
            ("1,2345", "1.2345"),
            ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("1.234.567,8", "1234567.8"),
            ("1 234", "1234"),
            ("1\u{202f}234,50", "1234.5"),
            ("12'345.50", "12345.5"),
            ("0.000000001", "0.000000001"),
            ("0.0000000005", "0.000000001"),
            ("0.00000000049", "0"),
            ("-0.0000000005", "-0.000000001"),
            ("1e-999", "0"),
            ("1000000000000000000", "1000000000000000000"),
            ("0.3333333333333333333333333333333333333333333", "0.333333333"),
        ] {
            assert_eq!(Decimal::parse(text).map(|n| n.to_string()).as_deref(), Ok(expected), "{text}");
        }
        for (text, reason) in [
            ("1,234", Reason::Ambiguous),
            ("-999,999", Reason::Ambiguous),
            ("", Reason::NotANumber),
            ("-", Reason::NotANumber),
            ("NaN", Reason::NotANumber),
            ("Infinity", Reason::NotANumber),
            ("0x10", Reason::NotANumber),
            ("12,50 €", Reason::NotANumber),
            ("--1", Reason::NotANumber),
            (".5", Reason::NotANumber),
            ("5.", Reason::NotANumber),
            ("1e", Reason::NotANumber),
            ("1e5.5", Reason::NotANumber),
            ("1 2", Reason::NotANumber),
            ("1,23,456", Reason::NotANumber),
            ("1,234.567.890", Reason::NotANumber),
            ("1.2.3", Reason::NotANumber),
            ("1234.567,8", Reason::NotANumber),
            ("(12.50)", Reason::NotANumber),
            ("１２", Reason::NotANumber),
            ("1e999", Reason::OutOfRange),
            ("-1e999999999999", Reason::OutOfRange),
            ("1000000000000000000.000000001", Reason::OutOfRange),
            ("99999999999999999999999999999999999999999", Reason::OutOfRange),
        ] {
            assert_eq!(Decimal::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn ten_megabytes_of_digits_are_refused_unread() {
        assert_eq!(Decimal::parse(&"9".repeat(10_000_000)), Err(Reason::TooLong));
        assert_eq!(Decimal::parse(&"0".repeat(MAX_TEXT)), Ok(Decimal::default()));
    }

    #[test]
    fn cents_add_up_exactly() {
        let cent = Decimal::parse("0.01").unwrap();
        let sum = (0..1_000).fold(Decimal::default(), |sum, _| sum.plus(cent));
        assert_eq!((sum, sum.to_f64()), (Decimal::whole(10), 10.0));
        assert_eq!(Decimal(i128::MAX).plus(cent), Decimal(i128::MAX));
    }
}
