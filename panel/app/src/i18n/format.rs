//! How numbers, sizes, durations and ages are written in the page's language.
//!
//! Separators and units are messages of the locale; a space stands between number and unit.

use crate::tr;

/// A whole number with its groups of three: `12,408`.
#[must_use]
pub fn number(value: u64) -> String {
    group(value, &tr!("number-group"))
}

fn group(value: u64, separator: &str) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

/// A number with a fixed number of decimals: `0.38`.
#[must_use]
pub fn decimal(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('.', &tr!("number-decimal"))
}

/// A size: `4.2 GB`, `212 MB`. Units are powers of 1,000, as disks are sold.
#[must_use]
pub fn bytes(value: u64) -> String {
    let (scaled, unit) = scale_bytes(value);
    let number = decimal(scaled, decimals_for(scaled, unit));
    match unit {
        Unit::Byte => tr!("unit-bytes", value = number),
        Unit::Kilo => tr!("unit-kilobytes", value = number),
        Unit::Mega => tr!("unit-megabytes", value = number),
        Unit::Giga => tr!("unit-gigabytes", value = number),
        Unit::Tera => tr!("unit-terabytes", value = number),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Kilo,
    Mega,
    Giga,
    Tera,
}

fn scale_bytes(value: u64) -> (f64, Unit) {
    let units = [
        (1_000_000_000_000, Unit::Tera),
        (1_000_000_000, Unit::Giga),
        (1_000_000, Unit::Mega),
        (1_000, Unit::Kilo),
    ];
    for (size, unit) in units {
        if value >= size {
            return (value as f64 / size as f64, unit);
        }
    }
    (value as f64, Unit::Byte)
}

/// Three significant digits at most, none after the point where they say nothing.
fn decimals_for(scaled: f64, unit: Unit) -> usize {
    if unit == Unit::Byte
        || scaled >= 100.0
        || ((scaled.fract() * 10.0).round() as u32).is_multiple_of(10)
    {
        0
    } else {
        1
    }
}

/// A short duration: `0.4 s`, `38 s`, `4 min`, `3 h`, `2 d`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..100_000 => tr!(
            "unit-seconds",
            value = decimal(milliseconds as f64 / 1000.0, 1)
        ),
        100_000..120_000 => tr!("unit-seconds", value = number(milliseconds / 1000)),
        120_000..7_200_000 => tr!("unit-minutes", value = number(milliseconds / 60_000)),
        7_200_000..172_800_000 => tr!("unit-hours", value = number(milliseconds / 3_600_000)),
        _ => tr!("unit-days", value = number(milliseconds / 86_400_000)),
    }
}

/// How long somebody waited, to the hundredth while it is short: `0.61 s`.
#[must_use]
pub fn wait(milliseconds: u64) -> String {
    match milliseconds {
        0..10_000 => tr!(
            "unit-seconds",
            value = decimal(milliseconds as f64 / 1000.0, 2)
        ),
        _ => duration(milliseconds),
    }
}

/// How long something is going to take, about: whole seconds, then minutes, hours, days.
#[must_use]
pub fn about(milliseconds: u64) -> String {
    match milliseconds {
        0..120_000 => tr!("unit-seconds", value = number(milliseconds.div_ceil(1000))),
        _ => duration(milliseconds),
    }
}

/// An age in words that don't flicker: whole seconds, then minutes, hours, days.
#[must_use]
pub fn age(milliseconds: u64) -> String {
    tr!("age-ago", age = about(milliseconds))
}

/// A share in percent, 0 to 100; nothing of nothing is 0.
#[must_use]
pub fn percent(part: u64, whole: u64) -> u8 {
    if whole == 0 {
        return 0;
    }
    let share = u128::from(part.min(whole)) * 100 / u128::from(whole);
    u8::try_from(share).unwrap_or(100)
}

/// The letters on a tile: the first two of a domain, or the initials of a name.
#[must_use]
pub fn initials(name: &str) -> String {
    let mut words = name
        .split(|c: char| c.is_whitespace() || c == '-' || c == '.' || c == '@')
        .filter_map(|word| word.chars().next());
    let is_domain = name.contains('.') && !name.contains(char::is_whitespace);
    let letters: String = if is_domain && !name.split('.').next().unwrap_or(name).contains('-') {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .take(2)
            .collect()
    } else {
        words.by_ref().take(2).collect()
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_408, "12,408"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(group(value, ","), text);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_keeps_them_short() {
        for (value, scaled, unit, decimals) in [
            (0, 0.0, Unit::Byte, 0),
            (999, 999.0, Unit::Byte, 0),
            (4_200_000_000, 4.2, Unit::Giga, 1),
            (10_000_000_000, 10.0, Unit::Giga, 0),
            (212_400_000, 212.4, Unit::Mega, 0),
            (1_500_000_000_000, 1.5, Unit::Tera, 1),
        ] {
            let (got, got_unit) = scale_bytes(value);
            assert!((got - scaled).abs() < 1e-9);
            assert_eq!(got_unit, unit);
            assert_eq!(decimals_for(got, got_unit), decimals, "{value}");
        }
    }

    #[test]
    fn shares_stay_between_none_and_all() {
        for (part, whole, expected) in [(0, 0, 0), (1, 3, 33), (5, 5, 100), (9, 5, 100)] {
            assert_eq!(percent(part, whole), expected);
        }
        assert_eq!(percent(u64::MAX, u64::MAX), 100);
    }

    #[test]
    fn tiles_have_two_letters() {
        for (name, letters) in [
            ("harbour-books.example", "HB"),
            ("krabbenfest.example", "KR"),
            ("Mara Thiele", "MT"),
            ("admin", "A"),
            ("", ""),
            ("bücher.example", "BÜ"),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
    }
}
