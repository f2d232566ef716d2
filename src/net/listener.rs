//! Listening sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

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

/// A listening socket in a runtime.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener, Arc<SocketFile>),
}

/// One accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The stream.
    pub raw: Raw,
    /// The client's address; `None` over a Unix socket.
    pub peer: Option<SocketAddr>,
}

/// A bound socket that no runtime serves yet. Clones share the socket: each shard serves one.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix.
    Unix(std::os::unix::net::UnixListener, Arc<SocketFile>),
}

/// The file of a Unix socket, removed with the last listener on it.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Bound {
    /// Binds. A Unix socket left over by a process that is gone is replaced.
    ///
    /// # Errors
    /// As the system says.
    pub fn bind(address: &ListenAddress) -> io::Result<Self> {
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
                Ok(Self::Tcp(socket.into()))
            }
            ListenAddress::Unix(path) => {
                if std::os::unix::net::UnixStream::connect(path).is_err() {
                    let _ = std::fs::remove_file(path);
                }
                let listener = std::os::unix::net::UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, Arc::new(SocketFile(path.clone()))))
            }
        }
    }

    /// Another handle on the same socket.
    ///
    /// # Errors
    /// As the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(l) => Self::Tcp(l.try_clone()?),
            Self::Unix(l, file) => Self::Unix(l.try_clone()?, file.clone()),
        })
    }

    /// The address that it is bound to (with the port that the system chose for port 0).
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(l) => Ok(ListenAddress::Tcp(l.local_addr()?)),
            Self::Unix(_, file) => Ok(ListenAddress::Unix(file.0.clone())),
        }
    }

    /// Registers with the runtime that this is called in.
    ///
    /// # Errors
    /// As the system says.
    pub fn into_listener(self) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(l) => Listener::Tcp(TcpListener::from_std(l)?),
            Self::Unix(l, file) => Listener::Unix(UnixListener::from_std(l)?, file),
        })
    }
}

/// The admin API's socket.
#[derive(Debug)]
pub struct AdminListener(TcpListener);

impl AdminListener {
    /// Binds.
    ///
    /// # Errors
    /// As the system says.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(TcpListener::bind(address).await?))
    }

    /// Where it is bound to.
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The socket, for the HTTP library.
    #[must_use]
    pub fn into_inner(self) -> TcpListener {
        self.0
    }
}

impl Listener {
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
