//! What happens, as it happens, for whoever listens (`GET /v1/events`). Bounded: who reads too slowly is cut off, and
//! without a listener nothing is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

/// Events that a listener may be behind.
pub const BEHIND: usize = 256;

/// One event.
#[derive(Debug, Clone, Serialize)]
pub struct Happening {
    /// Counts up from 1 since the start of the process.
    pub number: u64,
    /// Milliseconds since 1970 (UTC).
    pub unix_ms: u64,
    /// `topology`, `gate`, `flight`, `phase`, `release`, `end` or `cut`.
    pub kind: &'static str,
    /// What there is to say.
    pub data: Value,
}

/// Tells everybody who listens.
#[derive(Debug)]
pub struct Events {
    sender: broadcast::Sender<Happening>,
    last: AtomicU64,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(BEHIND).0, last: AtomicU64::new(0) }
    }
}

impl Events {
    /// Tells of an event. `data` is only made if somebody listens.
    pub fn tell(&self, kind: &'static str, data: impl FnOnce() -> Value) {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        if self.sender.receiver_count() > 0 {
            // Fails only when the last listener has just gone.
            let _ = self.sender.send(Happening { number, unix_ms: unix_ms(), kind, data: data() });
        }
    }

    /// From now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.sender.subscribe())
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Happening>);

impl Listener {
    /// The next event; `None` for one who has fallen behind by more than [`BEHIND`].
    pub async fn next(&mut self) -> Option<Happening> {
        self.0.recv().await.ok()
    }
}

/// Milliseconds since 1970 (UTC); 0 on a clock that is set before.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_listener_is_cut_off() {
        let events = Events::default();
        events.tell("gate", || unreachable!("nobody listens"));
        let mut slow = events.listen();
        for number in 0..BEHIND {
            events.tell("gate", || number.into());
        }
        let mut quick = events.listen();
        assert_eq!(slow.next().await.map(|h| h.number), Some(2));
        for number in 0..2 {
            events.tell("gate", || number.into());
        }
        assert!(slow.next().await.is_none());
        assert_eq!(quick.next().await.map(|h| h.number), Some(BEHIND as u64 + 2));
    }
}
