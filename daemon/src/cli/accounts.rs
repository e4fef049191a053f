//! `hwc account …`.

use super::sites::account_id;
use super::table::table;
use super::{Failure, Session, complain};
use anyhow::Context;
use clap::{Args, Subcommand};
use hwc_api::desired::{Limits, Role};
use hwc_api::names::LoginName;
use hwc_api::v1::{AccountView, CreateAccount, CreateAccountBody, DeleteAccount, ListAccounts};
use std::io::Read;

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All accounts.
    List,
    /// Create an account; its password is read from standard input.
    Create(Create),
    /// Delete an account that owns nothing.
    Delete {
        /// Its sign-in name.
        login: LoginName,
    },
}

/// A new account.
#[derive(Debug, Args)]
pub struct Create {
    /// Sign-in name.
    login: String,
    /// Display name.
    #[arg(long)]
    name: String,
    /// E-mail address.
    #[arg(long)]
    email: String,
    /// An administrator instead of a customer.
    #[arg(long)]
    administrator: bool,
    /// Most sites.
    #[arg(long, default_value_t = Limits::default().sites)]
    sites: u32,
    /// Most databases.
    #[arg(long, default_value_t = Limits::default().databases)]
    databases: u32,
}

pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => {
            let accounts = session.client.call(&ListAccounts).await?;
            session.print(&accounts, |accounts| accounts_table(accounts))
        }
        Command::Create(create) => {
            let mut password = String::new();
            complain("Password (standard input):");
            std::io::stdin()
                .read_to_string(&mut password)
                .context("read the password")?;
            let body = CreateAccountBody {
                login: create.login,
                name: create.name,
                email: create.email,
                password: password.trim_end_matches(['\r', '\n']).to_owned(),
                role: if create.administrator {
                    Role::Administrator
                } else {
                    Role::Customer
                },
                limits: Limits {
                    sites: create.sites,
                    databases: create.databases,
                },
            };
            let account = session.client.call(&CreateAccount { body }).await?;
            session.print(&account, |account| format!("{} is created.", account.login))
        }
        Command::Delete { login } => {
            let account = account_id(session, &login).await?;
            let done = session.client.call(&DeleteAccount { account }).await?;
            session.print(&done, |_| format!("{login} is deleted."))
        }
    }
}

fn accounts_table(accounts: &[AccountView]) -> String {
    let row = |account: &AccountView| {
        let role = match account.role {
            Role::Administrator => "administrator",
            Role::Customer => "customer",
        };
        let limit = |used: u32, limit: u32| match account.role {
            Role::Administrator => used.to_string(),
            Role::Customer => format!("{used}/{limit}"),
        };
        vec![
            account.login.to_string(),
            account.name.clone(),
            role.to_owned(),
            limit(account.sites, account.limits.sites),
            limit(account.databases, account.limits.databases),
        ]
    };
    table(
        &["LOGIN", "NAME", "ROLE", "SITES", "DATABASES"],
        &accounts.iter().map(row).collect::<Vec<_>>(),
    )
}
