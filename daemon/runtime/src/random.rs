//! Randomness for secrets and boots, from the operating system.
//!
//! The one lawful place that takes it; everything that decides gets random numbers as arguments.

use rand::rngs::OsRng;
use rand::{Rng, TryRngCore};

/// Letters and digits without those that people confuse (0 O 1 l I).
const READABLE: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// `N` random bytes, fit for keys.
#[must_use]
pub fn secret_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.unwrap_err().fill(&mut bytes[..]);
    bytes
}

/// A random number.
#[must_use]
pub fn number_u32() -> u32 {
    u32::from_le_bytes(secret_bytes())
}

/// A random number.
#[must_use]
pub fn number_u64() -> u64 {
    u64::from_le_bytes(secret_bytes())
}

/// A random text of `length` letters and digits that people can read aloud; 5.8 bits each.
#[must_use]
pub fn readable_secret(length: usize) -> String {
    let mut source = OsRng.unwrap_err();
    (0..length)
        .map(|_| {
            char::from(
                READABLE
                    .get(source.random_range(0..READABLE.len()))
                    .copied()
                    .unwrap_or(b'x'),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_have_their_length() {
        assert_ne!(secret_bytes::<16>(), secret_bytes::<16>());
        let secret = readable_secret(24);
        assert_eq!(secret.len(), 24);
        assert!(secret.bytes().all(|b| READABLE.contains(&b)));
        assert_ne!(secret, readable_secret(24));
    }
}
