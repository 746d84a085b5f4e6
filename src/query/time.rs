//! Times as the API writes and reads them: RFC 3339 in UTC, or back from now.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::policy::parse_duration_ms;

/// `2026-11-23T13:04:18.123Z`.
pub fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(DateTime::<Utc>::from_timestamp_millis)
        .map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Epoch ms of an RFC 3339 time, or of `-1h` seen from `now_ms`.
pub fn parse_time(text: &str, now_ms: u64) -> Option<u64> {
    if let Some(ago) = text.strip_prefix('-') {
        return parse_duration_ms(ago).map(|ago| now_ms.saturating_sub(ago));
    }
    DateTime::parse_from_rfc3339(text).ok().and_then(|time| u64::try_from(time.timestamp_millis()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_their_text_form() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        for text in ["2023-11-14T22:13:20.123Z", "2023-11-14T23:13:20.123+01:00"] {
            assert_eq!(parse_time(text, 0), Some(1_700_000_000_123), "{text}");
        }
        assert_eq!(parse_time("-1h", 3_600_001), Some(1));
        assert_eq!(parse_time("-1h", 5), Some(0));
        for bad in ["", "yesterday", "2023-11-14", "-", "1700000000", "1969-12-31T23:59:59Z"] {
            assert_eq!(parse_time(bad, 0), None, "{bad}");
        }
    }
}
