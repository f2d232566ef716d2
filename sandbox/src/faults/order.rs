use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::frames::Frame;

/// When a connection breaks, or what else happens to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing breaks: it is only told that the command went on to the server.
    Passed,
    /// The command is kept back until its release, and goes on then.
    Detained,
    /// The command does not reach the server, which sees the connection end.
    Swallowed,
    /// The command does not reach the server, which keeps an idle connection.
    SwallowedUnseen,
    /// The server has the command, and nobody will hear of it; it does not notice.
    Running,
    /// The server has answered, and nobody gets the answer.
    Executed,
    /// The server has answered, and only so many bytes of the answer get through, which must have more of them.
    Amid(usize),
}

/// A cut to be made on the connection whose next command contains a text.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) needle: Vec<u8>,
    pub(crate) moment: Moment,
    pub(crate) hit: mpsc::UnboundedSender<()>,
    /// Both ends of the connection stay until this becomes true.
    pub(crate) release: watch::Receiver<bool>,
}

impl Order {
    pub(crate) fn new(needle: &str, moment: Moment, release: watch::Receiver<bool>) -> (Self, Hit) {
        let (hit, heard) = mpsc::unbounded_channel();
        (Self { needle: needle.as_bytes().to_vec(), moment, hit, release }, Hit { heard })
    }

    pub(crate) fn means(&self, frame: &Frame) -> bool {
        frame.is_command() && frame.contains(&self.needle)
    }

    /// Whether the connection ends with it.
    pub(crate) fn breaks(&self) -> bool {
        !matches!(self.moment, Moment::Passed | Moment::Detained)
    }

    /// Keeps a command back if it is to be. Gives the order if it is carried out only when the command has gone on.
    pub(crate) async fn detained(mut self) -> Option<Self> {
        if self.moment == Moment::Passed {
            return Some(self);
        }
        self.tell();
        let _ = self.release.wait_for(|&released| released).await;
        None
    }

    pub(crate) fn tell(&self) {
        let _ = self.hit.send(());
    }
}

/// Tells whether an order was carried out.
#[derive(Debug)]
pub struct Hit {
    heard: mpsc::UnboundedReceiver<()>,
}

impl Hit {
    /// Whether it was by now.
    pub fn happened(&mut self) -> bool {
        self.heard.try_recv().is_ok()
    }

    /// Waits for it; `false` if it was not within `limit`.
    pub async fn within(&mut self, limit: Duration) -> bool {
        matches!(timeout(limit, self.heard.recv()).await, Ok(Some(())))
    }
}
