//! Passwords: argon2id in PHC string form, off the async threads, few at a time.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use hwc_api::problem::{Problem, ProblemCode};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Least length of a password, characters.
pub const PASSWORD_LENGTH_MIN: usize = 10;
/// Longest password that is hashed, bytes: beyond this it is an attack on our processors.
const PASSWORD_BYTES_MAX: usize = 1_024;
/// Hashes computed at once: each takes 19 MiB and a core for some tens of milliseconds.
const HASHES_AT_ONCE: usize = 2;
/// A well-known hash that no password has: verified against when the account does not exist, so
/// that a wrong login takes as long as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$\
                      RrGTbxnWRCmAMYKwbKJgWNJVvIQSHPEUNqLWSBPmhBI";

/// Hashes and checks passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
        }
    }
}

impl Passwords {
    /// Hashes a new password.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        check_strength(&password)?;
        self.compute(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| internal(&error))
        })
        .await?
    }

    /// Whether the password is the one behind the hash. Without a hash (no such account) it takes
    /// the same time and says no.
    ///
    /// # Errors
    /// When the computation could not run; never says "yes" then.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        self.compute(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODY);
            let Ok(parsed) = PasswordHash::new(hash) else {
                tracing::error!("a stored password hash can't be parsed");
                return false;
            };
            let matches = Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok();
            known && matches
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|error| internal(&error))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| internal(&error))
    }
}

fn check_strength(password: &str) -> Result<(), Problem> {
    if password.chars().count() < PASSWORD_LENGTH_MIN {
        return Err(Problem::new(
            ProblemCode::PasswordWeak,
            format!("The password needs at least {PASSWORD_LENGTH_MIN} characters."),
        )
        .field("password")
        .detail(PASSWORD_LENGTH_MIN.to_string()));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Problem::new(
            ProblemCode::Invalid,
            format!("The password is longer than {PASSWORD_BYTES_MAX} bytes."),
        )
        .field("password"));
    }
    Ok(())
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "password computation failed");
    Problem::new(
        ProblemCode::Internal,
        "The password could not be processed; try again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("correct horse".to_owned())
            .await
            .expect("hashed");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_eq!(
            passwords
                .verify("correct horse".to_owned(), Some(hash.clone()))
                .await,
            Ok(true)
        );
        assert_eq!(
            passwords
                .verify("correct horsf".to_owned(), Some(hash.clone()))
                .await,
            Ok(false)
        );
        assert_eq!(
            passwords.verify("x".repeat(2_000), Some(hash)).await,
            Ok(false)
        );
        assert_eq!(
            passwords.verify("anything at all".to_owned(), None).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn a_short_password_is_refused_with_its_field() {
        let problem = Passwords::default()
            .hash("short".to_owned())
            .await
            .expect_err("refused");
        assert_eq!(problem.code, ProblemCode::PasswordWeak);
        assert_eq!(problem.field.as_deref(), Some("password"));
    }

    #[test]
    fn nobodys_hash_can_be_verified_against() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
