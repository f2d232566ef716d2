//! Ports for servers that are started by tests.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
};

use crate::SandboxError;

/// Ports on which nobody listens at the moment, all different: they are held together and let go together. They are
/// below the range from which systems take ports for outgoing connections, so that a server finds its port free when it
/// starts again.
pub fn free_ports(count: usize) -> Result<Vec<u16>, SandboxError> {
    const FIRST: u64 = 15_000;
    const RANGE: u64 = 17_000;
    let random = RandomState::new();
    let mut held = Vec::new();
    for attempt in 0..RANGE {
        let port = u16::try_from(FIRST + random.hash_one(attempt) % RANGE).unwrap_or_default();
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    Err(SandboxError::Unexpected("there are not enough free ports on 127.0.0.1".into()))
}
