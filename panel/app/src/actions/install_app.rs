//! Installing an application into a site.

use crate::refusal::Refusal;
use hwc_api::ids::SiteId;
use hwc_api::v1::JobView;
use leptos::prelude::*;

/// Begins the installation and goes to the page that shows how it goes. `replace` is `yes` when
/// the visitor agreed that files which are there may go.
///
/// # Errors
/// A field is invalid, the site is not empty or busy, or nobody answered.
#[server(prefix = "/do", endpoint = "install-app")]
pub async fn install_app(
    site: SiteId,
    app: String,
    title: String,
    admin_login: String,
    admin_email: String,
    admin_password: String,
    language: String,
    #[server(default)] replace: String,
) -> Result<JobView, Refusal> {
    use crate::server;
    use hwc_api::v1::{InstallApp, InstallAppBody};

    let kept = [
        ("title", title.clone()),
        ("admin_login", admin_login.clone()),
        ("admin_email", admin_email.clone()),
        ("language", language.clone()),
        ("replace", replace.clone()),
    ];
    let call = InstallApp {
        site,
        body: InstallAppBody {
            app,
            title,
            admin_login,
            admin_email,
            admin_password,
            language,
            replace: replace == "yes",
        },
    };
    let job = server::call(&call).await.map_err(|refusal| {
        refusal.keeping(
            kept.each_ref()
                .map(|(field, value)| (*field, value.as_str())),
        )
    })?;
    leptos_axum::redirect(&format!("/sites/{site}/jobs/{}", job.job.id));
    Ok(job)
}
