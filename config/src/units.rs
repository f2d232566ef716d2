//! Times and sizes as people write them.

use std::time::Duration;

/// Reads a time with its unit: `500us`, `250ms`, `5s`, `1.5s`, `2m`, `1h`, `0s`. `None` for anything else, a bare
/// number included: nobody remembers which unit was meant.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let nanoseconds = match unit {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        _ => return None,
    };
    // Ten years are more than any bound, and exact enough in a float.
    let total = number * nanoseconds;
    (total < 3.2e17).then(|| Duration::from_nanos(total.round() as u64))
}

/// Reads a size: `4096` or `4096B` in bytes, `64KiB`, `1.5MiB`, `1GiB`. `None` for anything else.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "" | "B" => 1.0,
        "KiB" => 1_024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return None,
    };
    let total = number * bytes;
    (total < 9e15 && total.fract() == 0.0).then_some(total as u64)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let at = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let plain = digits.starts_with(|letter: char| letter.is_ascii_digit()) && !digits.ends_with('.');
    let number = digits.parse().ok().filter(|_| plain)?;
    Some((number, unit.trim_start()))
}

/// Writes a time in the largest unit that leaves a whole number.
#[must_use]
pub fn show_time(time: Duration) -> String {
    let micros = time.as_micros();
    for (unit, size) in [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)] {
        if micros > 0 && micros.is_multiple_of(size) {
            return format!("{}{unit}", micros / size);
        }
    }
    if micros == 0 { "0s".to_owned() } else { format!("{micros}us") }
}

/// Writes a size in the largest unit that leaves a whole number.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes > 0 && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, millis) in
            [("0s", 0), ("250ms", 250), ("5s", 5_000), ("1.5s", 1_500), ("2m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(parse_time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 sec",
            "5S",
            "1..5s",
            "1.s",
            ".5s",
            "1e3s",
            "99999999999h",
            "nans",
            "infs",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        for text in ["0s", "250ms", "5s", "2m", "1h", "90s", "1500ms", "5us"] {
            assert_eq!(show_time(parse_time(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("10B", 10), ("1KiB", 1_024), ("1.5MiB", 1_572_864), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "1MB", "1kib", "-1", "0.3B", "99999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        for text in ["0B", "10B", "1KiB", "1536KiB", "1GiB"] {
            assert_eq!(show_size(parse_size(text).unwrap()), text);
        }
    }
}
