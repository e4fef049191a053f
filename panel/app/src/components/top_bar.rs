//! The top bar: where the page is, whether all changes are in force, what runs.

use super::activity::ActivityButton;
use super::icon::{Glyph, Icon};
use super::palette::Palette;
use super::screen::Crumb;
use super::side_bar::SIDE_BAR_ID;
use crate::live::{Connection, use_live};
use crate::tone::Tone;
use crate::tr;
use leptos::prelude::*;

/// The bar.
#[component]
pub fn TopBar(
    /// The way to the page.
    crumbs: Vec<Crumb>,
) -> impl IntoView {
    view! {
        <header class="top">
            <button class="btn btn-quiet btn-i burger" popovertarget=SIDE_BAR_ID aria-label=tr!("open-menu")>
                <Icon glyph=Glyph::Menu/>
            </button>
            <nav class="crumbs-n" aria-label=tr!("nav-crumbs")>
                <ol class="crumbs">{crumbs.into_iter().enumerate().map(crumb).collect_view()}</ol>
            </nav>
            <span class="push"></span>
            <SettingsState/>
            <Palette/>
            <ActivityButton/>
        </header>
    }
    .into_any()
}

fn crumb((index, crumb): (usize, Crumb)) -> impl IntoView {
    let name = crumb.name;
    view! {
        <li>
            {(index > 0).then(|| view! { <Icon glyph=Glyph::Chevron/> })}
            {match crumb.href {
                Some(href) => view! { <a href=href><bdi>{name}</bdi></a> }.into_any(),
                None => view! { <bdi aria-current="page">{name}</bdi> }.into_any(),
            }}
        </li>
    }
}

/// Whether every node follows the newest change, or whether this page is cut off.
#[component]
fn SettingsState() -> impl IntoView {
    let live = use_live();
    let state = Memo::new(move |_| {
        if live.connection.get() == Connection::Broken {
            return Some((Tone::Warn, tr!("connection-broken")));
        }
        let settings = live.settings.get();
        if !settings.is_writable {
            return Some((Tone::Warn, tr!("settings-read-only-short")));
        }
        let (applied, nodes) = settings.applied?;
        Some(if applied < nodes {
            (
                Tone::Move,
                tr!("settings-applied-on", applied = applied, nodes = nodes),
            )
        } else if live.is_administrator() {
            (
                Tone::Ok,
                tr!("settings-applied-on", applied = applied, nodes = nodes),
            )
        } else {
            (Tone::Ok, tr!("settings-all-live"))
        })
    });
    let glyph = move |tone| match tone {
        Tone::Warn | Tone::Bad => Glyph::Warning,
        Tone::Move => Glyph::Working,
        Tone::Ok | Tone::Live | Tone::Copy | Tone::Plain => Glyph::Check,
    };
    view! {
        <span class="top-st" role="status">
            {move || {
                state
                    .get()
                    .map(|(tone, text)| {
                        view! {
                            <span class="st" data-s=tone.as_str()>
                                <Icon glyph=glyph(tone)/>
                                <span class="hide-m">{text}</span>
                            </span>
                        }
                    })
            }}
        </span>
    }
    .into_any()
}
