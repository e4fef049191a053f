//! What emptying a node means, and the form that begins it.

use crate::actions::DrainNode;
use crate::components::{Field, Glyph, Icon, RefusalBanner};
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::problem::ProblemCode;
use hwc_api::v1::NodeView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The form.
#[component]
pub fn DrainForm(node: Signal<NodeView>) -> impl IntoView {
    let drain = ServerAction::<DrainNode>::new();
    let refusal = refusal_of(drain);
    sign_in_when_asked(refusal);
    let (id, name) = node.with_untracked(|node| (node.node.id, node.node.name.to_string()));
    let was_allowed = kept(refusal, "may_lack_copies", "") == "yes";
    let note = kept(refusal, "note", "");
    // Refused for want of copies: what would help is pointed at.
    let lacks_copies = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .is_some_and(|refusal| refusal.code() == Some(ProblemCode::TooFewCopies))
        })
    });
    view! {
        <section class="card narrow">
            <ActionForm action=drain>
                <input type="hidden" name="node" value=id.to_string()/>
                <div class="dialog-b stackv">
                    <ul class="cons">
                        <li>
                            <Icon glyph=Glyph::Move/>
                            <span>
                                {move || {
                                    node.with(|node| {
                                        tr!(
                                            "drain-means-move", sites = node.live_sites, databases = node.live_databases
                                        )
                                    })
                                }}
                            </span>
                        </li>
                        <li>
                            <Icon glyph=Glyph::Copy/>
                            <span>
                                {move || node.with(|node| tr!("drain-means-copies", copies = node.copies))}
                            </span>
                        </li>
                        <li>
                            <Icon glyph=Glyph::Undo/>
                            <span>{tr!("drain-means-undo")}</span>
                        </li>
                    </ul>
                    <RefusalBanner refusal fields=&["note"]/>
                    <Field
                        name="note"
                        label=tr!("drain-note")
                        hint=tr!("drain-note-hint")
                        value=note
                        optional=true
                        refusal
                    />
                    <label class="check">
                        <input
                            type="checkbox"
                            name="may_lack_copies"
                            value="yes"
                            checked=was_allowed
                            aria-invalid=move || lacks_copies.get().then_some("true")
                        />
                        <span>
                            {tr!("drain-allow-fewer")}
                            <small>{tr!("drain-allow-fewer-hint")}</small>
                        </span>
                    </label>
                </div>
                <div class="dialog-f">
                    <a class="btn" href=format!("/nodes?view=cards&node={id}")>{tr!("cancel")}</a>
                    <button
                        class="btn btn-primary"
                        aria-busy=move || drain.pending().get().then_some("true")
                        disabled=move || drain.pending().get()
                    >
                        {tr!("drain-button", node = name)}
                    </button>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
