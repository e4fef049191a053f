//! The packages of a node and of the application mirror: the tables to edit.

/// What every node has installed, without recommended packages.
pub const NODE: &[&str] = &[
    // The system.
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "adduser",
    "util-linux",
    "procps",
    "iproute2",
    "iputils-ping",
    "openssh-server",
    // Web.
    "apache2",
    "php8.4-fpm",
    "php8.4-mysql",
    "php8.4-gd",
    "php8.4-xml",
    "php8.4-mbstring",
    "php8.4-curl",
    "php8.4-zip",
    "php8.4-intl",
    // Databases.
    "mariadb-server",
    // Datasets.
    "btrfs-progs",
    "zstd",
    // What programs of ours and installers use.
    "curl",
    "ca-certificates",
];

/// WordPress as Debian packages it: the program, its default theme, and the libraries that
/// Debian replaced by links to packages of their own.
pub const WORDPRESS: &[&str] = &[
    "wordpress",
    "wordpress-theme-twentytwentyfive",
    "php-getid3",
    "libjs-cropper",
    "libjs-lodash",
    "libjs-underscore",
];
