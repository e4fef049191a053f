//! What an installation is asked to do, checked, and turned into the values of templates.

use crate::apps::catalogue::App;
use crate::gather::SitePart;
use crate::render::Places;
use hwc_api::ids::{JobId, SiteId};
use hwc_api::names::{DatabaseName, DatabaseUser, EmailAddress};
use hwc_api::problem::{Problem, ProblemCode};
use minijinja::{Value, context};
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

/// As in the API's own description of the field, characters.
const PASSWORD_LENGTH_MIN: usize = 10;
/// Long enough for any generator, short enough for every application's column.
const PASSWORD_LENGTH_MAX: usize = 128;
/// Title of a web site, characters.
const TITLE_LENGTH_MAX: usize = 200;
/// WordPress's own limit for user names.
const LOGIN_LENGTH_MAX: usize = 60;
/// Names such as `de_DE_formal`.
const LANGUAGE_LENGTH_MAX: usize = 20;
/// Random texts that a configuration may use (WordPress has eight keys and salts).
const RANDOM_TEXTS: usize = 8;

/// What to install, into which site, and how it begins.
#[derive(Debug)]
pub struct InstallRequest {
    /// The job that this is.
    pub job: JobId,
    /// Into which site; it must be live and started here.
    pub site: SiteId,
    /// The catalogue's name of the application.
    pub app: String,
    /// Which version; the newest at hand where none is named.
    pub version: Option<String>,
    /// Title of the new web site.
    pub title: String,
    /// The application's first administrator.
    pub admin_login: String,
    /// The administrator's address.
    pub admin_email: EmailAddress,
    /// The administrator's password.
    pub admin_password: SecretString,
    /// The language, such as `en_US`.
    pub language: String,
    /// Whether files that are there may be replaced.
    pub replace: bool,
    /// The database, already created and reachable on `localhost`, where the application needs one.
    pub database: Option<DatabaseAccess>,
}

/// How an application reaches its database.
#[derive(Debug)]
pub struct DatabaseAccess {
    /// Name of the database.
    pub name: DatabaseName,
    /// Its user.
    pub user: DatabaseUser,
    /// The user's password.
    pub password: SecretString,
}

impl InstallRequest {
    /// Whether its fields are fit for the application.
    ///
    /// # Errors
    /// What is wrong, with the field.
    pub fn check(&self, app: &App) -> Result<(), Problem> {
        check_title(&self.title)?;
        check_login(&self.admin_login)?;
        check_password(self.admin_password.expose_secret())?;
        let is_language = |c: char| c.is_ascii_alphabetic() || c == '_';
        let length = self.language.len();
        if !(2..=LANGUAGE_LENGTH_MAX).contains(&length) || !self.language.chars().all(is_language) {
            return Err(invalid("language", "must be a name such as en_US"));
        }
        if app.needs.database && self.database.is_none() {
            return Err(invalid("app", "needs a database"));
        }
        Ok(())
    }

    /// Texts that must not appear in a log.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let database = self.database.iter().map(|database| &database.password);
        let all = std::iter::once(&self.admin_password).chain(database);
        all.map(ExposeSecret::expose_secret)
    }

    /// The values that templates can name. `fresh` is where the application is made ready.
    pub(super) fn values(&self, site: &SitePart, places: &Places, fresh: &Path) -> Value {
        let random: Vec<_> = (0..RANDOM_TEXTS)
            .map(|_| hwc_runtime::random::readable_secret(64))
            .collect();
        let database = self.database.as_ref().map(|database| {
            context! {
                name => database.name.as_str(),
                user => database.user.as_str(),
                password => database.password.expose_secret(),
            }
        });
        context! {
            title => self.title.clone(),
            domain => site.main_domain.as_str(),
            root => places.dataset.join(fresh).display().to_string(),
            language => self.language.clone(),
            admin => context! {
                login => self.admin_login.clone(),
                email => self.admin_email.as_str(),
                password => self.admin_password.expose_secret(),
            },
            database => database,
            random => random,
        }
    }
}

fn invalid(field: &str, rule: &str) -> Problem {
    Problem::new(ProblemCode::Invalid, format!("{field} {rule}"))
        .field(field)
        .detail(rule)
}

fn check_title(title: &str) -> Result<(), Problem> {
    let length = title.chars().count();
    let is_bad = |c: char| c.is_control() || matches!(c, '<' | '>' | '\u{2028}' | '\u{2029}');
    if title.trim().is_empty() {
        Err(invalid("title", "is empty"))
    } else if length > TITLE_LENGTH_MAX {
        Err(invalid("title", "is longer than 200 characters"))
    } else if title.contains(is_bad) {
        Err(invalid("title", "contains “<”, “>” or a control character"))
    } else {
        Ok(())
    }
}

fn check_login(login: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if login.is_empty() {
        Err(invalid("admin_login", "is empty"))
    } else if login.len() > LOGIN_LENGTH_MAX {
        Err(invalid("admin_login", "is longer than 60 characters"))
    } else if !login.chars().all(allowed) {
        Err(invalid(
            "admin_login",
            "may have letters, digits and . _ - @ only",
        ))
    } else {
        Ok(())
    }
}

fn check_password(password: &str) -> Result<(), Problem> {
    let length = password.chars().count();
    if length < PASSWORD_LENGTH_MIN {
        let message = format!("the password needs at least {PASSWORD_LENGTH_MIN} characters");
        let problem = Problem::new(ProblemCode::PasswordWeak, message);
        return Err(problem
            .field("admin_password")
            .detail(PASSWORD_LENGTH_MIN.to_string()));
    }
    if length > PASSWORD_LENGTH_MAX {
        return Err(invalid("admin_password", "is longer than 128 characters"));
    }
    let is_bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if password.contains(is_bad) {
        return Err(invalid("admin_password", "contains a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_checked_and_named() {
        for (bad, field) in [
            (check_title(" "), "title"),
            (check_title("<b>"), "title"),
            (check_title("a\nb"), "title"),
            (check_title(&"a".repeat(201)), "title"),
            (check_login(""), "admin_login"),
            (check_login("a b"), "admin_login"),
            (check_login("a'b"), "admin_login"),
            (check_password("short"), "admin_password"),
            (check_password("long enough\0"), "admin_password"),
            (check_password(&"a".repeat(129)), "admin_password"),
        ] {
            assert_eq!(bad.expect_err("refused").field.as_deref(), Some(field));
        }
        assert!(check_title("Mara’s “Harbour” & Söhne").is_ok());
        assert!(check_login("mara.thiele@harbour").is_ok());
        assert!(check_password("korrekt Pferd $1'\"\\").is_ok());
    }
}
