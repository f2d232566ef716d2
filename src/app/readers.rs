//! Tells the desk of the replicas what each new topology says.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Parts;

pub(super) fn start(parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    let (store, desk, stopped) = (parts.store.clone(), parts.routing.clone(), stop.clone());
    let observe = async move {
        let mut before = store.load();
        loop {
            let now = store.newer_than(before.version).await;
            desk.observe(&before, &now);
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
