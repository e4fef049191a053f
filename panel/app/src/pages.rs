//! The pages, by area, one per file.

pub mod accounts;
pub mod cluster;
pub mod problem;
pub mod session;
pub mod sites;

use crate::refusal::Refusal;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;

/// What a form was refused, last time it was sent; with or without JavaScript.
pub(crate) fn refusal_of<F, T>(action: ServerAction<F>) -> Signal<Option<Refusal>>
where
    F: ServerFn<Output = T, Error = Refusal> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    let value = action.value();
    Signal::derive(move || {
        value.with(|value| {
            value
                .as_ref()
                .and_then(|value| value.as_ref().err().cloned())
        })
    })
}

/// What was typed into a field before the form was refused; `otherwise` on the first visit.
pub(crate) fn kept(refusal: Signal<Option<Refusal>>, field: &str, otherwise: &str) -> String {
    refusal.with_untracked(|refusal| {
        refusal
            .as_ref()
            .and_then(|refusal| refusal.kept.get(field).cloned())
            .unwrap_or_else(|| otherwise.to_owned())
    })
}

/// Leaves for the sign-in page as soon as a form is refused because the session is over.
pub(crate) fn sign_in_when_asked(refusal: Signal<Option<Refusal>>) {
    Effect::new(move |_| {
        if refusal.with(|refusal| refusal.as_ref().is_some_and(Refusal::asks_to_sign_in)) {
            crate::browser::go_to_sign_in();
        }
    });
}
