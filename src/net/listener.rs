//! Listening sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};

use super::stream::{Raw, prepare};

/// Connections the kernel may keep waiting for us.
const BACKLOG: u32 = 4096;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `host:port`, resolved.
    Tcp(SocketAddr),
    /// `unix:/path`.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(a) => write!(f, "{a}"),
            Self::Unix(p) => write!(f, "unix:{}", p.display()),
        }
    }
}

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener, PathBuf),
}

/// One accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The stream.
    pub raw: Raw,
    /// The client's address; `None` over a Unix socket.
    pub peer: Option<SocketAddr>,
}

impl Listener {
    /// Binds. A Unix socket left over by a process that is gone is replaced.
    ///
    /// # Errors
    /// As the system says.
    pub async fn bind(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => {
                let socket = socket2::Socket::new(
                    socket2::Domain::for_address(*address),
                    socket2::Type::STREAM,
                    Some(socket2::Protocol::TCP),
                )?;
                socket.set_reuse_address(true)?;
                socket.set_nonblocking(true)?;
                socket.bind(&(*address).into())?;
                socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
                Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
            }
            ListenAddress::Unix(path) => {
                let in_use = tokio::net::UnixStream::connect(path).await.is_ok();
                if !in_use {
                    let _ = std::fs::remove_file(path);
                }
                Ok(Self::Unix(UnixListener::bind(path)?, path.clone()))
            }
        }
    }

    /// The address that it is bound to (with the port that the system chose for port 0).
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(l) => Ok(ListenAddress::Tcp(l.local_addr()?)),
            Self::Unix(_, path) => Ok(ListenAddress::Unix(path.clone())),
        }
    }

    /// Waits for the next connection. Cancel-safe.
    ///
    /// # Errors
    /// As the system says; the caller may go on after any of them (out of descriptors, aborted connections).
    pub async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(l) => {
                let (stream, peer) = l.accept().await?;
                // A connection that is gone already fails here; the session finds out by itself.
                let _ = prepare(&stream);
                Ok(Accepted { raw: Raw::Tcp(stream), peer: Some(peer) })
            }
            Self::Unix(l, _) => Ok(Accepted { raw: Raw::Unix(l.accept().await?.0), peer: None }),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}
