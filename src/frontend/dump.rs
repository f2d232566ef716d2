//! A replica, or a program that captures changes, reads the binary log (COM_BINLOG_DUMP). It stays on the server where it
//! began for as long as that serves it, through switchovers too: a former primary follows the new one and logs what that
//! does. It is no unit of work: the gate does not wait for it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tideover_protocol::command::CommandKind;
use tideover_protocol::response::{Next, ResponseScanner, ResponseShape};

use crate::backend::Lease;
use crate::net::PacketIo;
use crate::relay::Signals;
use crate::session::PinReason;
use crate::sql::{Effects, Kind};

use super::command::plain;
use super::session::{End, Session};
use super::unit::{Hold, Leased};

/// Unwritten bytes towards the client above which no more is read from the server.
const HIGH_WATER: usize = 128 * 1024;
/// When to stop.
const STOP: Signals = Signals::KILL.union(Signals::ABORT).union(Signals::LEAVE);

/// How a stream of events ended.
enum Ended {
    /// With its last packet: the end of a log that is not to be waited for, or an error.
    Told,
    /// With the connection to the server or to the client.
    Lost,
    /// By a signal.
    Stopped,
}

impl Session {
    /// COM_REGISTER_SLAVE: what a replica says of itself is known on this connection alone.
    pub(super) async fn register_replica(&mut self) -> Result<(), End> {
        let statement = plain(Kind::Administration, Effects::UNSURE);
        self.tracker.pin(PinReason::BinlogDump);
        self.run_plain(CommandKind::RegisterReplica, statement).await
    }

    /// COM_BINLOG_DUMP and COM_BINLOG_DUMP_GTID. If the server is lost, the client is left, as by a server: replicas connect
    /// again and go on from where they were.
    pub(super) async fn dump(&mut self) -> Result<(), End> {
        let Some(mut lease) = self.lease_for_dump().await? else { return Ok(()) };
        lease.io.queue_packet(&self.command, 0);
        let mut scanner = ResponseScanner::new(ResponseShape::BinlogStream, lease.capabilities, 1);
        let (client, signal) = (&mut self.client, &self.handle.signal);
        let ended = poll_fn(|cx| {
            if signal.poll(STOP, cx).is_ready() {
                return Poll::Ready(Ended::Stopped);
            }
            pump(client, &mut lease.io, &mut scanner, cx)
        })
        .await;
        // What it was asked for it may still be sending: nobody else can use it.
        lease.broken = true;
        drop(lease);
        self.tracker.unpin(PinReason::BinlogDump);
        self.handle.set_pins(self.tracker.pins());
        self.end_unit();
        match ended {
            Ended::Told => self.flush().await,
            Ended::Lost => Err(End::Client),
            Ended::Stopped => Err(End::Told),
        }
    }

    /// A connection for it, taken out of what the gate, KILL and a switchover count. `None`: the client was told why there is
    /// none.
    async fn lease_for_dump(&mut self) -> Result<Option<Lease>, End> {
        let mut hold = Hold::arrived();
        loop {
            if let Err(error) = self.enter(&mut hold).await {
                self.refuse(&error).await?;
                return Ok(None);
            }
            match self.lease(true, &mut hold).await {
                Ok(Leased::Ready) => break,
                Ok(Leased::Again) => {}
                // It was registered there.
                Ok(Leased::Lost(_)) => return Err(End::Client),
                Err(error) => {
                    self.refuse(&error).await?;
                    return Ok(None);
                }
            }
        }
        self.tracker.pin(PinReason::BinlogDump);
        self.shared.metrics.pins.with_label_values(&[PinReason::BinlogDump.name()]).inc();
        self.handle.set_pins(self.tracker.pins());
        let lease = self.let_go();
        self.pass = None;
        self.handle.set_in_unit(false);
        Ok(lease)
    }
}

