//! The PROXY protocol, versions 1 (text) and 2 (binary): what a load balancer says in front of a connection about whose it
//! is. As in HAProxy's `proxy-protocol.txt`. Neither version can begin a packet of ours: read as a frame's head, `PROX` and
//! the signature's first bytes have a sequence number that no login starts with.

// As `std::net` has them; these are values and no sockets.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::wire::{DecodeError, Reader};

/// What a header of version 2 starts with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What a header of version 1 starts with.
const TEXT: &[u8] = b"PROXY ";
/// The longest line of version 1, its end included, bytes.
const LONGEST_LINE: usize = 107;
/// Bytes of version 2 before the addresses.
const FIXED: usize = 16;

/// The versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What stands at the front of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Too few bytes to tell, or the header is not whole.
    Incomplete,
    /// No header.
    Other,
    /// A header.
    Header {
        /// Its length, bytes.
        len: usize,
        /// The client's address; `None`: the connection is the sender's own (a health check), or of a kind that has none.
        client: Option<SocketAddr>,
    },
}

/// Reads the header at the front of `bytes`.
///
/// # Errors
/// [`DecodeError`] for what starts as a header and is none.
pub fn read(bytes: &[u8]) -> Result<Front, DecodeError> {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(got, due)| got == due);
    if begins(&SIGNATURE) {
        if bytes.len() < SIGNATURE.len() { Ok(Front::Incomplete) } else { read_binary(bytes) }
    } else if begins(TEXT) {
        if bytes.len() < TEXT.len() { Ok(Front::Incomplete) } else { read_text(bytes) }
    } else {
        Ok(Front::Other)
    }
}

fn read_text(bytes: &[u8]) -> Result<Front, DecodeError> {
    let invalid = DecodeError::Invalid("a malformed PROXY line");
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n') else {
        return if bytes.len() < LONGEST_LINE { Ok(Front::Incomplete) } else { Err(invalid) };
    };
    let line = bytes.get(TEXT.len()..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(invalid)?;
    let line = std::str::from_utf8(line).map_err(|_| invalid)?;
    let len = end + 1;
    let mut words = line.split(' ');
    let four = match words.next() {
        // Whatever follows means nothing.
        Some("UNKNOWN") => return Ok(Front::Header { len, client: None }),
        Some("TCP4") => true,
        Some("TCP6") => false,
        _ => return Err(invalid),
    };
    let mut address = || words.next().and_then(|word| word.parse::<IpAddr>().ok()).ok_or(invalid);
    let (client, server) = (address()?, address()?);
    let mut port = || words.next().and_then(|word| word.parse::<u16>().ok()).ok_or(invalid);
    let (from, _) = (port()?, port()?);
    if client.is_ipv4() != four || server.is_ipv4() != four || words.next().is_some() {
        return Err(invalid);
    }
    Ok(Front::Header { len, client: Some(SocketAddr::new(client, from)) })
}

