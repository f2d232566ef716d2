//! Tells the desk of the replicas what each new topology says, and warms those up that come back.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Parts;

/// Connections opened ahead of need for each account on a replica that comes back, at most.
const AHEAD: usize = 8;
/// Reads wait for them no longer.
const WARM: Duration = Duration::from_secs(2);

pub(super) fn start(parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    let (store, desk, pools) = (parts.store.clone(), parts.routing.clone(), parts.pools.clone());
    let (stopped, warming) = (stop.clone(), tasks.clone());
    let observe = async move {
        let mut before = store.load();
        loop {
            let now = store.newer_than(before.version).await;
            for back in desk.observe(&before, &now) {
                let (desk, pools) = (desk.clone(), pools.clone());
                warming.spawn(async move {
                    let made = timeout(WARM, pools.warm_for_reads(back, AHEAD)).await;
                    tracing::debug!(server = back.0, ?made, "a replica can serve reads");
                    desk.warmed(back);
                });
            }
            before = now;
        }
    };
    tasks.spawn(async move {
        tokio::select! {
            () = observe => {}
            () = stopped.cancelled() => {}
        }
    });
}
