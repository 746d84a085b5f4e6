//! When to fetch an issuer's keys from its URL: a state machine without a clock, a timer or a connection of its own.
//!
//! Keys once fetched stay in use until others take their place, even past their lifetime: an issuer that cannot be
//! reached for a while must not lock out everybody it has vouched for.

/// Lifetime of keys whose response says nothing about it, seconds.
pub const DEFAULT_LIFETIME_S: u64 = 600;
/// Shortest lifetime, seconds, whatever the response says: one fetch a minute per isolate is no burden.
pub const LEAST_LIFETIME_S: u64 = 60;
/// Longest lifetime, seconds: a withdrawn key is out of use after a day at the latest, if the issuer can be reached.
pub const MOST_LIFETIME_S: u64 = 24 * 60 * 60;

/// Share of the lifetime after which keys are fetched anew, percent: the rest is for failed attempts.
const REFRESH_AT_PERCENT: u64 = 80;
/// How long an attempt counts as under way, milliseconds. One that has not reported by then never will: the request
/// it ran in was cancelled.
const ATTEMPT_MS: u64 = 5_000;
/// Most attempts under way at once while there are no keys. More than one, because a request cannot wait for another
/// request's connection; few, because a cold start would otherwise ask the issuer once for every request.
const MOST_ATTEMPTS: usize = 4;
/// Wait after the first failure, milliseconds; doubles with each further one.
const FIRST_BACKOFF_MS: u64 = 1_000;
/// Longest wait after a failure, milliseconds.
const MOST_BACKOFF_MS: u64 = 60_000;
/// Least time between fetches for the sake of unknown key ids, milliseconds: anybody can make up key ids.
const UNKNOWN_KID_MS: u64 = 30_000;

/// Why keys should be fetched now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// There never were any: a request may wait for them.
    First,
    /// The ones there are get old: to be done in the background.
    Refresh,
}

/// The fetching of one JWK set, seen from one isolate.
#[derive(Debug, Clone)]
pub struct JwksSource {
    url: String,
    /// When the keys in use are due, milliseconds since 1970; `None` until there are any.
    due_ms: Option<u64>,
    /// When each attempt under way stops to count.
    attempts: Vec<u64>,
    /// Failures since the last success, those of one wave counted once.
    failures: u32,
    /// No attempt before this time.
    retry_ms: u64,
    /// No attempt for an unknown key id before this time.
    unknown_ms: u64,
}

impl JwksSource {
    /// Nothing fetched yet.
    pub fn new(url: String) -> Self {
        Self { url, due_ms: None, attempts: Vec::new(), failures: 0, retry_ms: 0, unknown_ms: 0 }
    }

    /// Where the keys are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether an attempt should start now, and what for. Who starts one says so with [`started`](Self::started).
    pub fn wants(&self, now_ms: u64) -> Option<Want> {
        if now_ms < self.retry_ms {
            return None;
        }
        let under_way = self.under_way(now_ms);
        match self.due_ms {
            None => (under_way < MOST_ATTEMPTS).then_some(Want::First),
            Some(due) => (under_way == 0 && now_ms >= due).then_some(Want::Refresh),
        }
    }

    /// Whether an attempt may start now because a token names a key that is not among those there are. At most one in
    /// 30 s, and none while another one is under way or failures are waited out. A `true` uses the chance up.
    pub fn unknown_kid(&mut self, now_ms: u64) -> bool {
        let may = self.due_ms.is_some()
            && now_ms >= self.retry_ms
            && now_ms >= self.unknown_ms
            && self.under_way(now_ms) == 0;
        if may {
            self.unknown_ms = now_ms.saturating_add(UNKNOWN_KID_MS);
        }
        may
    }

    /// An attempt has started. It counts as under way until [`took`](Self::took), [`failed`](Self::failed) or its
    /// deadline, five seconds from now.
    pub fn started(&mut self, now_ms: u64) {
        self.attempts.retain(|until| now_ms < *until);
        self.attempts.push(now_ms.saturating_add(ATTEMPT_MS));
    }

    /// An attempt brought keys, good for `max_age_s` seconds by what the response says (see [`max_age`]).
    pub fn took(&mut self, max_age_s: Option<u64>, now_ms: u64) {
        let lifetime_s = max_age_s.unwrap_or(DEFAULT_LIFETIME_S).clamp(LEAST_LIFETIME_S, MOST_LIFETIME_S);
        self.due_ms = Some(now_ms.saturating_add(lifetime_s * 1_000 * REFRESH_AT_PERCENT / 100));
        self.failures = 0;
        self.retry_ms = 0;
        self.ended();
    }

    /// An attempt brought nothing usable. The keys there are stay in use.
    pub fn failed(&mut self, now_ms: u64) {
        self.ended();
        // Of attempts that ran side by side, only the first to fail says something new.
        if now_ms >= self.retry_ms {
            let backoff_ms = FIRST_BACKOFF_MS.checked_shl(self.failures).unwrap_or(MOST_BACKOFF_MS);
            self.retry_ms = now_ms.saturating_add(backoff_ms.min(MOST_BACKOFF_MS));
            // From here on it is the longest wait anyway.
            self.failures = (self.failures + 1).min(16);
        }
    }

    fn under_way(&self, now_ms: u64) -> usize {
        self.attempts.iter().filter(|until| now_ms < **until).count()
    }

    /// The attempt that has run longest is taken for the one that ended; which one it was makes no difference.
    fn ended(&mut self) {
        if !self.attempts.is_empty() {
            self.attempts.remove(0);
        }
    }
}

/// The lifetime a Cache-Control header gives a response, seconds (RFC 9111 section 5.2.2): its first `max-age`, and 0
/// where it must not be stored or reused. `None` where it says nothing that can be read.
pub fn max_age(cache_control: &str) -> Option<u64> {
    let mut lifetime = None;
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(0);
        }
        if name.eq_ignore_ascii_case("max-age") && lifetime.is_none() {
            lifetime = seconds(value.trim().trim_matches('"'));
        }
    }
    lifetime
}

/// Digits and nothing else; more than fit are simply very many (RFC 9111 section 1.2.2).
fn seconds(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
