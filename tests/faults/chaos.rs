//! Whatever can happen to a cluster, one after the other in any order, under clients that keep books and transactions that
//! are open all the time: nobody notices.

use std::{sync::Arc, time::Duration};

use tideover_sandbox::servers::{ClusterOptions, Flavor, PromoteOptions, Server};
use tokio::time::sleep;

use super::{
    crashes::{Promotion, random},
    long::Load,
    support::{Scene, TestResult, eventually, length},
};

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    chaos(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    chaos(Flavor::Mysql9).await
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// `tideover switchover`.
    Switch,
    /// A switchover by somebody else.
    BySomebody,
    /// The same with the application's connections ended.
    WithKill,
    /// The primary dies.
    Crash,
    /// The primary dies while it is being replaced.
    CrashAmidSwitch,
    /// The target of a switchover dies amid it.
    TargetCrash,
    /// A replica dies and comes back.
    ReplicaCrash,
    /// A replica hangs for a while.
    ReplicaHangs,
    /// Somebody has everything held for a while.
    Hold,
}

const EVENTS: [Event; 9] = [
    Event::Switch,
    Event::CrashAmidSwitch,
    Event::ReplicaCrash,
    Event::Hold,
    Event::Crash,
    Event::BySomebody,
    Event::TargetCrash,
    Event::ReplicaHangs,
    Event::WithKill,
];

async fn chaos(flavor: Flavor) -> TestResult {
    let cluster = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(cluster, |options| {
        Promotion::Automatic.configure(options).set("switchover", "drain_timeout", "\"1s\"")
    })
    .await?;
    let load = Load::start(&scene, Duration::from_secs(3)).await?;
    let mut torn = 0;
    let mut events = EVENTS.to_vec();
    for round in 0..length(EVENTS.len(), 100) {
        if events.is_empty() {
            events = EVENTS.to_vec();
        }
        // Each once in every nine: what follows what is different every time.
        let at = usize::try_from(random(events.len() as u64))?;
        let event = events.swap_remove(at);
        torn += u64::from(event == Event::WithKill);
        let happened = event.happen(&scene).await;
        happened.map_err(|error| format!("{flavor}, round {round}, {event:?}: {error}"))?;
        sleep(Duration::from_millis(200 + random(800))).await;
        eprintln!("{flavor}, round {round}: {event:?}");
    }
    let (transactions, told) = load.close(&scene, torn).await?;
    println!(
        "{flavor}: {} events, {torn} of them with a KILL, {transactions} long transactions, {told} were told 1213",
        length(EVENTS.len(), 100)
    );
    scene.finish()
}

impl Event {
    async fn happen(self, scene: &Scene) -> TestResult {
        match self {
            Self::Switch => scene.switch().await.map(drop),
            Self::BySomebody => by_somebody(scene, PromoteOptions::planned()).await,
            Self::WithKill => by_somebody(scene, PromoteOptions::planned_with_kill()).await,
            Self::Crash => crash(scene).await,
            Self::CrashAmidSwitch => crash_amid_switch(scene).await,
            Self::TargetCrash => target_crash(scene).await,
            Self::ReplicaCrash => replica_crash(scene).await,
            Self::ReplicaHangs => replica_hangs(scene).await,
            Self::Hold => hold(scene).await,
        }
    }
}

/// The server that a switchover goes to next.
async fn target(scene: &Scene) -> TestResult<Arc<Server>> {
    let address = scene.next_primary().await?;
    let found = scene.cluster.servers().iter().find(|server| server.address() == address);
    Ok(found.ok_or("no such server")?.clone())
}

async fn by_somebody(scene: &Scene, how: PromoteOptions) -> TestResult {
    let target = target(scene).await?;
    scene.cluster.promote_by_hand(&target, how).await?;
    settled(scene).await
}

async fn crash(scene: &Scene) -> TestResult {
    let old = scene.cluster.find_primary().await?.clone();
    old.kill().await?;
    Promotion::Automatic.happen(scene, &old).await?;
    Promotion::Automatic.undo(scene, &old).await.map(drop)
}

/// The switchover may succeed or fail: somebody is the primary in the end.
async fn crash_amid_switch(scene: &Scene) -> TestResult {
    let old = scene.cluster.find_primary().await?.clone();
    let target = scene.next_primary().await?;
    let moment = Duration::from_millis(random(80));
    let (killed, _) = tokio::join!(
        async {
            sleep(moment).await;
            old.kill().await
        },
        scene.proxy.admin().switchover(Some(target), |_| {})
    );
    killed?;
    Promotion::Automatic.happen(scene, &old).await?;
    Promotion::Automatic.undo(scene, &old).await.map(drop)
}

/// The switchover may succeed or fail. If the target was the primary already, another one is in the end.
async fn target_crash(scene: &Scene) -> TestResult {
    let target = target(scene).await?;
    let moment = Duration::from_millis(random(80));
    let (killed, _) = tokio::join!(
        async {
            sleep(moment).await;
            target.kill().await
        },
        scene.proxy.admin().switchover(Some(target.address()), |_| {})
    );
    killed?;
    Promotion::Automatic.happen(scene, &target).await?;
    Promotion::Automatic.undo(scene, &target).await.map(drop)
}

async fn replica_crash(scene: &Scene) -> TestResult {
    let replica = target(scene).await?;
    replica.kill().await?;
    sleep(Duration::from_millis(random(500))).await;
    replica.set_read_only_at_start(true);
    scene.cluster.rejoin_or_rebuild(&replica).await?;
    settled(scene).await
}

async fn replica_hangs(scene: &Scene) -> TestResult {
    let replica = target(scene).await?;
    replica.freeze()?;
    sleep(Duration::from_millis(random(1500))).await;
    replica.thaw()?;
    settled(scene).await
}

async fn hold(scene: &Scene) -> TestResult {
    let admin = scene.proxy.admin();
    admin.post("/v1/hold", r#"{"ttl": "5s"}"#).await?;
    sleep(Duration::from_millis(random(500))).await;
    admin.post("/v1/release", "").await?;
    Ok(())
}

/// All servers have their roles, and replicate, and a commit waits for one of them again.
async fn settled(scene: &Scene) -> TestResult {
    eventually("one primary", Duration::from_secs(20), || async {
        Ok(scene.cluster.find_primary().await.is_ok())
    })
    .await?;
    scene.cluster.wait_semi_sync().await?;
    scene.wait_roles().await
}
