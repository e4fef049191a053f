//! Keeps Apache, PHP, MariaDB and accounts of this node equal to what the registry asks for.
