//! A byte stream to a client or a server: TCP, Unix or in-memory, plain or TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use super::compressed::Compressed;

/// How often a peer with unread input is looked at for a hang-up.
const HANG_UP_POLL: Duration = Duration::from_millis(50);

/// A stream without TLS.
#[derive(Debug)]
pub enum Raw {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain socket.
    Unix(UnixStream),
    /// Inside this process: tests and simulation.
    Memory(DuplexStream),
    /// A stream of which a part was read ahead: that part comes first.
    Ahead(Box<Ahead>),
}

/// Bytes read ahead, and the stream that they came from. A client starts TLS right behind its request for it, without
/// waiting for an answer: its first TLS record may have been read together with the request.
#[derive(Debug)]
pub struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
    inner: Raw,
}

impl Raw {
    /// Puts bytes that were read ahead back in front.
    #[must_use]
    pub fn with_ahead(self, bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return self;
        }
        Self::Ahead(Box::new(Ahead { bytes: bytes.to_vec(), taken: 0, inner: self }))
    }

    fn innermost(&self) -> &Self {
        match self {
            Self::Ahead(ahead) => ahead.inner.innermost(),
            other => other,
        }
    }
}

/// What a peer that should be silent did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It hung up.
    Gone,
    /// It sent something.
    Input,
}

/// The flags of a stream that is known to be ready.
fn now_or_never(ready: impl Future<Output = io::Result<tokio::io::Ready>>) -> io::Result<tokio::io::Ready> {
    let mut context = Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(ready).poll(&mut context) {
        Poll::Ready(ready) => ready,
        Poll::Pending => Ok(tokio::io::Ready::READABLE),
    }
}

/// A stream, plain or TLS.
#[derive(Debug)]
pub enum Stream {
    /// Plain.
    Plain(Raw),
    /// TLS, either role.
    Tls(Box<TlsStream<Raw>>),
    /// Either of them with compressed packets inside.
    Compressed(Box<Compressed>),
}

/// Connects to `address` (`host:port`, or `unix:/path`).
///
/// # Errors
/// As the system says; resolving a name can fail too.
pub async fn dial(address: &str) -> io::Result<Raw> {
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(Raw::Unix(UnixStream::connect(Path::new(path)).await?));
    }
    let stream = TcpStream::connect(address).await?;
    prepare(&stream)?;
    Ok(Raw::Tcp(stream))
}

/// Connects to `host:port` for a library that speaks on a TCP stream itself.
///
/// # Errors
/// As the system says.
pub async fn dial_plain(address: &str) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

/// Options of every TCP connection of ours: small packets at once, and dead peers noticed.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

