use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    Moment,
    frames::{Frame, Frames},
    order::Order,
    relay::Shared,
};

/// How long a connection is kept for a server that goes on with a command and should end it by itself.
const KEPT: Duration = Duration::from_secs(60);

/// One connection: both its ends.
#[derive(Debug)]
pub(crate) struct Line {
    proxy: End,
    server: End,
    shared: Arc<Shared>,
    silent: watch::Receiver<bool>,
    /// Whether the login has named its account.
    named: bool,
    cut: mpsc::Sender<()>,
    cut_here: Option<mpsc::Receiver<()>>,
}

#[derive(Debug)]
struct End {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    frames: Frames,
}

impl End {
    fn new(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        let (from, to) = stream.into_split();
        Self { from, to, frames: Frames::default() }
    }
}

impl Line {
    pub(crate) fn new(
        proxy: TcpStream,
        server: TcpStream,
        shared: Arc<Shared>,
        silent: watch::Receiver<bool>,
    ) -> Self {
        let (cut, cut_here) = mpsc::channel(1);
        let (proxy, server) = (End::new(proxy), End::new(server));
        Self { proxy, server, shared, silent, named: false, cut, cut_here: Some(cut_here) }
    }

    /// Forwards until either end closes, somebody cuts the connection, or an order is carried out.
    pub(crate) async fn run(mut self) {
        let Some(mut cut) = self.cut_here.take() else { return };
        tokio::select! {
            () = async move { let _ = self.forward().await; } => {}
            _ = cut.recv() => {}
        }
        // The sockets are closed now; who waits for that sees the receiver go.
        drop(cut);
    }

    /// `None` at the end of the connection.
    async fn forward(mut self) -> Option<()> {
        let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
        loop {
            tokio::select! {
                read = self.proxy.from.read(&mut up) => {
                    let count = read.ok().filter(|&count| count > 0)?;
                    self.hear().await?;
                    self.proxy.frames.feed(up.get(..count)?);
                    let mut before = 0;
                    while let Some(frame) = self.proxy.frames.next() {
                        self.name(&frame);
                        let order = match self.shared.take(&frame) {
                            Some(order) if order.breaks() => return self.obey(order, frame, before).await,
                            Some(order) => order.detained().await,
                            None => None,
                        };
                        before += usize::from(frame.is_answered());
                        self.server.to.write_all(&frame.bytes).await.ok()?;
                        if let Some(passed) = order {
                            passed.tell();
                        }
                    }
                }
                read = self.server.from.read(&mut down) => {
                    let count = read.ok().filter(|&count| count > 0)?;
                    self.hear().await?;
                    self.proxy.to.write_all(down.get(..count)?).await.ok()?;
                }
            }
        }
    }

    /// Waits while the network is to be silent.
    async fn hear(&mut self) -> Option<()> {
        self.silent.wait_for(|&silent| !silent).await.ok().map(|_| ())
    }

    fn name(&mut self, frame: &Frame) {
        if let (false, Some(account)) = (self.named, frame.account()) {
            self.shared.know(account, self.cut.clone());
            self.named = true;
        }
    }

    /// Carries an order out. `before`: answers to commands that came in the same write are due first.
    async fn obey(mut self, mut order: Order, frame: Frame, before: usize) -> Option<()> {
        match order.moment {
            Moment::Swallowed | Moment::Passed | Moment::Detained => {}
            Moment::SwallowedUnseen | Moment::Running => {
                if order.moment == Moment::Running {
                    self.server.to.write_all(&frame.bytes).await.ok()?;
                }
                let Self { proxy, mut server, .. } = self;
                drop(proxy);
                order.tell();
                // Until the server ends it.
                let mut rest = [0; 1024];
                let ended = async { while matches!(server.from.read(&mut rest).await, Ok(1..)) {} };
                let _ = timeout(KEPT, ended).await;
                return None;
            }
            Moment::Executed => {
                self.server.to.write_all(&frame.bytes).await.ok()?;
                self.answer(before).await?;
            }
            Moment::Amid(length) => {
                self.server.to.write_all(&frame.bytes).await.ok()?;
                self.part(before, length).await?;
            }
        }
        order.tell();
        let _ = order.release.wait_for(|&released| released).await;
        let Self { proxy, server, .. } = self;
        drop(server);
        drop(proxy);
        None
    }

    /// The first frame of the answer to the command in question. Answers before it are forwarded.
    async fn answer(&mut self, mut before: usize) -> Option<Frame> {
        loop {
            let frame = self.next_from_server().await?;
            if before == 0 && frame.begins_answer() {
                return Some(frame);
            }
            before -= usize::from(frame.begins_answer());
            self.proxy.to.write_all(&frame.bytes).await.ok()?;
        }
    }

    /// Lets the first `length` bytes of the answer through, but never the last one of a frame that ends there.
    async fn part(&mut self, before: usize, mut length: usize) -> Option<()> {
        let mut frame = self.answer(before).await?.bytes;
        while length > frame.len() {
            self.proxy.to.write_all(&frame).await.ok()?;
            length -= frame.len();
            frame = self.next_from_server().await?.bytes;
        }
        let most = length.min(frame.len().saturating_sub(1));
        self.proxy.to.write_all(frame.get(..most)?).await.ok()
    }

    async fn next_from_server(&mut self) -> Option<Frame> {
        let mut bytes = vec![0; 65536];
        loop {
            if let Some(frame) = self.server.frames.next() {
                return Some(frame);
            }
            let count = self.server.from.read(&mut bytes).await.ok().filter(|&count| count > 0)?;
            self.server.frames.feed(bytes.get(..count)?);
        }
    }
}
