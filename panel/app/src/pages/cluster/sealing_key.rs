//! The key with which the nodes seal what they tell each other: who has the newest, and a new one.

use crate::actions::{RotateKeys, read_keys};
use crate::components::{Glyph, Icon, RefusalBanner, Skeleton};
use crate::i18n::format;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::v1::{KeysView, NodeKeyState};
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The card.
#[component]
pub fn SealingKey() -> impl IntoView {
    let rotate = ServerAction::<RotateKeys>::new();
    let refusal = refusal_of(rotate);
    sign_in_when_asked(refusal);
    let keys = Resource::new(move || rotate.version().get(), |_| read_keys());
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("key-title")}</h2></div>
            <Transition fallback=|| view! { <Skeleton/> }>
                {move || Suspend::new(async move {
                    match keys.await {
                        Ok(keys) => state(&keys).into_any(),
                        Err(refusal) => {
                            view! {
                                <div class="card-b"><RefusalBanner refusal=Signal::stored(Some(refusal))/></div>
                            }
                                .into_any()
                        }
                    }
                })}
            </Transition>
            <div class="card-f">
                <ActionForm action=rotate>
                    <button
                        class="btn"
                        aria-busy=move || rotate.pending().get().then_some("true")
                        disabled=move || rotate.pending().get()
                    >
                        <Icon glyph=Glyph::Update/>
                        {tr!("key-replace")}
                    </button>
                </ActionForm>
                <span>{tr!("key-replace-hint")}</span>
                <RefusalBanner refusal/>
            </div>
        </section>
    }
    .into_any()
}

fn state(keys: &KeysView) -> impl IntoView + use<> {
    let (tone, glyph, text) = if keys.is_everywhere {
        (
            "ok",
            Glyph::Done,
            tr!("key-everywhere", number = format::number(keys.generation)),
        )
    } else {
        (
            "warn",
            Glyph::Clock,
            tr!(
                "key-not-everywhere",
                number = format::number(keys.generation)
            ),
        )
    };
    let old = keys
        .old_ends_after_ms
        .map(|left| tr!("key-old-ends", time = format::about(left)));
    let lacking = keys
        .nodes
        .iter()
        .filter_map(|node| {
            let name = node.node.name.to_string();
            match node.state {
                NodeKeyState::Newest => None,
                NodeKeyState::Other => Some(tr!("key-other", node = name)),
                NodeKeyState::Unheard => Some(tr!("key-unheard", node = name)),
            }
        })
        .map(|line| view! { <li>{line}</li> })
        .collect::<Vec<_>>();
    let lacking = (!lacking.is_empty()).then(|| view! { <ul class="plain-l">{lacking}</ul> });
    view! {
        <div class="card-b stackv gap-2">
            <p class="st" data-s=tone>
                <Icon glyph/>
                <span>{text}</span>
            </p>
            {old.map(|old| view! { <p class="sm muted">{old}</p> })}
            {lacking}
        </div>
    }
}
