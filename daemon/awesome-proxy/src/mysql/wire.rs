//! Integers and strings as MySQL writes them; reading never panics whatever comes.

/// Reads fields from the front of a payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// This many bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// Two bytes, little end first.
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// Four bytes, little end first.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Bytes up to a NUL, which is taken too.
    pub fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }

    /// A number in MySQL's variable form.
    pub fn number(&mut self) -> Option<u64> {
        Some(match self.u8()? {
            short @ 0..=250 => u64::from(short),
            0xfc => u64::from(self.u16()?),
            0xfd => {
                let low = self.u16()?;
                u64::from(low) | u64::from(self.u8()?) << 16
            }
            0xfe => u64::from_le_bytes(self.bytes(8)?.try_into().ok()?),
            // 0xfb is NULL, and 0xff begins an error.
            _ => return None,
        })
    }

    /// Bytes after their length in MySQL's variable form.
    pub fn with_length(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.bytes(length)
    }

    /// A value of a row in the text protocol: NULL as `Some(None)`.
    pub fn value(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.bytes(1)?;
            return Some(None);
        }
        self.with_length().map(Some)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Writes bytes after their length in MySQL's variable form.
pub(super) fn put_with_length(payload: &mut Vec<u8>, bytes: &[u8]) {
    // Lengths here come from packets of at most 64 KiB.
    match u16::try_from(bytes.len()) {
        Ok(length @ 0..=250) => payload.extend_from_slice(&length.to_le_bytes()[..1]),
        Ok(length) => {
            payload.push(0xfc);
            payload.extend_from_slice(&length.to_le_bytes());
        }
        Err(_) => {
            payload.push(0xfd);
            payload.extend(bytes.len().to_le_bytes().into_iter().take(3));
        }
    }
    payload.extend_from_slice(bytes);
}

/// Writes bytes and a NUL.
pub(super) fn put_with_nul(payload: &mut Vec<u8>, bytes: &[u8]) {
    payload.extend_from_slice(bytes);
    payload.push(0);
}
