//! Who a visitor is, told by the process that they are connected to ([`crate::succession`]) to the
//! one that answers them. Only the socket between the two is believed: on every other way in these
//! fields are stripped like all that pretend to come from us.

use super::front::Entrance;
use super::headers::{self, Asked, Field, Hold, equal, line};
use std::net::IpAddr;

/// Through which door.
const ENTRANCE: &str = "x-hwc-entrance";
/// From which address.
const ADDRESS: &str = "x-hwc-visitor";

/// A visitor and the door that they came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub entrance: Entrance,
    pub address: IpAddr,
}

/// What another front door is told with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Introduction {
    /// That of another node: what it is asked for.
    Asked(Asked),
    /// That of the next process on this node: whose request it is, and what is held back of it.
    Visitor(Origin, Hold),
}

impl Introduction {
    /// What is held back.
    pub const fn holds(self) -> Hold {
        match self {
            Self::Asked(asked) => asked.holds,
            Self::Visitor(_, holds) => holds,
        }
    }

    /// Adds it to a request's fields.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Asked(asked) => headers::write_asked(out, asked),
            Self::Visitor(origin, holds) => {
                line(out, ENTRANCE.as_bytes(), origin.entrance.name().as_bytes());
                line(
                    out,
                    ADDRESS.as_bytes(),
                    origin.address.to_string().as_bytes(),
                );
                headers::write_hold(out, holds);
            }
        }
    }
}

/// Reads what the process before us tells. `https_port` is our own.
pub(super) fn read(fields: &[Field<'_>], https_port: u16) -> Option<(Origin, Hold)> {
    let find = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| equal(name, wanted))?;
        std::str::from_utf8(found.1).ok()
    };
    let doors = [
        Entrance::Plain { https_port },
        Entrance::Secure,
        Entrance::Panel,
    ];
    let name = find(ENTRANCE)?;
    let origin = Origin {
        entrance: doors.into_iter().find(|door| door.name() == name)?,
        address: find(ADDRESS)?.parse().ok()?,
    };
    Some((origin, headers::read_hold(fields)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::headers::read_lines;

    #[test]
    fn who_the_visitor_is_survives_the_wire() {
        let doors = [
            Entrance::Plain { https_port: 443 },
            Entrance::Secure,
            Entrance::Panel,
        ];
        for entrance in doors {
            for (address, holds) in [("192.0.2.7", Hold::End), ("2001:db8::7", Hold::Nothing)] {
                let origin = Origin {
                    entrance,
                    address: address.parse().expect("an address"),
                };
                let mut out = Vec::new();
                Introduction::Visitor(origin, holds).write(&mut out);
                let fields: Vec<_> = read_lines(&out).collect();
                assert_eq!(read(&fields, 443), Some((origin, holds)));
            }
        }
        assert_eq!(read(&[(b"x-hwc-visitor", b"192.0.2.7")], 443), None);
        let unknown = [
            (&b"x-hwc-entrance"[..], &b"window"[..]),
            (b"x-hwc-visitor", b"192.0.2.7"),
        ];
        assert_eq!(read(&unknown, 443), None);
    }
}
