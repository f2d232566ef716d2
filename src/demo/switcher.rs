use std::{net::SocketAddr, time::Duration};

use tideover_sandbox::proxy::{Admin, Progress};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::state::{Flight, SharedState};

/// Commands a switchover every so often, each to the next server in turn.
#[derive(Debug)]
pub(super) struct Switcher {
    pub(super) admin: Admin,
    /// The servers; at the beginning the first is the primary.
    pub(super) servers: Vec<SocketAddr>,
    pub(super) every: Duration,
    pub(super) state: SharedState,
    /// Tells the directly connected clients where the primary is.
    pub(super) primary: watch::Sender<SocketAddr>,
    /// Becomes true when no further switchover is to begin.
    pub(super) stop: watch::Receiver<bool>,
}

impl Switcher {
    /// Works until it is told to stop; a switchover that has begun is awaited.
    pub(super) async fn work(mut self) {
        let mut next = Instant::now() + self.every;
        loop {
            self.state.lock().next = Some(next);
            tokio::select! {
                () = sleep_until(next) => {}
                _ = self.stop.wait_for(|&stop| stop) => break,
            }
            self.state.lock().next = None;
            self.switch().await;
            // Without a pause the clients would have no time between two switchovers.
            next = (next + self.every).max(Instant::now() + self.every / 2);
        }
        self.state.lock().next = None;
    }

    async fn switch(&self) {
        let target = self.target();
        self.state.lock().target = Some(target);
        let result = self.admin.switchover(Some(target), |progress| self.note(progress, target)).await;
        let result = result.map_err(|error| error.to_string());
        let mut state = self.state.lock();
        let number = state.flights.len() + 1;
        let flight = Flight { number, result };
        if flight.is_done() {
            state.primary = target;
        }
        state.flights.push(flight);
        state.phase = None;
        state.target = None;
    }

    /// The server after the primary, in a ring.
    fn target(&self) -> SocketAddr {
        let primary = self.state.lock().primary;
        let at = self.servers.iter().position(|&server| server == primary).unwrap_or_default();
        self.servers.get((at + 1) % self.servers.len().max(1)).copied().unwrap_or(primary)
    }

    fn note(&self, progress: &Progress, target: SocketAddr) {
        match progress {
            Progress::Phase { phase, .. } => {
                self.state.lock().phase = Some((phase.clone(), Instant::now()));
            }
            Progress::PhaseEnd(time) if time.phase == "promote" => {
                self.state.lock().primary = target;
                self.primary.send_replace(target);
            }
            Progress::PhaseEnd(_) | Progress::Report(_) => {}
        }
    }
}
