//! The walls around a tenant's processes (systemd.exec(5)): its own uid, its own dataset and
//! nothing of the others, no privileges, no devices, no sight of other processes.
//!
//! The same walls hold for PHP-FPM, for the database server, and for every command that an
//! installer runs for a site; hence a list of properties, not a template.

use std::path::Path;

/// What differs between tenants' processes.
#[derive(Debug, Clone)]
pub struct Sandbox<'a> {
    /// Unix user and group.
    pub user: &'a str,
    /// The slice that limits it.
    pub slice: &'a str,
    /// Its live dataset: the one place where it can write.
    pub dataset: &'a Path,
    /// What else it may see of `/etc/hwc`, `/run` and `/srv/hwc`; what is absent is left out.
    pub visible: Vec<String>,
    /// Whether it may use the network.
    pub has_network: bool,
}

/// Places where other tenants, other services or the daemon keep what is theirs.
const INACCESSIBLE: &str = "-/etc/apache2 -/etc/ssh -/etc/shadow -/etc/shadow- \
    -/etc/gshadow -/etc/gshadow- -/var/lib/mysql -/var/lib/hwc -/var/log -/var/spool \
    -/var/backups -/var/cache/apache2 -/boot -/media -/mnt -/opt";

impl Sandbox<'_> {
    /// The properties, in the order in which they are written.
    #[must_use]
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let mut properties = vec![
            ("User", self.user.to_owned()),
            ("Group", self.user.to_owned()),
            ("Slice", self.slice.to_owned()),
            (
                "TemporaryFileSystem",
                "/srv/hwc:ro /run:ro /etc/hwc:ro".to_owned(),
            ),
            ("BindPaths", self.dataset.display().to_string()),
            ("BindReadOnlyPaths", self.visible.join(" ")),
            ("InaccessiblePaths", INACCESSIBLE.to_owned()),
        ];
        let families = if self.has_network {
            "AF_UNIX AF_INET AF_INET6"
        } else {
            "AF_UNIX"
        };
        properties.push(("PrivateNetwork", yes_or_no(!self.has_network)));
        properties.push(("RestrictAddressFamilies", families.to_owned()));
        let fixed = FIXED
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        properties.extend(fixed);
        properties
    }
}

fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

const FIXED: &[(&str, &str)] = &[
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateIPC", "yes"),
    ("ProtectProc", "invisible"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectControlGroups", "yes"),
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("KeyringMode", "private"),
    ("RemoveIPC", "yes"),
    ("SystemCallArchitectures", "native"),
    // A denied call fails as it would without permission, instead of killing PHP. The first list
    // allows, the second takes away from it.
    ("SystemCallFilter", "@system-service"),
    (
        "SystemCallFilter",
        "~@privileged @resources @mount @debug @keyring",
    ),
    ("SystemCallErrorNumber", "EPERM"),
];
