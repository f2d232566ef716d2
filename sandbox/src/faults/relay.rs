use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

use super::{Hit, Moment, frames::Frame, line::Line, order::Order};
use crate::{SandboxError, proxy::ProxyOptions, servers::Cluster};

/// A relay in front of one server. Clones are handles of the same one; it listens until the runtime ends.
#[derive(Clone, Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    silent: watch::Sender<bool>,
    deaf: watch::Sender<bool>,
}

/// New connections that a deaf relay has let wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unheard {
    /// How many have come.
    pub came: usize,
    /// How many of them wait now, and have not been given up.
    pub waiting: usize,
    /// How many waited at the same time, at most.
    pub most: usize,
}

/// What all connections of a relay share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    orders: Mutex<Vec<Order>>,
    lines: Mutex<Vec<Known>>,
    unheard: Mutex<Unheard>,
}

/// A connection that somebody may want to cut.
#[derive(Debug)]
struct Known {
    account: Vec<u8>,
    /// The line ends when this is sent to, and drops its receiver when it has.
    cut: mpsc::Sender<()>,
}

impl Relay {
    /// Starts one on a free port.
    pub async fn start(server: SocketAddr) -> Result<Self, SandboxError> {
        let failed = || SandboxError::io("listen on 127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let (silent, deaf) = (watch::Sender::new(false), watch::Sender::new(false));
        let relay = Self { address, shared: Arc::default(), silent, deaf };
        tokio::spawn(relay.clone().accept(listener, server));
        Ok(relay)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the connection cut whose next command contains `needle`, once.
    pub fn cut(&self, needle: &str, moment: Moment) -> Hit {
        self.cut_and_hold(needle, moment, watch::channel(true).1)
    }

    /// The same, but nobody sees the end of the connection until `release` says so: the test has time to end the server.
    pub fn cut_and_hold(&self, needle: &str, moment: Moment, release: watch::Receiver<bool>) -> Hit {
        let (order, hit) = Order::new(needle, moment, release);
        self.shared.orders().push(order);
        hit
    }

    /// Forgets the orders that nobody met.
    pub fn forget_orders(&self) {
        self.shared.orders().clear();
    }

    /// Ends all connections of an account at both ends, whatever they are at, and waits until that is done. Gives their
    /// number.
    pub async fn cut_account(&self, account: &str) -> usize {
        let (named, others) = std::mem::take(&mut *self.shared.lines())
            .into_iter()
            .partition::<Vec<_>, _>(|line| line.account == account.as_bytes());
        self.shared.lines().extend(others);
        let mut count = 0;
        for line in named {
            count += usize::from(line.cut.send(()).await.is_ok());
            line.cut.closed().await;
        }
        count
    }

    /// From now on nothing gets through in either direction, as behind a broken network; with `false`, everything again,
    /// and what was sent meanwhile arrives.
    pub fn silence(&self, on: bool) {
        self.silent.send_replace(on);
    }

    /// From now on new connections come about and hear nothing, as with a server that has no thread left for them; those
    /// that there are go on. With `false` the server hears of those that still wait. The count begins anew with each `true`.
    pub fn deafen(&self, on: bool) {
        if on {
            *self.shared.unheard() = Unheard::default();
        }
        self.deaf.send_replace(on);
    }

    /// What came since the relay is deaf, or was last.
    #[must_use]
    pub fn unheard(&self) -> Unheard {
        *self.shared.unheard()
    }

    async fn accept(self, listener: TcpListener, server: SocketAddr) -> io::Result<()> {
        loop {
            let (proxy, _) = listener.accept().await?;
            let relay = self.clone();
            tokio::spawn(async move {
                if relay.hears(&proxy).await
                    && let Ok(server) = TcpStream::connect(server).await
                {
                    Line::new(proxy, server, relay.shared, relay.silent.subscribe()).run().await;
                }
            });
        }
    }

    /// Waits while the relay is deaf; `false` if the connection is given up meanwhile.
    async fn hears(&self, proxy: &TcpStream) -> bool {
        let mut deaf = self.deaf.subscribe();
        if !*deaf.borrow_and_update() {
            return true;
        }
        let waiting = Waiting::new(&self.shared);
        let mut nothing = [0];
        let heard = tokio::select! {
            heard = deaf.wait_for(|&deaf| !deaf) => heard.is_ok(),
            // Who connects to a server waits for its greeting: there is nothing to read but the end.
            _ = proxy.peek(&mut nothing) => false,
        };
        drop(waiting);
        heard
    }
}

/// Counts a connection as waiting until it is dropped.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut unheard = shared.unheard();
        unheard.came += 1;
        unheard.waiting += 1;
        unheard.most = unheard.most.max(unheard.waiting);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut unheard = self.0.unheard();
        unheard.waiting = unheard.waiting.saturating_sub(1);
    }
}

/// A relay in front of every server of a cluster, in the same order, and options of a proxy that knows only them.
pub async fn relays(
    cluster: &Cluster,
    options: ProxyOptions,
) -> Result<(Vec<Relay>, ProxyOptions), SandboxError> {
    let mut relays = Vec::new();
    for server in cluster.addresses() {
        relays.push(Relay::start(server).await?);
    }
    let addresses: Vec<_> = relays.iter().map(|relay| format!("\"{}\"", relay.address())).collect();
    let options = options.set("cluster", "servers", format!("[{}]", addresses.join(", ")));
    Ok((relays, options))
}

impl Shared {
    /// The order for a command, which is carried out only once.
    pub(crate) fn take(&self, frame: &Frame) -> Option<Order> {
        let mut orders = self.orders();
        let found = orders.iter().position(|order| order.means(frame));
        found.map(|at| orders.remove(at))
    }

    /// Notes whose connection this is. Gives what ends it.
    pub(crate) fn know(&self, account: &[u8], cut: mpsc::Sender<()>) {
        let mut lines = self.lines();
        lines.retain(|line| !line.cut.is_closed());
        lines.push(Known { account: account.to_vec(), cut });
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unheard(&self) -> MutexGuard<'_, Unheard> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Known>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
