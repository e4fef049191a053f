//! A cluster on a test's lab, used by command as an administrator does.

use std::time::Duration;

use hwc_lab::Lab;
use hwc_lab::cluster::{self, Login};
use hwc_lab::deadline::{Deadline, wait_until};
use serde_json::Value;

/// Until something that takes a moment has happened.
pub const SOON: Duration = Duration::from_secs(60);

const PASSWORD: &str = "a-password-of-tests-1";

/// What `hwc` answers on a node; it must not refuse.
pub fn hwc(lab: &Lab, node: &str, arguments: &[&str]) -> Value {
    cluster::hwc(lab, node, arguments, "").unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// The code with which `hwc` refuses on a node, and its words.
pub fn refused(lab: &Lab, node: &str, arguments: &[&str]) -> (String, String) {
    let words: Vec<_> = ["hwc", "--json"].iter().chain(arguments).copied().collect();
    let output = lab.exec(node, &words).unwrap();
    let (said, complaint) = (output.text(), output.error_text());
    assert_eq!(
        output.code, 1,
        "{arguments:?} on {node}: {said} {complaint}"
    );
    let problem: Value = serde_json::from_str(&complaint)
        .unwrap_or_else(|error| panic!("{arguments:?} on {node}: {complaint:?}: {error}"));
    let word = |key: &str| problem[key].as_str().unwrap().to_owned();
    (word("code"), word("message"))
}

/// Begins a cluster on the first node; the others join.
pub fn begin(lab: &Lab, network: &str) {
    let address = lab.address("n1").unwrap().to_string();
    let email = "admin@cluster.example";
    let init = [
        "cluster",
        "init",
        "--address",
        &address,
        "--admin-email",
        email,
        "--network",
        network,
    ];
    hwc(lab, "n1", &init);
    for node in lab.nodes().iter().skip(1) {
        join(lab, "n1", node.name());
    }
    cluster::wait_until_whole(lab, lab.nodes().len()).unwrap();
    let customer = Login {
        login: "shop".to_owned(),
        password: PASSWORD.to_owned(),
    };
    cluster::create_customer(lab, "n1", &customer, "Shop").unwrap();
}

/// Lets a node join, with a token of another one.
pub fn join(lab: &Lab, through: &str, node: &str) {
    let token = hwc(lab, through, &["node", "token"]);
    let token = token["token"].as_str().unwrap();
    let address = lab.address(node).unwrap().to_string();
    hwc(lab, node, &["node", "join", token, "--address", &address]);
}

/// Creates a site and waits until it is live with an up-to-date copy.
pub fn create_site(lab: &Lab, node: &str, domain: &str) {
    hwc(lab, node, &["site", "create", domain, "--account", "shop"]);
    wait_copied(lab, node, domain);
}

/// Waits until a site is live and its copies are up to date.
pub fn wait_copied(lab: &Lab, node: &str, domain: &str) {
    soon("the site to be copied", || {
        let files = &site(lab, node, domain)["files"];
        let copies = files["copies"].as_array().cloned().unwrap_or_default();
        files["state"] == "live"
            && !copies.is_empty()
            && copies.iter().all(|copy| copy["age_ms"] == 0)
    });
}

/// A site, as a node shows it.
pub fn site(lab: &Lab, node: &str, domain: &str) -> Value {
    let sites = hwc(lab, node, &["site", "list"]);
    let mut sites = sites.as_array().unwrap().iter();
    let of_domain = |site: &&Value| site["domains"][0] == domain;
    sites.find(of_domain).unwrap().clone()
}

/// The node on which a site is live, as another one shows it; empty for none.
pub fn live_node(lab: &Lab, node: &str, domain: &str) -> String {
    let site = site(lab, node, domain);
    let live = site["files"]["live_node"]["name"].as_str();
    live.unwrap_or_default().to_owned()
}

/// How a node looks from another one.
pub fn health(lab: &Lab, node: &str, of: &str) -> String {
    let nodes = hwc(lab, node, &["node", "list"]);
    let mut nodes = nodes.as_array().unwrap().iter();
    let found = nodes.find(|view| view["name"] == of);
    found.map_or_else(String::new, |view| {
        view["health"].as_str().unwrap().to_owned()
    })
}

/// Puts a file into a site, on its live node.
pub fn put_file(lab: &Lab, domain: &str, name: &str, content: &str) {
    let node = live_node(lab, "n1", domain);
    let id = site(lab, "n1", domain)["files"]["id"].to_string();
    let folder = format!("/srv/hwc/live/{id}/public_html");
    let path = format!("{folder}/{name}");
    let put = lab.node(&node).unwrap().exec_command(["tee", &path]);
    put.unwrap().stdin_bytes(content).check().unwrap();
    let owner = format!("--reference={folder}");
    super::text(lab, &node, &["chown", &owner, &path]);
}

/// What a visitor of a site reads at a node's door; empty for anything but a good answer.
pub fn read(lab: &Lab, node: &str, domain: &str, path: &str) -> String {
    let host = format!("host: {domain}");
    let address = format!("http://{}{path}", lab.address(node).unwrap());
    let ask = ["curl", "-s", "-f", "-m", "40", "-H", &host, &address];
    lab.client(&ask).unwrap().text()
}

/// Waits until something is so.
pub fn soon(what: &str, is_so: impl Fn() -> bool) {
    let seen = || Ok(is_so().then_some(()));
    wait_until(what, Deadline::after(SOON), seen).unwrap();
}
