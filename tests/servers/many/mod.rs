//! Many sessions on few server connections: each has variables, statements, user variables and a schema of its own, they take
//! turns in random order, and every answer is compared with what that session alone would have been told.

mod member;
mod model;
mod steps;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Scene, TestResult, length};
use member::Member;
use model::{Random, SCHEMAS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_10_11_many_sessions_on_few_connections() -> TestResult {
    many_sessions_on_few_connections(Flavor::MariaDb1011).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_9_many_sessions_on_few_connections() -> TestResult {
    many_sessions_on_few_connections(Flavor::Mysql9).await
}

/// Server connections, over all accounts.
const CONNECTIONS: u64 = 16;
/// Sessions at work at the same time: more than there are connections.
const WORKERS: u64 = 40;
/// Sessions that log in at the same time.
const LOGINS: usize = 16;
/// Sessions that may have something at the same time that keeps a server connection for them.
const KEEPERS: usize = 3;

/// What all workers share.
struct Crowd {
    resting: Mutex<Vec<Member>>,
    /// Differences and errors, as text.
    found: Mutex<Vec<String>>,
    stop: AtomicBool,
    answers: AtomicU64,
    turns: AtomicU64,
}

async fn many_sessions_on_few_connections(flavor: Flavor) -> TestResult {
    let (sessions, time) = length((200, Duration::from_secs(5)), (2000, Duration::from_secs(300)));
    let seed = std::env::var("TIDEOVER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(options, |options| {
        options.set("pool", "max_per_server", CONNECTIONS.to_string()).set(
            "pool",
            "acquire_timeout",
            "\"30s\"",
        )
    })
    .await?;
    let setup = model::setup();
    scene.cluster.primary().run(&setup.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let crowd = Arc::new(Crowd {
        resting: Mutex::default(),
        found: Mutex::default(),
        stop: AtomicBool::new(false),
        answers: AtomicU64::new(0),
        turns: AtomicU64::new(0),
    });
    log_in(&scene, &crowd, (sessions, seed)).await?;

    let keepers = Arc::new(tokio::sync::Semaphore::new(KEEPERS));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let random = Random::new(seed ^ (worker + 1).wrapping_mul(0x9e37_79b9));
        workers.spawn(work(crowd.clone(), keepers.clone(), random));
    }
    let most = watch(&scene, &crowd, time).await?;
    crowd.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    last_look(&crowd).await;

    let found = std::mem::take(&mut *crowd.found.lock());
    println!(
        "{}: {sessions} sessions on at most {most} server connections, {} turns, {} answers compared in {time:?}, \
         {} wrong, seed {seed}",
        flavor.name(),
        crowd.turns.load(Ordering::Relaxed),
        crowd.answers.load(Ordering::Relaxed),
        found.len()
    );
    assert!(found.is_empty(), "{} wrong:\n{}", found.len(), found.join("\n"));
    assert!(most <= CONNECTIONS, "{most} server connections");
    drop(crowd);
    scene.finish()
}

async fn log_in(scene: &Scene, crowd: &Arc<Crowd>, (sessions, seed): (u64, u64)) -> TestResult {
    let mut opening = JoinSet::new();
    for number in 0..sessions {
        if opening.len() >= LOGINS
            && let Some(member) = opening.join_next().await
        {
            crowd.resting.lock().push(member??);
        }
        let schema = SCHEMAS[(number % SCHEMAS.len() as u64) as usize];
        let options = scene.options("app", "app").db_name(Some(schema)).stmt_cache_size(Some(0));
        let random = Random::new(seed.wrapping_add(number << 20));
        opening.spawn(async move { Member::connect(number, options, schema, random).await });
    }
    while let Some(member) = opening.join_next().await {
        crowd.resting.lock().push(member??);
    }
    Ok(())
}

/// Takes one session after the other, gives each a turn, and puts it back.
async fn work(crowd: Arc<Crowd>, keepers: Arc<tokio::sync::Semaphore>, mut random: Random) {
    while !crowd.stop.load(Ordering::Relaxed) {
        let member = {
            let mut resting = crowd.resting.lock();
            let at = random.below(resting.len() as u64) as usize;
            (!resting.is_empty()).then(|| resting.swap_remove(at))
        };
        let Some(mut member) = member else {
            tokio::task::yield_now().await;
            continue;
        };
        let keeper = keepers.clone().try_acquire_owned().ok();
        let turn = member.turn(keeper.is_some()).await;
        drop(keeper);
        crowd.turns.fetch_add(1, Ordering::Relaxed);
        crowd.answers.fetch_add(std::mem::take(&mut member.compared), Ordering::Relaxed);
        match turn {
            Ok(()) => crowd.resting.lock().push(member),
            // Its session is not what it should be: it is left out from here on.
            Err(error) => crowd.found.lock().push(format!("session {}: {error}", member.number)),
        }
    }
}

/// Lets them work, and gives the greatest number of server connections seen meanwhile.
async fn watch(scene: &Scene, crowd: &Crowd, time: Duration) -> TestResult<u64> {
    /// With so many mistakes there is nothing more to learn.
    const ENOUGH: usize = 20;
    let deadline = Instant::now() + time;
    let mut most = 0;
    while Instant::now() < deadline && crowd.found.lock().len() < ENOUGH {
        sleep(Duration::from_millis(100)).await;
        let servers = scene.status("/servers").await?;
        for server in servers.as_array().into_iter().flatten() {
            let of = |name: &str| server[name].as_u64().unwrap_or_default();
            most = most.max(of("leased") + of("idle"));
        }
    }
    Ok(most)
}

/// Every session must still be what it was when it had its last turn.
async fn last_look(crowd: &Arc<Crowd>) {
    let members = std::mem::take(&mut *crowd.resting.lock());
    for mut member in members {
        if let Err(error) = member.look().await {
            crowd.found.lock().push(format!("session {}, in the end: {error}", member.number));
        }
        crowd.answers.fetch_add(std::mem::take(&mut member.compared), Ordering::Relaxed);
    }
}
