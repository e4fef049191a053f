//! A customer's site on a lab's cluster, made and watched with `hwc` as an administrator would.

use std::time::Duration;

use serde_json::Value;

use crate::cluster::{self, Login};
use crate::deadline::{Deadline, wait_until};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::progress::Progress;

/// Until every part of a site is live and copied, a gigabyte of files included.
const PROTECTED_LIMIT: Duration = Duration::from_secs(300);
const CUSTOMER: &str = "bench";

/// Makes a cluster of all nodes, with one customer.
///
/// # Errors
/// When a node refuses or does not get ready in time.
pub fn begin(lab: &Lab, progress: Progress) -> Result<()> {
    let login = |login: &str, number| Login {
        login: login.to_owned(),
        password: format!("bench-password-{number}"),
    };
    cluster::begin(lab, &login("admin", 1), progress)?;
    cluster::create_customer(lab, "n1", &login(CUSTOMER, 2), "Bench")
}

/// A site.
#[derive(Debug, Clone, Copy)]
pub struct Site<'lab> {
    lab: &'lab Lab,
    domain: &'lab str,
}

impl<'lab> Site<'lab> {
    /// Creates an empty site, and waits until it is live and copied.
    ///
    /// # Errors
    /// When it is refused, or is not copied in time.
    pub fn create(lab: &'lab Lab, domain: &'lab str) -> Result<Self> {
        let create = ["site", "create", domain, "--account", CUSTOMER];
        cluster::hwc(lab, "n1", &create, "")?;
        let site = Self { lab, domain };
        site.wait_protected()?;
        Ok(site)
    }

    /// The lab that it is in.
    #[must_use]
    pub const fn lab(&self) -> &'lab Lab {
        self.lab
    }

    /// Its first address.
    #[must_use]
    pub const fn domain(&self) -> &str {
        self.domain
    }

    /// Installs WordPress and its database.
    ///
    /// # Errors
    /// When the installer fails.
    pub fn install_wordpress(&self) -> Result<()> {
        let install = ["app", "install", self.domain, "wordpress"];
        let answers = [
            "--title",
            "Bench",
            "--admin-email",
            "bench@customer.example",
        ];
        let words = [install.as_slice(), answers.as_slice()].concat();
        cluster::hwc(self.lab, "n1", &words, "bench-password-3")?;
        Ok(())
    }

    /// The site as the first node sees it that answers.
    ///
    /// # Errors
    /// When no node knows it.
    pub fn view(&self) -> Result<Value> {
        let list = |node: &str| cluster::hwc(self.lab, node, &["site", "list"], "").ok();
        let nodes = self.lab.nodes();
        let sites = nodes.iter().find_map(|node| list(node.name()));
        let sites = sites.as_ref().and_then(Value::as_array);
        let site = sites.and_then(|sites| {
            let is_it = |site: &&Value| site["domains"][0] == self.domain;
            sites.iter().find(is_it)
        });
        site.cloned().ok_or_else(|| Error::Machine {
            what: format!("no node answers for {}", self.domain),
            advice: "see `hwc-lab status` and `hwc-lab logs`".to_owned(),
        })
    }

    /// The name of the node that serves it.
    ///
    /// # Errors
    /// When it is live nowhere.
    pub fn live_node(&self) -> Result<String> {
        let view = self.view()?;
        let live = view["files"]["live_node"]["name"].as_str();
        live.map(str::to_owned).ok_or_else(|| Error::Machine {
            what: format!("{} is live nowhere", self.domain),
            advice: "see `hwc explain` on a node".to_owned(),
        })
    }

    /// Where its pages lie on the node that serves it.
    ///
    /// # Errors
    /// When no node knows it.
    pub fn folder(&self) -> Result<String> {
        let view = self.view()?;
        Ok(format!("/srv/hwc/live/{}/public_html", view["files"]["id"]))
    }

    /// Puts a file among its pages, on the node that serves it.
    ///
    /// # Errors
    /// When it is live nowhere, or the file can't be written.
    pub fn put(&self, name: &str, content: &str) -> Result<()> {
        let (folder, node) = (self.folder()?, self.lab.node(&self.live_node()?)?);
        let path = format!("{folder}/{name}");
        let put = node.exec_command(["tee", &path])?;
        put.stdin_bytes(content).check()?;
        let owner = format!("--reference={folder}");
        node.exec_command(["chown", &owner, &path])?.check()?;
        Ok(())
    }

    /// Waits until every part of it is live and every copy of it is up to date.
    ///
    /// # Errors
    /// When that takes longer than five minutes.
    pub fn wait_protected(&self) -> Result<()> {
        cluster::wait_until_whole(self.lab, self.lab.nodes().len())?;
        let deadline = Deadline::after(PROTECTED_LIMIT);
        wait_until("the site to be protected", deadline, || {
            let Ok(site) = self.view() else {
                return Ok(None);
            };
            let databases = site["databases"].as_array().cloned().unwrap_or_default();
            let is_whole = is_protected(&site["files"])
                && databases.iter().all(|db| is_protected(&db["dataset"]));
            Ok(is_whole.then_some(()))
        })
    }
}

fn is_protected(dataset: &Value) -> bool {
    let copies = dataset["copies"].as_array().cloned().unwrap_or_default();
    dataset["state"] == "live"
        && !copies.is_empty()
        && copies.iter().all(|copy| copy["age_ms"] == 0)
}
