//! Creating a customer's account.

use crate::refusal::Refusal;
use hwc_api::v1::AccountView;
use leptos::prelude::*;

/// Creates a customer and goes to the list of accounts. Limits that are empty are the usual ones.
///
/// # Errors
/// A field is invalid, the login is taken, the password is weak, or nobody answered.
#[server(prefix = "/do", endpoint = "create-account")]
pub async fn create_account(
    login: String,
    name: String,
    email: String,
    password: String,
    #[server(default)] sites: String,
    #[server(default)] databases: String,
) -> Result<AccountView, Refusal> {
    use crate::server;
    use hwc_api::desired::{Limits, Role};
    use hwc_api::v1::{CreateAccount, CreateAccountBody};

    let kept = [
        ("login", login.clone()),
        ("name", name.clone()),
        ("email", email.clone()),
        ("sites", sites.clone()),
        ("databases", databases.clone()),
    ];
    let keep = |refusal: Refusal| {
        refusal.keeping(
            kept.each_ref()
                .map(|(field, value)| (*field, value.as_str())),
        )
    };
    let usual = Limits::default();
    let limits = Limits {
        sites: limit("sites", &sites, usual.sites).map_err(keep)?,
        databases: limit("databases", &databases, usual.databases).map_err(keep)?,
    };
    let call = CreateAccount {
        body: CreateAccountBody {
            login,
            name,
            email,
            password,
            role: Role::Customer,
            limits,
        },
    };
    let account = server::call(&call).await.map_err(keep)?;
    leptos_axum::redirect("/accounts?done=account-created");
    Ok(account)
}

/// A limit as typed; the usual one when nothing was.
#[cfg(feature = "ssr")]
fn limit(field: &str, typed: &str, usual: u32) -> Result<u32, Refusal> {
    use hwc_api::problem::{Problem, ProblemCode};

    if typed.trim().is_empty() {
        return Ok(usual);
    }
    typed.trim().parse().map_err(|_| {
        Problem::new(ProblemCode::Invalid, "a limit is a whole number")
            .field(field)
            .detail(typed.trim())
            .into()
    })
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_numbers_or_the_usual_ones() {
        assert_eq!(limit("sites", "", 10), Ok(10));
        assert_eq!(limit("sites", " 25 ", 10), Ok(25));
        for bad in ["-1", "ten", "1.5", "99999999999"] {
            let refused = limit("sites", bad, 10).expect_err("no limit");
            assert_eq!(refused.field(), Some("sites"));
        }
    }
}
