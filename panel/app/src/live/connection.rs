//! Whether events arrive, and how long to wait before asking for them again.

/// How the connection for events stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Not open yet; the page is as fresh as it was loaded.
    Starting,
    /// Events arrive.
    Open,
    /// It broke; what is shown may be old.
    Broken,
}

/// The first wait: a node's proxy that restarts is back by then.
const FIRST_DELAY_MS: u32 = 500;
/// The longest wait: a visitor who looks at the page again should not wait longer than this.
const LONGEST_DELAY_MS: u32 = 10_000;

/// Milliseconds to wait before attempt number `attempt` (the first is 0), spread by `random`
/// (0 to 1), so that the browsers of a dead node don't come back all at once.
#[must_use]
pub fn reconnect_delay_ms(attempt: u32, random: f64) -> u32 {
    let doubled = FIRST_DELAY_MS.saturating_mul(1 << attempt.min(10));
    let most = doubled.min(LONGEST_DELAY_MS);
    let spread = f64::from(most) * 0.5 * random.clamp(0.0, 1.0);
    most / 2 + spread as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest_and_are_spread() {
        assert_eq!(reconnect_delay_ms(0, 0.0), 250);
        assert_eq!(reconnect_delay_ms(0, 1.0), 500);
        assert_eq!(reconnect_delay_ms(2, 1.0), 2000);
        assert_eq!(reconnect_delay_ms(9, 1.0), LONGEST_DELAY_MS);
        assert_eq!(reconnect_delay_ms(u32::MAX, 0.0), LONGEST_DELAY_MS / 2);
    }
}
