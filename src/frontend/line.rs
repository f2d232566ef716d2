//! A control connection of a shard to the present primary, made when first needed and kept.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Control, ControlError};
use crate::topology::ServerId;

use super::shared::Shared;

/// Logging in, and each question, take at most this long.
pub(super) const REACH: Duration = Duration::from_millis(500);
/// Who could not be asked is not asked again within this time.
const REST: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Line {
    control: Option<(ServerId, Control)>,
    failed: Option<(ServerId, Instant)>,
}

impl Line {
    /// The connection, and whether it is a new one. To be put back with [`keep`](Self::keep); whoever is cancelled or fails takes it
    /// along, since an answer may be outstanding. `None`: no such server, or it could not be asked just now.
    ///
    /// # Errors
    /// [`ControlError::Connect`].
    pub(super) async fn take(
        &mut self,
        shared: &Shared,
        server: ServerId,
    ) -> Result<Option<(Control, bool)>, ControlError> {
        match self.control.take() {
            Some((of, control)) if of == server => return Ok(Some((control, false))),
            _ if self.failed.is_some_and(|(of, at)| of == server && at.elapsed() < REST) => return Ok(None),
            _ => {}
        }
        let Some(target) = shared.pools.target(server) else { return Ok(None) };
        let connected = Control::connect(shared.pools.connector(), target, &shared.control, REACH).await;
        self.failed = connected.is_err().then(|| (server, Instant::now()));
        Ok(Some((connected?, true)))
    }

    /// Puts it back, for the next question.
    pub(super) fn keep(&mut self, server: ServerId, control: Control) {
        self.control = Some((server, control));
    }
}
