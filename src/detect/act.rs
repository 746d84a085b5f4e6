//! What an event was for the account behind it: a login that failed, a new account, a changed password.
//!
//! What the origin reports (`Session-Event`) is believed. Where it reports nothing, the words of the path and the
//! status of the answer tell: `POST /login` answered 401 was a failed login, whatever the body said. Words are compared
//! whole, without `-` and `_`, small: `/sign-in` is `signin`, `/password-hints` is not `password`.

use crate::session::Event;
use crate::verdict::Action;

/// What somebody did about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    LoginFailed,
    LoginSucceeded,
    SignedUp,
    /// Asked for a new password.
    ResetAsked,
    /// Changed what an account is or pays with.
    Changed,
    /// A code that is worth money was not one.
    CodeRefused,
    CodeAccepted,
}

/// Segments looked at, from the end: what an endpoint does stands in its last words.
const SEGMENTS: usize = 4;
/// Longest word compared, bytes.
const MAX_WORD: usize = 24;

const LOGIN: [&str; 21] = [
    "login",
    "signin",
    "logon",
    "authenticate",
    "authorize",
    "auth",
    "sso",
    "token",
    "session",
    "sessions",
    "otp",
    "mfa",
    "2fa",
    "totp",
    "credentials",
    "passwordless",
    "verifycode",
    "verifyotp",
    "otpverify",
    "twofactor",
    "verifypin",
];
const SIGNUP: [&str; 8] =
    ["register", "signup", "registration", "registrations", "enroll", "join", "createaccount", "newaccount"];
/// What an account created there is called, where anybody may create one.
const PEOPLE: [&str; 5] = ["users", "accounts", "customers", "members", "user"];
/// What is redeemed by a code.
const CODES: [&str; 11] = [
    "coupon",
    "coupons",
    "voucher",
    "vouchers",
    "promo",
    "promocode",
    "promocodes",
    "discountcode",
    "giftcard",
    "giftcards",
    "redeem",
];
const SENSITIVE: [&str; 28] = [
    "password",
    "email",
    "profile",
    "phone",
    "account",
    "me",
    "settings",
    "paymentmethod",
    "paymentmethods",
    "card",
    "cards",
    "address",
    "addresses",
    "mfa",
    "2fa",
    "security",
    "payout",
    "payouts",
    "iban",
    "beneficiary",
    "beneficiaries",
    "withdraw",
    "withdrawal",
    "withdrawals",
    "transfer",
    "transfers",
    "giftcards",
    "apikeys",
];

/// What the event was, if it was about an account. What we stopped, or the origin failed at, was nothing.
pub fn act(event: &Event<'_>) -> Option<Act> {
    if event.action >= Action::Throttle || event.status >= 500 || event.status == 499 {
        return None;
    }
    if !event.feedback.is_empty() {
        return event.feedback.split(',').find_map(reported);
    }
    let reads = event.method == "GET";
    if !reads && !matches!(event.method, "POST" | "PUT" | "PATCH" | "DELETE") {
        return None;
    }
    // Of what is only read, codes alone are looked for, and those stand in the path.
    if reads && !event.template.contains(['{', '=']) && !matches!(event.status, 400..500) {
        return None;
    }
    let mut words = [""; SEGMENTS];
    let mut buffer = [[0u8; MAX_WORD]; SEGMENTS];
    let segments = event.template.rsplit('/').filter(|segment| !segment.is_empty());
    for ((segment, word), bytes) in segments.zip(&mut words).zip(&mut buffer) {
        *word = plain(segment, bytes);
    }
    let last = words.first().copied().unwrap_or("");
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let begins = |start: &str| words.iter().any(|word| word.contains(start));
    let answered = (200..400).contains(&event.status);
    if has(&CODES) && matches!(event.status, 400 | 403 | 404 | 409 | 410 | 422 | 429) {
        return Some(Act::CodeRefused);
    }
    // Who buys a gift card changes what they pay with.
    if has(&CODES) && event.status < 300 && (reads || !has(&SENSITIVE)) {
        return Some(Act::CodeAccepted);
    }
    if reads {
        return None;
    }
    if event.method != "POST" {
        let changed = event.status < 300 && (has(&SENSITIVE) || PEOPLE.iter().any(|people| words.contains(people)));
        return changed.then_some(Act::Changed);
    }
    if matches!(last, "logout" | "signout" | "logoff" | "refresh" | "renew" | "revoke" | "introspect") {
        None
    } else if begins("forgot") || begins("reset") || begins("recover") {
        answered.then_some(Act::ResetAsked)
    } else if has(&SIGNUP) || (PEOPLE.contains(&last) && crate::identity::is_address_bound(event.key_source)) {
        answered.then_some(Act::SignedUp)
    } else if is_login(&words) {
        match event.status {
            _ if !event.attempted_user().is_empty() => Some(Act::LoginFailed),
            200..400 => Some(Act::LoginSucceeded),
            400 | 401 | 403 | 404 | 422 | 423 | 429 => Some(Act::LoginFailed),
            _ => None,
        }
    } else if event.status < 300 && has(&SENSITIVE) {
        Some(Act::Changed)
    } else {
        None
    }
}

/// The last word says login, or the one before it where the last one says how (`/login/google`, `/auth/password`).
fn is_login(words: &[&str; SEGMENTS]) -> bool {
    let [last, before, ..] = words;
    LOGIN.contains(last)
        || matches!(*before, "login" | "signin" | "logon")
        || (matches!(*before, "auth" | "mfa" | "2fa" | "otp")
            && matches!(*last, "password" | "verify" | "check" | "local"))
}

fn reported(name: &str) -> Option<Act> {
    Some(match name {
        "login-failure" | "mfa-failure" => Act::LoginFailed,
        "login-success" | "mfa-success" => Act::LoginSucceeded,
        "signup" => Act::SignedUp,
        "password-reset" => Act::ResetAsked,
        "password-change" | "profile-change" | "email-change" | "payment-method-change" => Act::Changed,
        _ => return None,
    })
}

/// A segment in small letters without what joins words, and without a file's extension; a longer one is no word.
fn plain<'b>(segment: &str, bytes: &'b mut [u8; MAX_WORD]) -> &'b str {
    let mut len = 0;
    for c in segment.bytes().take_while(|c| *c != b'.').filter(|c| !matches!(c, b'-' | b'_')) {
        match bytes.get_mut(len) {
            Some(place) => *place = c.to_ascii_lowercase(),
            None => return "",
        }
        len += 1;
    }
    bytes.get(..len).and_then(|word| core::str::from_utf8(word).ok()).unwrap_or("")
}