impl Stream {
    /// Whether TLS protects it.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_) => true,
            Self::Compressed(compressed) => compressed.inner().is_tls(),
        }
    }

    /// The certificate that the peer has shown over TLS, in DER; the handshake has verified it.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let (_, connection) = self.tls()?.get_ref();
        connection.peer_certificates()?.first().map(|certificate| &**certificate)
    }

    /// The name of the TLS cipher as OpenSSL has it, with which the servers compare `REQUIRE CIPHER`.
    #[must_use]
    pub fn cipher(&self) -> Option<String> {
        let (_, connection) = self.tls()?.get_ref();
        Some(super::tls::openssl_name(connection.negotiated_cipher_suite()?.suite().as_str()?))
    }

    fn tls(&self) -> Option<&TlsStream<Raw>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => Some(tls),
            Self::Compressed(compressed) => compressed.inner().tls(),
        }
    }

    /// Whether its packets are compressed. The numbers of the packets inside then say nothing: servers do not look at them,
    /// and clients number them as they like.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed(_))
    }

    /// Whether bytes that were written may still be kept here, so that a flush is needed.
    pub(super) fn keeps_output(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Gives memory back that nothing is kept in.
    pub(super) fn rest(&mut self) {
        if let Self::Compressed(compressed) = self {
            compressed.rest();
        }
    }

    /// Whether a password may be sent over it in the clear (TLS, or it never leaves the machine's kernel).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_tls() || matches!(self.raw(), Raw::Unix(_))
    }

    /// The peer's address, where it has one.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.raw() {
            Raw::Tcp(s) => s.peer_addr().ok(),
            Raw::Unix(_) | Raw::Memory(_) | Raw::Ahead(_) => None,
        }
    }

    /// Takes a plain stream out for a TLS handshake; `None` if it is TLS already.
    #[must_use]
    pub fn into_raw(self) -> Option<Raw> {
        match self {
            Self::Plain(raw) => Some(raw),
            Self::Tls(_) | Self::Compressed(_) => None,
        }
    }

    fn raw(&self) -> &Raw {
        match self {
            Self::Plain(raw) => raw.innermost(),
            Self::Tls(tls) => tls.get_ref().0.innermost(),
            Self::Compressed(compressed) => compressed.inner().raw(),
        }
    }

    /// Whether input may be there, without needing a buffer for it. For TLS and in-memory streams always "maybe".
    pub(super) fn poll_input(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(Raw::Tcp(s)) => s.poll_read_ready(context),
            Self::Plain(Raw::Unix(s)) => s.poll_read_ready(context),
            Self::Plain(Raw::Memory(_) | Raw::Ahead(_)) | Self::Tls(_) => Poll::Ready(Ok(())),
            Self::Compressed(compressed) if compressed.has_plain() => Poll::Ready(Ok(())),
            Self::Compressed(compressed) => compressed.inner().poll_input(context),
        }
    }

    /// Ready when the peer has hung up, or when it has sent something. Reads nothing.
    pub(crate) fn poll_departure(&self, context: &mut Context<'_>) -> Poll<Departure> {
        let ready =
            match self.raw() {
                Raw::Tcp(s) => ready!(s.poll_read_ready(context))
                    .and_then(|()| now_or_never(s.ready(Interest::READABLE))),
                Raw::Unix(s) => ready!(s.poll_read_ready(context))
                    .and_then(|()| now_or_never(s.ready(Interest::READABLE))),
                Raw::Memory(_) | Raw::Ahead(_) => return Poll::Pending,
            };
        Poll::Ready(match ready {
            Ok(ready) if !ready.is_read_closed() && !ready.is_error() => Departure::Input,
            _ => Departure::Gone,
        })
    }

    /// Resolves when the peer has hung up, without reading anything from it. For a client that is held: its input
    /// stays in the kernel (back-pressure), its departure is noticed all the same.
    pub async fn hung_up(&self) {
        loop {
            let ready = match self.raw() {
                Raw::Tcp(s) => s.ready(Interest::READABLE).await,
                Raw::Unix(s) => s.ready(Interest::READABLE).await,
                Raw::Memory(_) | Raw::Ahead(_) => std::future::pending().await,
            };
            match ready {
                Ok(ready) if !ready.is_read_closed() && !ready.is_error() => {}
                _ => return,
            }
            // Unread input keeps the stream "readable", so there is no event to wait for: look again in a while.
            tokio::time::sleep(HANG_UP_POLL).await;
        }
    }

    /// Ready when anything (data or end of stream) waits to be read, asked of the kernel: a server that is asked nothing
    /// must send nothing. Reads nothing. Never for in-memory streams.
    pub(crate) fn poll_unasked(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_received() {
            return Poll::Ready(());
        }
        let mut byte = [std::mem::MaybeUninit::uninit(); 1];
        loop {
            let seen = match self.raw() {
                Raw::Tcp(s) => {
                    let _ = ready!(s.poll_read_ready(context));
                    s.try_io(Interest::READABLE, || socket2::SockRef::from(s).peek(&mut byte))
                }
                Raw::Unix(s) => {
                    let _ = ready!(s.poll_read_ready(context));
                    s.try_io(Interest::READABLE, || socket2::SockRef::from(s).peek(&mut byte))
                }
                Raw::Memory(_) | Raw::Ahead(_) => return Poll::Pending,
            };
            // What said that there is something was an event of the past: it is forgotten now, and the next one waited for.
            if !matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                return Poll::Ready(());
            }
        }
    }

    fn has_received(&self) -> bool {
        matches!(self, Self::Compressed(compressed) if compressed.has_received())
    }

    /// Whether anything (data or end of stream) waits to be read: an idle server connection must have nothing.
    #[must_use]
    pub fn has_input(&self) -> bool {
        if self.has_received() {
            return true;
        }
        let mut context = Context::from_waker(std::task::Waker::noop());
        match self.raw() {
            Raw::Tcp(s) => s.poll_read_ready(&mut context).is_ready() && waits(&socket2::SockRef::from(s)),
            Raw::Unix(s) => s.poll_read_ready(&mut context).is_ready() && waits(&socket2::SockRef::from(s)),
            Raw::Memory(_) | Raw::Ahead(_) => false,
        }
    }
}