/// Passes on what there is, in both directions: replicas acknowledge what they have (semi-synchronous replication).
fn pump(
    client: &mut PacketIo,
    server: &mut PacketIo,
    scanner: &mut ResponseScanner,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    loop {
        let mut moved = false;
        let full = |client: &PacketIo, server: &PacketIo| {
            (client.unsent() >= HIGH_WATER, server.unsent() >= HIGH_WATER)
        };
        let before = full(client, server);
        if !before.0 {
            match ended(server.poll_fill(cx)) {
                Poll::Ready(None) => return Poll::Ready(Ended::Lost),
                Poll::Ready(Some(())) => match pass_on(client, server, scanner, cx) {
                    Ok(true) => return Poll::Ready(Ended::Told),
                    Ok(false) => moved = true,
                    Err(_) => return Poll::Ready(Ended::Lost),
                },
                Poll::Pending => {}
            }
        }
        if !before.1 {
            match ended(client.poll_fill(cx)) {
                Poll::Ready(None) => return Poll::Ready(Ended::Lost),
                Poll::Ready(Some(())) => {
                    let count = client.input().len();
                    if client.forward(count, server, cx).is_err() {
                        return Poll::Ready(Ended::Lost);
                    }
                    moved = true;
                }
                Poll::Pending => {}
            }
        }
        let (down, up) = (client.poll_flush(cx), server.poll_flush(cx));
        if matches!(down, Poll::Ready(Err(_))) || matches!(up, Poll::Ready(Err(_))) {
            return Poll::Ready(Ended::Lost);
        }
        // A side that was not read since the other was full has not been asked to wake us.
        if !moved && full(client, server) == before {
            return Poll::Pending;
        }
    }
}

/// `Some`: bytes came; `None`: the end of the stream.
fn ended(filled: Poll<io::Result<usize>>) -> Poll<Option<()>> {
    filled.map(|count| count.ok().filter(|count| *count > 0).map(drop))
}

/// Passes events on; `true` once the last packet is among them.
fn pass_on(
    client: &mut PacketIo,
    server: &mut PacketIo,
    scanner: &mut ResponseScanner,
    cx: &mut Context<'_>,
) -> io::Result<bool> {
    loop {
        let scan = server.scan(scanner, (0, false)).map_err(io::Error::other)?;
        server.forward(scan.opaque, client, cx)?;
        let Next::Control { len, control } = scan.next else { return Ok(false) };
        server.forward(len, client, cx)?;
        if control.is_last() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tideover_protocol::capability::Capabilities;
    use tideover_protocol::frame::FrameHeader;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::net::{BufferPool, Raw, Stream};

    /// A client that reads more slowly than the server writes gets all of it.
    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_gets_everything() {
        const EVENT: usize = 50_000;
        let buffers = BufferPool::new();
        let mut events = Vec::new();
        for sequence in 1..=100_u8 {
            events.extend_from_slice(&FrameHeader { payload_len: EVENT, sequence }.to_bytes());
            events.extend_from_slice(&[0; EVENT]);
        }
        let last = [1, 0, 0, 101, 0xfe];
        let (mut writer, server) = duplex(1 << 20);
        // Less than is kept back for it, so that it is now full, now empty.
        let (mut reader, client) = duplex(HIGH_WATER * 2);
        let io = |end| PacketIo::new(Stream::Plain(Raw::Memory(end)), &buffers);
        let (mut client, mut server) = (io(client), io(server));
        let capabilities = Capabilities::ESSENTIAL;
        let mut scanner = ResponseScanner::new(ResponseShape::BinlogStream, capabilities, 1);
        let all = events.len() + last.len();
        let write = async {
            writer.write_all(&events).await.unwrap();
            writer.write_all(&last).await.unwrap();
        };
        // A task of its own, which nobody else wakes.
        let relay = tokio::spawn(async move {
            poll_fn(|cx| pump(&mut client, &mut server, &mut scanner, cx)).await;
            client.flush().await.unwrap();
        });
        let read = async {
            let (mut got, mut piece) = (0, vec![0; 3 * HIGH_WATER]);
            while got < all {
                tokio::time::sleep(Duration::from_millis(1)).await;
                got += reader.read(&mut piece).await.unwrap();
            }
            got
        };
        let done = async { tokio::join!(write, relay, read).2 };
        let got = tokio::time::timeout(Duration::from_secs(60), done).await;
        assert_eq!(got.ok(), Some(all));
    }
}
