//! Signing in and out.

use super::{AccountView, Nothing, call_with_body, call_without_body};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// `POST /session`: sign in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// What is sent.
    pub body: SignInBody,
}
call_with_body!(SignIn, Post, SignInBody, Session, |_call| "/session"
    .to_owned());

/// Credentials. The login is plain text here: a wrong one is answered like a wrong password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// Login name.
    pub login: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for SignInBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInBody")
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// A new session. Send `token` as `Authorization: Bearer …`, or use the cookie that came with it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// The sealed session token.
    pub token: String,
    /// When it ends by itself.
    pub expires_at: WallTime,
    /// Who signed in.
    pub account: AccountView,
}

/// `GET /session`: who am I?
#[derive(Debug, Clone, Copy)]
pub struct ReadSession;
call_without_body!(ReadSession, Get, AccountView, |_call| "/session".to_owned());

/// `DELETE /session`: sign out, on every node at once.
#[derive(Debug, Clone, Copy)]
pub struct SignOut;
call_without_body!(SignOut, Delete, Nothing, |_call| "/session".to_owned());
