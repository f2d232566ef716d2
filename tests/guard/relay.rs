//! A TCP relay between the proxy and one server that breaks a connection at a moment of one's choice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// When a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server has answered, and nobody gets the answer.
    AfterExecution,
    /// The server has the command, and nobody will hear of it; it does not notice.
    WhileExecuting,
    /// The command does not reach the server, which sees the connection end.
    BeforeArrival,
    /// The command does not reach the server, which keeps an idle connection.
    BeforeArrivalUnseen,
}

impl Cut {
    /// Those with a certain outcome for every statement.
    pub(crate) const ALL: [Self; 3] = [Self::AfterExecution, Self::BeforeArrival, Self::BeforeArrivalUnseen];
}

/// A cut to be made on the connection that sends `needle`.
#[derive(Debug)]
struct Order {
    needle: Vec<u8>,
    cut: Cut,
    done: mpsc::UnboundedSender<()>,
    /// The proxy sees the connection end only when this becomes true.
    release: watch::Receiver<bool>,
}

/// A relay in front of one server.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    orders: Arc<Mutex<Vec<Order>>>,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), orders: Arc::default() };
        let orders = relay.orders.clone();
        tokio::spawn(async move {
            while let Ok((proxy, _)) = listener.accept().await {
                let orders = orders.clone();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(server).await {
                        serve(proxy, server, orders).await;
                    }
                });
            }
        });
        relay
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the connection cut that sends `needle` next. The receiver is told when it was done.
    pub(crate) fn cut(&self, needle: &str, cut: Cut) -> mpsc::UnboundedReceiver<()> {
        self.cut_and_hold(needle, cut, watch::channel(true).1)
    }

    /// The same, but the proxy sees the end of its connection only when `release` says so.
    pub(crate) fn cut_and_hold(
        &self,
        needle: &str,
        cut: Cut,
        release: watch::Receiver<bool>,
    ) -> mpsc::UnboundedReceiver<()> {
        let (done, receiver) = mpsc::unbounded_channel();
        self.orders.lock().push(Order { needle: needle.as_bytes().to_vec(), cut, done, release });
        receiver
    }
}

fn take(orders: &Mutex<Vec<Order>>, bytes: &[u8]) -> Option<Order> {
    let mut orders = orders.lock();
    let found = orders.iter().position(|o| bytes.windows(o.needle.len()).any(|part| part == o.needle));
    found.map(|at| orders.remove(at))
}

async fn serve(proxy: TcpStream, server: TcpStream, orders: Arc<Mutex<Vec<Order>>>) {
    let _ = (proxy.set_nodelay(true), server.set_nodelay(true));
    let (mut from_proxy, mut to_proxy) = proxy.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = from_proxy.read(&mut up) => {
                let Ok(count @ 1..) = read else { return };
                if let Some(order) = take(&orders, &up[..count]) {
                    return break_here(order, &up[..count], (from_server, to_server), (from_proxy, to_proxy)).await;
                }
                if to_server.write_all(&up[..count]).await.is_err() { return }
            }
            read = from_server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                if to_proxy.write_all(&down[..count]).await.is_err() { return }
            }
        }
    }
}

type Halves = (OwnedReadHalf, OwnedWriteHalf);

async fn break_here(mut order: Order, bytes: &[u8], server: Halves, proxy: Halves) {
    let (mut from_server, mut to_server) = server;
    let mut answer = [0; 1024];
    if order.cut == Cut::AfterExecution {
        to_server.write_all(bytes).await.unwrap();
        let _ = from_server.read(&mut answer).await;
    }
    if order.cut == Cut::WhileExecuting {
        to_server.write_all(bytes).await.unwrap();
    }
    if matches!(order.cut, Cut::AfterExecution | Cut::BeforeArrival) {
        drop((from_server, to_server));
        let _ = order.done.send(());
        let _ = order.release.wait_for(|released| *released).await;
        drop(proxy);
        return;
    }
    drop(proxy);
    let _ = order.done.send(());
    // Until the server ends it.
    let ended = async { while matches!(from_server.read(&mut answer).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_secs(60), ended).await;
}
