//! Where the frames of a WebSocket begin and end (RFC 6455, 5.2), so that a word of our own can be
//! put between two of them; pure.

/// Tells a visitor's program to come back: close, code 1012 (service restart), unmasked as a
/// server's frames are.
pub(super) const COME_BACK: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];

/// Follows one direction of a WebSocket.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Bytes of a head that is not whole.
    head: Vec<u8>,
    /// Bytes of the frame's content that are to come.
    left: u64,
    has_closed: bool,
}

impl Frames {
    /// Whether nothing is half said, and the goodbye was not said either.
    pub fn is_between(&self) -> bool {
        self.head.is_empty() && self.left == 0 && !self.has_closed
    }

    /// Takes notice of bytes that pass.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let amount = usize::try_from(self.left).unwrap_or(usize::MAX);
                let amount = amount.min(bytes.len());
                self.left -= amount as u64;
                bytes = bytes.get(amount..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let Some(left) = content(&self.head) {
                self.has_closed |= self.head.first().is_some_and(|byte| byte & 0x0f == 8);
                self.left = left;
                self.head.clear();
            }
        }
    }
}

/// The length of the content after a head; none while the head is not whole.
fn content(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (digits, length) = match second & 0x7f {
        126 => (
            2,
            u64::from(u16::from_be_bytes(*head.get(2..)?.first_chunk()?)),
        ),
        127 => (8, u64::from_be_bytes(*head.get(2..)?.first_chunk()?)),
        length => (0, u64::from(length)),
    };
    (head.len() == 2 + digits + mask).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).expect("short")),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).expect("medium").to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(std::iter::repeat_n(
            7,
            length + if is_masked { 4 } else { 0 },
        ));
        frame
    }

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        for (length, is_masked) in [(0, false), (5, true), (126, false), (70_000, true)] {
            let one = frame(length, is_masked);
            let two = [one.clone(), one.clone()].concat();
            for size in [1, 3, 1_000, 1_000_000] {
                let mut frames = Frames::default();
                let mut passed = 0;
                for piece in two.chunks(size) {
                    frames.pass(piece);
                    passed += piece.len();
                    let is_end = passed % one.len() == 0;
                    assert_eq!(frames.is_between(), is_end, "{length} {size} {passed}");
                }
            }
        }
    }

    #[test]
    fn nothing_follows_a_goodbye() {
        let mut frames = Frames::default();
        frames.pass(&COME_BACK);
        assert!(!frames.is_between());
    }
}
