//! The keys of sealed datagrams: which there are, who seals under which, and how they are replaced.
//!
//! A new key is drawn by any node: by command, or because a node was removed, which must not be able
//! to imitate anybody any more. It travels inside calls (mutual TLS), never on the board. For a while
//! both keys open; a node seals under the new one once the others have had time to learn it, or at
//! once when it meets one that does already. After the overlap the old key opens nothing. A node that
//! was away meanwhile learns the new key from the first node that it meets: certificates, not keys,
//! are what it needs for that.
//!
//! - [`ring`]: the keys of one node. Pure.
//! - `exchange`: learns and tells keys, draws new ones when it is time.

mod exchange;
pub mod ring;

pub(crate) use exchange::KeySettings;
pub use exchange::{KeyChange, KeyError, Keys};
pub use ring::{KeyRing, KeyShare};