fn read_binary(bytes: &[u8]) -> Result<Front, DecodeError> {
    let Some(&[command, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED).and_then(|b| b.first_chunk())
    else {
        return Ok(Front::Incomplete);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + length;
    let own = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(DecodeError::Invalid("a PROXY header of an unknown version or command")),
    };
    let Some(content) = bytes.get(FIXED..len) else { return Ok(Front::Incomplete) };
    let mut reader = Reader::new(content);
    let client = match family {
        _ if own => None,
        // TCP over IPv4 and IPv6: addresses of both ends, then their ports. What follows (TLVs) says nothing to us.
        0x11 => {
            let address = Ipv4Addr::from(reader.array::<4>()?);
            reader.array::<4>()?;
            Some((IpAddr::V4(address), ports(&mut reader)?))
        }
        0x21 => {
            let address = Ipv6Addr::from(reader.array::<16>()?);
            reader.array::<16>()?;
            Some((IpAddr::V6(address), ports(&mut reader)?))
        }
        // Unspecified, datagrams, Unix sockets.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => None,
        _ => return Err(DecodeError::Invalid("a PROXY header of an unknown address family")),
    };
    Ok(Front::Header { len, client: client.map(|(address, port)| SocketAddr::new(address, port)) })
}

/// The first of two ports.
fn ports(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    let first = u16::from_be_bytes(reader.array::<2>()?);
    reader.array::<2>()?;
    Ok(first)
}

/// A header that says that the connection is this client's. The other end's address is left unspecified.
#[must_use]
pub fn write(version: Version, client: SocketAddr) -> Vec<u8> {
    match (version, client) {
        (Version::V1, SocketAddr::V4(client)) => {
            format!("PROXY TCP4 {} 0.0.0.0 {} 0\r\n", client.ip(), client.port()).into_bytes()
        }
        (Version::V1, SocketAddr::V6(client)) => {
            format!("PROXY TCP6 {} :: {} 0\r\n", client.ip(), client.port()).into_bytes()
        }
        (Version::V2, client) => {
            let (family, source) = match client.ip() {
                IpAddr::V4(address) => (0x11, address.octets().to_vec()),
                IpAddr::V6(address) => (0x21, address.octets().to_vec()),
            };
            let length = u16::try_from(2 * source.len() + 4).unwrap_or_default();
            let mut header = SIGNATURE.to_vec();
            header.extend_from_slice(&[0x21, family]);
            header.extend_from_slice(&length.to_be_bytes());
            header.extend_from_slice(&source);
            header.resize(header.len() + source.len(), 0);
            header.extend_from_slice(&client.port().to_be_bytes());
            header.extend_from_slice(&[0, 0]);
            header
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let client = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        for (line, wanted) in [
            ("PROXY TCP4 10.1.2.3 10.0.0.1 40000 3306\r\n", client("10.1.2.3:40000")),
            ("PROXY TCP6 2001:db8::1 ::1 65535 3306\r\n", client("[2001:db8::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n", None),
        ] {
            let whole = [line.as_bytes(), b"rest"].concat();
            assert_eq!(read(&whole), Ok(Front::Header { len: line.len(), client: wanted }), "{line}");
            for cut in 0..line.len() {
                assert_eq!(read(&whole[..cut]), Ok(Front::Incomplete), "{line} cut at {cut}");
            }
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(100));
        for wrong in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 40000\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 40000 3306 1\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 70000 3306\r\n",
            "PROXY TCP4 ::1 10.0.0.1 40000 3306\r\n",
            "PROXY TCP6 10.1.2.3 10.0.0.1 40000 3306\r\n",
            "PROXY TCP4 10.1.2.3 10.0.0.1 40000 3306\n",
            "PROXY tcp4 10.1.2.3 10.0.0.1 40000 3306\r\n",
            &long,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn binary() {
        let header = |command: u8, family: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&SIGNATURE[..], &[command, family], &length, content].concat()
        };
        let four = [10, 1, 2, 3, 10, 0, 0, 1, 0x9c, 0x40, 0x0c, 0xea];
        let client = Some("10.1.2.3:40000".parse().unwrap());
        let with_more = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        for (bytes, wanted) in [
            (header(0x21, 0x11, &four), client),
            (header(0x21, 0x11, &with_more), client),
            (header(0x20, 0x11, &four), None),
            (header(0x20, 0, &[]), None),
            (header(0x21, 0x31, &[0; 216]), None),
        ] {
            let whole = [&bytes[..], b"rest"].concat();
            assert_eq!(read(&whole), Ok(Front::Header { len: bytes.len(), client: wanted }));
            for cut in 0..bytes.len() {
                assert_eq!(read(&whole[..cut]), Ok(Front::Incomplete), "cut at {cut}");
            }
        }
        for wrong in [header(0x21, 0x11, &four[..11]), header(0x11, 0x11, &four), header(0x21, 0x99, &four)] {
            assert!(read(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn packets_are_no_headers() {
        for packet in [&[0x20, 0, 0, 1, 0x85][..], &[0xff, 0xff, 0xff, 1], b"X"] {
            assert_eq!(read(packet), Ok(Front::Other));
        }
        assert_eq!(read(b""), Ok(Front::Incomplete));
    }
}
