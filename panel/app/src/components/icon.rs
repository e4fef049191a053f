//! The icons: 16 by 16, drawn with one stroke in the colour of the text around them.

use leptos::prelude::*;

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    /// What runs and what ran.
    Activity,
    /// Applications; cards.
    Apps,
    /// Back to the list.
    Back,
    /// In force.
    Check,
    /// Done, fine.
    Done,
    /// One level deeper.
    Chevron,
    /// Its turn has not come.
    Waiting,
    /// A moment.
    Clock,
    /// A copy.
    Copy,
    /// A database.
    Database,
    /// Opens downwards.
    Down,
    /// Leads out of the panel.
    External,
    /// Show what is hidden.
    Eye,
    /// Files.
    Files,
    /// Overview, load.
    Gauge,
    /// Domains, languages.
    Globe,
    /// The first page.
    Home,
    /// Good to know.
    Info,
    /// Credentials.
    Key,
    /// Live.
    Live,
    /// Encrypted.
    Lock,
    /// The map of nodes.
    Map,
    /// Menu; table.
    Menu,
    /// On the move.
    Move,
    /// A node.
    Node,
    /// Make a new one.
    Plus,
    /// An earlier moment.
    Rewind,
    /// Find.
    Search,
    /// Protected.
    Shield,
    /// A site.
    Site,
    /// At work.
    Working,
    /// Replace.
    Swap,
    /// Delete.
    Trash,
    /// Bring back.
    Undo,
    /// Generate anew.
    Update,
    /// Accounts.
    Users,
    /// Look at this.
    Warning,
    /// Close.
    Close,
    /// Failed, refused.
    Failed,
}

impl Glyph {
    /// Its outline, as in SVG's `d`.
    const fn outline(self) -> &'static str {
        match self {
            Self::Activity => "M1.8 8.5h2.7L6.5 3l3 10 1.9-4.5h2.8",
            Self::Apps => "M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h4v4h-4z",
            Self::Back => "M10 3.5 5.5 8l4.5 4.5",
            Self::Check => "M3 8.5 6.5 12 13 4.5",
            Self::Done => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM5.3 8.2l1.9 1.9 3.6-4",
            Self::Chevron => "M6 3.5 10.5 8 6 12.5",
            Self::Waiting => "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Z",
            Self::Clock => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.7",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Database => {
                "M13 4c0 1.2-2.2 2-5 2s-5-.8-5-2 2.2-2 5-2 5 .8 5 2ZM3 4v8c0 1.2 2.2 2 5 2s5-.8 5-2V4M3 8c0 1.2 2.2 2 5 2s5-.8 5-2"
            }
            Self::Down => "M3.5 6 8 10.5 12.5 6",
            Self::External => "M9.5 2.5h4v4M13.5 2.5 7.5 8.5M11.5 9.5v4h-9v-9h4",
            Self::Eye => {
                "M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8ZM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z"
            }
            Self::Files => "M2 3.5h4l1.5 2H14v7.5H2z",
            Self::Gauge => "M2.5 12a6.2 6.2 0 1 1 11 0M8 9.5l2.6-3.2",
            Self::Globe => {
                "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2 8h12M8 2c2 1.7 2.6 3.8 2.6 6S10 12.3 8 14C6 12.3 5.4 10.2 5.4 8S6 3.7 8 2Z"
            }
            Self::Home => "M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z",
            Self::Info => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.3v3.5M8 5.2h.01",
            Self::Key => {
                "M5.5 13a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM7.5 8.2 13 2.7M10.5 5.2l2 2"
            }
            Self::Live => {
                "M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM4.2 11.8a5.4 5.4 0 0 1 0-7.6M11.8 4.2a5.4 5.4 0 0 1 0 7.6"
            }
            Self::Lock => "M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
            Self::Map => {
                "M3.5 6a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4ZM12.5 6a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4ZM8 13.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4ZM5.2 4.3h5.6M4.3 5.8 7 10.6M11.7 5.8 9 10.6"
            }
            Self::Menu => "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
            Self::Move => "M2 5.5h10M9.5 3 12 5.5 9.5 8M14 10.5H4M6.5 8 4 10.5 6.5 13",
            Self::Node => {
                "M2.5 2.5h11v4.5h-11zM2.5 9h11v4.5h-11zM5 4.8h.01M5 11.2h.01M8 4.8h3M8 11.2h3"
            }
            Self::Plus => "M8 3v10M3 8h10",
            Self::Rewind => "M2.2 8A5.8 5.8 0 1 0 4 3.8M2.2 2.5v2.8H5M8 5v3.2l2.2 1.4",
            Self::Search => "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14",
            Self::Shield => {
                "M8 1.8 13 3.5v4c0 3.3-2 5.5-5 6.7-3-1.2-5-3.4-5-6.7v-4zM5.8 7.8l1.6 1.6 3-3.2"
            }
            Self::Site => "M2 3h12v10H2zM2 6.2h12M4.2 4.6h.01M6.2 4.6h.01",
            Self::Working => "M8 2a6 6 0 1 1-5.6 3.8",
            Self::Swap => "M5 2.5v11M2.5 5 5 2.5 7.5 5M11 13.5v-11M8.5 11l2.5 2.5 2.5-2.5",
            Self::Trash => "M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.8L12 4M6.7 7v4M9.3 7v4",
            Self::Undo => "M5 3 2.5 5.5 5 8M2.5 5.5H10a3.5 3.5 0 0 1 0 7H6",
            Self::Update => {
                "M13.5 7A5.7 5.7 0 0 0 3 5.5M2.5 9A5.7 5.7 0 0 0 13 10.5M3 2.5v3h3M13 13.5v-3h-3"
            }
            Self::Users => {
                "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6ZM1.8 13.5c.2-2.5 1.9-3.9 4.2-3.9s4 1.4 4.2 3.9M10.8 3.1a2.3 2.3 0 0 1 0 4.2M12 9.9c1.3.5 2.1 1.7 2.2 3.6"
            }
            Self::Warning => "M8 2.2 14.3 13.3H1.7zM8 6.5v3M8 11.4h.01",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Failed => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
        }
    }

    /// Whether it points along the text, and so turns round with it.
    const fn follows_text(self) -> bool {
        matches!(
            self,
            Self::Back | Self::Chevron | Self::External | Self::Undo
        )
    }
}

/// An icon. Says nothing to those who listen: the word stands beside it.
#[component]
pub fn Icon(
    /// What it shows.
    glyph: Glyph,
    /// Classes besides its own.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let flip = if glyph.follows_text() { " i-flip" } else { "" };
    let class = if class.is_empty() {
        format!("i{flip}")
    } else {
        format!("i{flip} {class}")
    };
    view! {
        <svg class=class viewBox="0 0 16 16" aria-hidden="true">
            <path d=glyph.outline()></path>
        </svg>
    }
}
