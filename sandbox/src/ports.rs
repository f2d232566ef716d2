//! Ports for servers that are started by tests.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use crate::SandboxError;

/// A port on 127.0.0.1 that is its owner's until it is dropped, also while nothing listens on it.
///
/// A server that is killed and started again must find its port as it left it: another cluster's server there would be
/// taken for it, by the test as by the proxy. What keeps the port is the name of a Unix socket in the kernel's abstract
/// namespace (unix(7)): it is as wide as the ports are (one network namespace), holds between processes, and goes with the
/// process.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _name: UnixListener,
}

impl Port {
    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Takes a port that nobody has taken and on which nobody listens; `None` if somebody does.
    fn take(number: u16) -> Option<Self> {
        let name = claim(number).ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _name: name })
    }
}

/// The name that says that a port is taken.
fn claim(number: u16) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("tideover-sandbox-port-{number}"))?)
}

/// Ports on which nobody listens at the moment, all different. They are below the range from which systems take ports for
/// outgoing connections, so that a server finds its port free when it starts again.
pub fn free_ports(count: usize) -> Result<Vec<Port>, SandboxError> {
    const FIRST: u64 = 15_000;
    const RANGE: u64 = 17_000;
    let random = RandomState::new();
    let mut taken = Vec::new();
    for attempt in 0..RANGE {
        if taken.len() == count {
            return Ok(taken);
        }
        let number = u16::try_from(FIRST + random.hash_one(attempt) % RANGE).unwrap_or_default();
        taken.extend(Port::take(number));
    }
    Err(SandboxError::Unexpected("there are not enough free ports on 127.0.0.1".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_its_owners_while_nothing_listens_on_it() {
        let port = free_ports(1).expect("a port").remove(0);
        let number = port.number();
        assert!(Port::take(number).is_none(), "taken twice");
        drop(port);
        // Another test may have it by now, but not this one's name.
        assert!(Port::take(number).is_some() || claim(number).is_err());
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        assert!(Port::take(listener.local_addr().expect("its address").port()).is_none());
    }
}
