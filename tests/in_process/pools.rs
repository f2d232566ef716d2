//! Pools by themselves, without sessions.

use std::sync::Arc;
use std::time::Duration;

use tideover::backend::{AccountPool, AcquireError, Lease, Pools, Signature, Target, Use};
use tideover::session::SessionState;
use tideover::topology::ServerId;
use tideover_protocol::capability::{Capabilities, Dialect};
use tokio::time::{Instant, sleep};

use crate::bench::{account, connector, pool_limits};
use crate::fake_server::FakeServer;

const A: ServerId = ServerId(0);
const B: ServerId = ServerId(1);

/// Two servers and pools of connections to them.
struct Scene {
    servers: [Arc<FakeServer>; 2],
    pools: Arc<Pools>,
}

impl Scene {
    fn new(per_server: usize) -> Self {
        let servers = [FakeServer::new(1, None), FakeServer::new(2, Some(1))];
        let dialed = servers.clone();
        let connector = connector(move |address| dialed[usize::from(address != "a:1")].dial());
        let targets = ["a:1", "b:1"].map(|address| Target { address: address.into() });
        let signature = Signature { instance: "test".to_owned(), tags: true };
        Self { servers, pools: Pools::new(pool_limits(per_server), connector, &targets, signature) }
    }

    fn pool(&self, server: ServerId, use_: Use, user: &str) -> Arc<AccountPool> {
        let dialect = Dialect::new(Capabilities::empty(), 45);
        self.pools.of_use(0, (server, use_), &account(user), dialect)
    }
}

async fn lease(pool: &Arc<AccountPool>, schema: Option<&str>) -> Lease {
    pool.acquire(&state(pool, schema)).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What a session amounts to that has done no more than to choose this schema.
fn state(pool: &AccountPool, schema: Option<&str>) -> SessionState {
    let mut state = pool.base().map(|base| (*base).clone()).unwrap_or_default();
    state.set_schema(schema.map(str::as_bytes));
    state
}

async fn leases(pool: &Arc<AccountPool>, count: usize, schema: Option<&str>) -> Vec<Lease> {
    let mut leases = Vec::new();
    for _ in 0..count {
        leases.push(lease(pool, schema).await);
    }
    leases
}

/// What a switchover is going to need is opened four at once, as many as there are for each account, and no more than it may be.
#[tokio::test(start_paused = true)]
async fn connections_ahead_of_need_are_opened_four_at_once() {
    let scene = Scene::new(20);
    let (one, other) = (scene.pool(A, Use::Anything, "one"), scene.pool(A, Use::Anything, "other"));
    let in_use = (leases(&one, 9, None).await, leases(&other, 3, None).await);
    scene.servers[1].slow_down(Duration::from_secs(1));
    assert_eq!(scene.pools.warm(A, B, 100).await, 12);
    assert_eq!(scene.servers[1].most().0, 4);
    assert_eq!(scene.pools.stats(B).idle, 12);
    assert_eq!(scene.pools.warm(A, B, 100).await, 0, "they are there");
    drop(in_use);
    scene.pools.retire(B);
    assert_eq!(scene.pools.warm(A, B, 5).await, 5);
}

/// Others outside take every place that becomes free: that is noticed, and not all idle connections go for nothing.
#[tokio::test(start_paused = true)]
async fn few_idle_connections_are_given_up_in_vain() {
    let scene = Scene::new(20);
    let (one, other) = (scene.pool(A, Use::Anything, "one"), scene.pool(A, Use::Anything, "other"));
    drop(leases(&one, 8, None).await);
    assert_eq!(scene.pools.stats(A).idle, 8);
    scene.servers[0].take_no_more(true);
    let waiting = (0..6).map(|_| {
        let other = other.clone();
        tokio::spawn(async move { other.acquire(&SessionState::new()).await })
    });
    let waiting: Vec<_> = waiting.collect();
    for one in waiting {
        let refused = one.await.expect("no panic").err();
        assert!(matches!(refused, Some(AcquireError::Exhausted { full: true, .. })), "{refused:?}");
    }
    let left = scene.pools.stats(A).idle;
    assert!((5..8).contains(&left), "{left} are left");
    // Who comes when there is room has it.
    scene.servers[0].take_no_more(false);
    drop(lease(&other, None).await);
    drop(lease(&one, None).await);
}

/// Readers that come all at once share what there is; if they are here to stay, the pool grows to what they need.
#[tokio::test(start_paused = true)]
async fn a_pool_for_reads_grows_one_by_one() {
    let scene = Scene::new(20);
    let pool = scene.pool(A, Use::Reading, "one");
    let mut in_use = leases(&pool, 8, None).await;
    let mut took = Vec::new();
    for _ in 0..2 {
        for _ in 0..3 {
            let began = Instant::now();
            in_use.push(lease(&pool, None).await);
            took.push(began.elapsed().as_millis());
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(took, [0, 25, 25, 0, 25, 25]);
    assert_eq!(scene.servers[0].connections(), 14);
}

/// A connection that comes back is for whoever it fits of those who wait, and not only for the first.
#[tokio::test(start_paused = true)]
async fn what_does_not_fit_the_first_who_waits_is_for_the_next() {
    let scene = Scene::new(20);
    let pool = scene.pool(A, Use::Reading, "one");
    // So many that more are not opened at once.
    let mut in_use = leases(&pool, 10, Some("shop")).await;
    let back = in_use.pop().expect("ten");
    let thread = back.thread;
    let wait = |schema: Option<&'static str>| {
        let pool = pool.clone();
        tokio::spawn(async move { lease(&pool, schema).await })
    };
    // No connection that has a schema can be made to have none.
    let misfits = [wait(None), wait(None)];
    tokio::task::yield_now().await;
    let fits = wait(Some("shop"));
    tokio::task::yield_now().await;
    drop(back);
    let taken = fits.await.expect("no panic");
    assert_eq!(taken.thread, thread);
    for misfit in misfits {
        let new = misfit.await.expect("no panic");
        assert!(new.thread > thread, "a new one");
    }
    assert_eq!(scene.servers[0].connections(), 12);
}
