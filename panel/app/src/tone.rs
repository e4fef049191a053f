//! The tones in which states are drawn. A tone never stands alone: an icon and a word go with it.

/// A tone, as the style sheets know it (`data-s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Ok,
    /// Served.
    Live,
    /// A copy.
    Copy,
    /// On the move, at work.
    Move,
    /// Look at this.
    Warn,
    /// Broken.
    Bad,
    /// Nothing in particular.
    Plain,
}

impl Tone {
    /// As in `data-s`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Live => "live",
            Self::Copy => "copy",
            Self::Move => "move",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Plain => "off",
        }
    }
}
