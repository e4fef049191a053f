//! Boards under virtual time.
