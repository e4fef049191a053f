//! A moment: drawn in UTC by the server, in the visitor's own time by the browser.

use crate::i18n::format;
use crate::tr;
use hwc_api::time::WallTime;
use leptos::prelude::*;

/// A point in time.
#[component]
pub fn Moment(
    /// Which.
    #[prop(into)]
    at: Signal<WallTime>,
    /// Whether it is about: the time of day is enough.
    #[prop(optional)]
    is_about: bool,
) -> impl IntoView {
    // Both sides draw UTC first, so that the page can be taken over; then the browser knows better.
    let is_local = RwSignal::new(false);
    Effect::new(move |_| is_local.set(true));
    let text = move || {
        let at = at.get();
        match (is_local.get(), is_about) {
            (true, _) => local(at, is_about),
            (false, true) => tr!("moment-clock-utc", time = clock(civil(at))),
            (false, false) => utc(at),
        }
    };
    view! { <time datetime=move || iso(at.get())>{text}</time> }
}

/// A calendar date with its time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

/// The calendar of UTC (days to civil date after H. Hinnant's `civil_from_days`).
fn civil(at: WallTime) -> Civil {
    let seconds = at.0.div_euclid(1000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let of_day = seconds.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let small = |value: i64| u32::try_from(value).unwrap_or_default();
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: small(month),
        day: small(day_of_year - (153 * shifted_month + 2) / 5 + 1),
        hour: small(of_day / 3600),
        minute: small(of_day / 60 % 60),
        second: small(of_day % 60),
    }
}

fn iso(at: WallTime) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn utc(at: WallTime) -> String {
    tr!(
        "moment-utc",
        date = date(civil(at)),
        time = clock(civil(at))
    )
}

fn clock(at: Civil) -> String {
    format!("{:02}:{:02}", at.hour, at.minute)
}

fn date(at: Civil) -> String {
    let month = match at.month {
        1 => tr!("month-1"),
        2 => tr!("month-2"),
        3 => tr!("month-3"),
        4 => tr!("month-4"),
        5 => tr!("month-5"),
        6 => tr!("month-6"),
        7 => tr!("month-7"),
        8 => tr!("month-8"),
        9 => tr!("month-9"),
        10 => tr!("month-10"),
        11 => tr!("month-11"),
        _ => tr!("month-12"),
    };
    tr!("moment-date", day = at.day.to_string(), month = month)
}

/// In the visitor's own time: seconds today, unless it is about; the date of other days.
#[cfg(feature = "hydrate")]
fn local(at: WallTime, is_about: bool) -> String {
    let here = |moment: WallTime| {
        let date = js_sys::Date::new(&(moment.0 as f64).into());
        let offset_minutes = date.get_timezone_offset() as i64;
        civil(moment.plus_ms(-offset_minutes * 60_000))
    };
    let then = here(at);
    let now_at = crate::browser::now();
    let now = here(now_at);
    if (then.year, then.month, then.day) == (now.year, now.month, now.day) {
        if is_about {
            return clock(then);
        }
        let seconds = format!("{}:{:02}", clock(then), then.second);
        return tr!("moment-today", time = seconds);
    }
    tr!("moment-day", date = date(then), time = clock(then))
}

#[cfg(not(feature = "hydrate"))]
fn local(at: WallTime, _is_about: bool) -> String {
    utc(at)
}

/// How long something took, from one moment to another.
#[must_use]
pub fn span(from: WallTime, to: WallTime) -> String {
    format::duration(to.since_ms(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_found_in_the_calendar() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_351_492_000, "2026-11-22T12:44:52Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(WallTime(at)), text);
        }
    }
}
