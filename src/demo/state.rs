use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tideover_sandbox::proxy::SwitchoverReport;
use tokio::time::Instant;

/// One switchover that is over.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// Its number, from 1.
    pub(super) number: usize,
    /// What the proxy reported, or why there is no report.
    pub(super) result: Result<SwitchoverReport, String>,
}

impl Flight {
    pub(super) fn is_done(&self) -> bool {
        self.result.as_ref().is_ok_and(SwitchoverReport::is_done)
    }
}

/// Where the switchovers stand.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Who is primary.
    pub(super) primary: SocketAddr,
    /// The phase of the switchover that is running, and when it began.
    pub(super) phase: Option<(String, Instant)>,
    /// The target of the switchover that is running.
    pub(super) target: Option<SocketAddr>,
    /// When the next one begins; `None` if none will.
    pub(super) next: Option<Instant>,
    /// All that are over.
    pub(super) flights: Vec<Flight>,
}

/// The state, shared between the switcher and the screen. The lock is held for moments only.
pub(super) type SharedState = Arc<Mutex<State>>;

impl State {
    pub(super) fn shared(primary: SocketAddr) -> SharedState {
        Arc::new(Mutex::new(Self { primary, phase: None, target: None, next: None, flights: Vec::new() }))
    }

    /// How many switchovers ended well, and how many did not.
    pub(super) fn counts(&self) -> (usize, usize) {
        let done = self.flights.iter().filter(|flight| flight.is_done()).count();
        (done, self.flights.len() - done)
    }
}
