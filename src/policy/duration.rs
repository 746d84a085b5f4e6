//! Durations as the configuration and the API write them.

/// `90s`, `10m`, `1h`, `7d` or `500ms` in milliseconds; `None` for anything else or more than ten years.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    const MAX_MS: u64 = 3_650 * 86_400_000;
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms).filter(|ms| *ms <= MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::parse_duration_ms;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, ms) in
            [("500ms", 500), ("90s", 90_000), ("10m", 600_000), ("1h", 3_600_000), ("3650d", 315_360_000_000)]
        {
            assert_eq!(parse_duration_ms(text), Some(ms), "{text}");
        }
        for bad in ["", "5", "m", "-1m", "1.5h", "1 h", "3651d", "99999999999999999999s", "1w"] {
            assert_eq!(parse_duration_ms(bad), None, "{bad}");
        }
    }
}
