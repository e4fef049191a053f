//! All accounts, with what they have of what they may have.

use crate::components::{Badge, Crumb, Glyph, Icon, Meter, Moment, Place, Screen};
use crate::i18n::format;
use crate::live::use_live;
use crate::tone::Tone;
use crate::tr;
use hwc_api::desired::Role;
use hwc_api::ids::AccountId;
use hwc_api::v1::AccountView;
use leptos::prelude::*;

/// The page.
#[component]
pub fn AccountsPage() -> impl IntoView {
    let live = use_live();
    let ids = Memo::new(move |_| live.accounts.with(|accounts| sorted(accounts.values())));
    let title = tr!("accounts-title");
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Accounts crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h">
                <h1>{title}</h1>
                <span class="muted s13">{move || format::number(ids.with(Vec::len) as u64)}</span>
                <span class="push"></span>
                <div class="acts row">
                    <a class="btn btn-primary" href="/accounts/new">
                        <Icon glyph=Glyph::Plus/>
                        {tr!("account-new")}
                    </a>
                </div>
            </div>
            <div class="card tbl-w">
                <table class="tbl fold">
                    <thead>
                        <tr>
                            <th scope="col">{tr!("column-account")}</th>
                            <th scope="col">{tr!("column-state")}</th>
                            <th scope="col">{tr!("column-login")}</th>
                            <th scope="col" class="num">{tr!("numbers-sites")}</th>
                            <th scope="col" class="num">{tr!("numbers-databases-word")}</th>
                            <th scope="col">{tr!("column-created")}</th>
                            <th scope="col"><span class="vh">{tr!("column-actions")}</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || ids.get() key=|id| *id let:id>
                            <Row id/>
                        </For>
                    </tbody>
                </table>
            </div>
        </Screen>
    }
    .into_any()
}

fn sorted<'account>(accounts: impl Iterator<Item = &'account AccountView>) -> Vec<AccountId> {
    let mut named: Vec<(&str, AccountId)> = accounts
        .map(|account| (account.name.as_str(), account.id))
        .collect();
    named.sort_unstable();
    named.into_iter().map(|(_, id)| id).collect()
}

#[component]
fn Row(id: AccountId) -> impl IntoView {
    let live = use_live();
    let account = Memo::new(move |_| live.accounts.with(|accounts| accounts.get(&id).cloned()));
    move || {
        account
            .get()
            .map(|account| row(live.me.with_untracked(|me| me.id) == account.id, account))
    }
}

fn row(is_me: bool, account: AccountView) -> impl IntoView {
    let badge = if account.is_suspended {
        view! { <Badge tone=Tone::Warn glyph=Glyph::Lock word=tr!("account-suspended")/> }
    } else {
        match account.role {
            Role::Administrator => {
                view! { <Badge tone=Tone::Copy glyph=Glyph::Key word=tr!("role-administrator")/> }
            }
            Role::Customer => {
                view! { <Badge tone=Tone::Ok glyph=Glyph::Check word=tr!("account-active")/> }
            }
        }
    };
    let role = account.role;
    // Limits bind customers only.
    let used_of = move |label: String, used: u32, limit: u32| match role {
        Role::Administrator => unlimited(used).into_any(),
        Role::Customer => view! {
            <Meter
                label
                used=Signal::stored(format::number(used.into()))
                limit=Signal::stored(format::number(limit.into()))
                percent=Signal::stored(format::percent(used.into(), limit.into()))
                inline=true
            />
        }
        .into_any(),
    };
    let owns_nothing = account.sites == 0 && account.databases == 0;
    let name = account.name.clone();
    view! {
        <tr>
            <td>
                <div class="two">
                    <bdi class="b">{account.name.clone()}</bdi>
                    <small><bdi>{account.email.to_string()}</bdi></small>
                </div>
            </td>
            <td class="state">{badge}</td>
            <td data-l=tr!("column-login")><span class="code-b">{account.login.to_string()}</span></td>
            <td class="num full" data-l=tr!("numbers-sites")>
                {used_of(tr!("numbers-sites"), account.sites, account.limits.sites)}
            </td>
            <td class="num full" data-l=tr!("numbers-databases-word")>
                {used_of(tr!("numbers-databases-word"), account.databases, account.limits.databases)}
            </td>
            <td class="nw" data-l=tr!("column-created")><Moment at=account.created_at/></td>
            <td class="num">
                {(!is_me && owns_nothing)
                    .then(|| {
                        view! {
                            <a
                                class="btn btn-quiet btn-danger btn-s"
                                href=format!("/accounts/{}/delete", account.id)
                                aria-label=tr!("account-delete-label", name = name)
                            >
                                <Icon glyph=Glyph::Trash/>
                                {tr!("account-delete")}
                            </a>
                        }
                    })}
            </td>
        </tr>
    }
}

/// What is used of what has no limit.
fn unlimited(used: u32) -> impl IntoView {
    view! {
        <span>{format::number(used.into())} " " <small class="muted">{tr!("account-unlimited")}</small></span>
    }
}
