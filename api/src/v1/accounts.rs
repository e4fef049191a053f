//! Accounts and API tokens.

use super::{Nothing, call_with_body, call_without_body};
use crate::desired::{Limits, Role};
use crate::ids::{AccountId, TokenId};
use crate::names::{EmailAddress, LoginName};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// An account as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// Sign-in name.
    pub login: LoginName,
    /// Display name.
    pub name: String,
    /// Contact.
    pub email: EmailAddress,
    /// Role.
    pub role: Role,
    /// Limits.
    pub limits: Limits,
    /// Sites it has.
    pub sites: u32,
    /// Databases it has.
    pub databases: u32,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// When it was created.
    pub created_at: WallTime,
}

/// `GET /accounts`: all accounts (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ListAccounts;
call_without_body!(ListAccounts, Get, Vec<AccountView>, |_call| "/accounts"
    .to_owned());

/// `GET /accounts/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct ReadAccount {
    /// Which.
    pub account: AccountId,
}
call_without_body!(ReadAccount, Get, AccountView, |call| format!(
    "/accounts/{}",
    call.account
));

/// `POST /accounts`: create an account (administrators).
#[derive(Debug, Clone)]
pub struct CreateAccount {
    /// What is sent.
    pub body: CreateAccountBody,
}
call_with_body!(
    CreateAccount,
    Post,
    CreateAccountBody,
    AccountView,
    |_call| "/accounts".to_owned()
);

/// A new account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateAccountBody {
    /// Sign-in name.
    pub login: String,
    /// Display name.
    pub name: String,
    /// Contact.
    pub email: String,
    /// First password, at least 10 characters.
    pub password: String,
    /// Role; a customer unless said otherwise.
    #[serde(default = "customer")]
    pub role: Role,
    /// Limits; the usual ones unless said otherwise.
    #[serde(default)]
    pub limits: Limits,
}

const fn customer() -> Role {
    Role::Customer
}

impl std::fmt::Debug for CreateAccountBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateAccountBody")
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// `DELETE /accounts/{id}`: delete an account that owns nothing (administrators).
#[derive(Debug, Clone, Copy)]
pub struct DeleteAccount {
    /// Which.
    pub account: AccountId,
}
call_without_body!(DeleteAccount, Delete, Nothing, |call| format!(
    "/accounts/{}",
    call.account
));

/// An API token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub label: String,
    /// When it was made.
    pub created_at: WallTime,
    /// After this it is void.
    pub expires_at: WallTime,
}

/// `GET /tokens`: my API tokens.
#[derive(Debug, Clone, Copy)]
pub struct ListTokens;
call_without_body!(ListTokens, Get, Vec<TokenView>, |_call| "/tokens"
    .to_owned());

/// `POST /tokens`: make an API token; its secret is answered once.
#[derive(Debug, Clone)]
pub struct CreateToken {
    /// What is sent.
    pub body: CreateTokenBody,
}
call_with_body!(CreateToken, Post, CreateTokenBody, NewToken, |_call| {
    "/tokens".to_owned()
});

/// A new API token. Needs the password again: a stolen session must not outlive itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTokenBody {
    /// What its owner calls it.
    pub label: String,
    /// The account's password.
    pub password: String,
    /// Days until it is void, 1 to 365.
    pub days: u32,
}

impl std::fmt::Debug for CreateTokenBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateTokenBody")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// A token with its secret, shown once.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewToken {
    /// The token.
    pub token: TokenView,
    /// The secret: `Authorization: Bearer <secret>`.
    pub secret: String,
}

/// `DELETE /tokens/{id}`.
#[derive(Debug, Clone, Copy)]
pub struct DeleteToken {
    /// Which.
    pub token: TokenId,
}
call_without_body!(DeleteToken, Delete, Nothing, |call| format!(
    "/tokens/{}",
    call.token
));
