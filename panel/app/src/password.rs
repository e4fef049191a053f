//! Passwords that the panel proposes.

/// Letters and digits that can't be taken for one another.
const CHARACTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A password from random bytes: bytes that would favour some characters are skipped. Shorter
/// than asked for only when the bytes run out.
#[must_use]
pub fn from_random(random: &[u8], length: usize) -> String {
    let fair = 256 - 256 % CHARACTERS.len();
    random
        .iter()
        .map(|byte| usize::from(*byte))
        .filter(|byte| *byte < fair)
        .filter_map(|byte| CHARACTERS.get(byte % CHARACTERS.len()))
        .map(|character| char::from(*character))
        .take(length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_equally_likely() {
        let all: Vec<u8> = (0..=255).collect();
        let password = from_random(&all, 256);
        let expected = (256 - 256 % CHARACTERS.len()) / CHARACTERS.len();
        for character in CHARACTERS {
            let seen = password.bytes().filter(|byte| byte == character).count();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn length_is_as_asked() {
        assert_eq!(from_random(&[0; 80], 20), "a".repeat(20));
        assert_eq!(from_random(&[255; 80], 20), "");
    }
}