/// Whether the kernel has something for us, asked of the kernel. That a stream counts as readable proves nothing: an answer
/// that came in two segments makes two events, and one read may have taken both before the second is seen.
fn waits(socket: &socket2::SockRef<'_>) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit(); 1];
    // The socket does not block. An end of stream is an answer of no bytes, and an error is news too.
    !matches!(socket.peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
            Self::Compressed(s) => Pin::new(&mut **s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => {
                // rustls buffers: without a flush the record would stay with us.
                let written = ready!(Pin::new(&mut *s).poll_write(cx, buf))?;
                match Pin::new(s).poll_flush(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Ready(Ok(written)),
                }
            }
            Self::Compressed(s) => Pin::new(&mut **s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
            Self::Compressed(s) => Pin::new(&mut **s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Self::Compressed(s) => Pin::new(&mut **s).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Raw {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Self::Memory(s) => Pin::new(s).poll_read(cx, buf),
            Self::Ahead(ahead) => {
                let rest = ahead.bytes.get(ahead.taken..).unwrap_or_default();
                if rest.is_empty() {
                    return Pin::new(&mut ahead.inner).poll_read(cx, buf);
                }
                let count = rest.len().min(buf.remaining());
                buf.put_slice(rest.get(..count).unwrap_or_default());
                ahead.taken += count;
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Raw {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_write(cx, buf),
            Self::Memory(s) => Pin::new(s).poll_write(cx, buf),
            Self::Ahead(ahead) => Pin::new(&mut ahead.inner).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_flush(cx),
            Self::Unix(s) => Pin::new(s).poll_flush(cx),
            Self::Memory(s) => Pin::new(s).poll_flush(cx),
            Self::Ahead(ahead) => Pin::new(&mut ahead.inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Self::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Self::Memory(s) => Pin::new(s).poll_shutdown(cx),
            Self::Ahead(ahead) => Pin::new(&mut ahead.inner).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A read that fills its buffer leaves the stream marked as readable; what matters is whether anything is there.
    #[tokio::test]
    async fn a_stream_that_was_readable_has_no_input_unless_something_waits() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("an address");
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        let mut stream = Stream::Plain(Raw::Tcp(ours.expect("connects")));
        let mut peer = theirs.expect("accepts").0;
        peer.write_all(b"answer").await.expect("writes");
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).await.expect("reads");
        assert!(!stream.has_input(), "all was read");
        peer.write_all(b"x").await.expect("writes");
        // Readable now, for certain.
        let Raw::Tcp(raw) = stream.raw() else { panic!("a TCP stream") };
        raw.readable().await.expect("readable");
        while !stream.has_input() {
            tokio::task::yield_now().await;
        }
        stream.read_exact(&mut answer[..1]).await.expect("reads");
        drop(peer);
        while !stream.has_input() {
            tokio::task::yield_now().await;
        }
    }
}
