use bitflags::Flags;
use tokio::time::timeout;

use super::*;

fn gate(waiting: usize, pace: u64) -> Arc<Gate> {
    Gate::new(Limits { waiting, pace })
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test(start_paused = true)]
async fn held_units_enter_in_order_and_paced() {
    let gate = gate(100, 2);
    gate.close(Reasons::SWITCHOVER);
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..10 {
        let (gate2, sender) = (gate.clone(), sender.clone());
        tokio::spawn(async move {
            let pass = gate2.enter(soon(), || ()).await.expect("enters");
            sender.send((number, gate2.inside())).expect("send");
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(pass);
        });
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.held(), 10);
    gate.open(Reasons::SWITCHOVER);
    for number in 0..10 {
        let (got, inside) = order.recv().await.expect("recv");
        assert_eq!(got, number);
        assert!(inside <= 2, "{inside} inside");
    }
    gate.close(Reasons::HOLD);
    gate.drained().await;
    assert_eq!(gate.inside(), 0);
}

/// A pool that has become larger or smaller is served as it is now.
#[tokio::test(start_paused = true)]
async fn the_pace_can_change() {
    let gate = gate(100, 1);
    gate.close(Reasons::HOLD);
    let (sender, mut entered) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..5 {
        let (gate, sender) = (gate.clone(), sender.clone());
        tokio::spawn(async move { sender.send(gate.enter(soon(), || ()).await.expect("enters")) });
    }
    tokio::task::yield_now().await;
    gate.set_pace(2);
    assert_eq!((gate.held(), gate.inside()), (5, 0), "a pace lets nobody into a closed gate");
    gate.open(Reasons::HOLD);
    let mut next =
        async || timeout(Duration::from_secs(1), entered.recv()).await.ok().flatten().expect("enters");
    let first = next().await;
    let second = next().await;
    assert_eq!((gate.held(), gate.inside()), (3, 2));
    gate.set_pace(3);
    let third = next().await;
    assert_eq!((gate.held(), gate.inside()), (2, 3));
    // Fewer: who is inside stays, and nobody follows before enough have left.
    gate.set_pace(1);
    drop((first, second));
    assert_eq!((gate.held(), gate.inside()), (2, 1));
    drop(third);
    let fourth = next().await;
    assert_eq!((gate.held(), gate.inside()), (1, 1));
    drop(fourth);
    drop(next().await);
    drop(gate.try_enter().expect("nobody waits any more"));
}

#[tokio::test(start_paused = true)]
async fn drained_only_when_the_last_pass_is_gone() {
    let gate = gate(10, 10);
    let first = gate.try_enter().expect("open");
    let second = gate.try_enter().expect("open");
    gate.close(Reasons::HOLD);
    assert_eq!(gate.state(), GateState::Draining);
    assert!(gate.try_enter().is_none());
    drop(first);
    assert!(timeout(Duration::from_millis(1), gate.drained()).await.is_err());
    drop(second);
    gate.drained().await;
    assert_eq!(gate.state(), GateState::Held);
}

#[tokio::test(start_paused = true)]
async fn waits_are_bounded_in_time_and_number() {
    let gate = gate(1, 10);
    gate.close(Reasons::NO_PRIMARY);
    let gate2 = gate.clone();
    let first =
        tokio::spawn(async move { gate2.enter(Instant::now() + Duration::from_secs(3), || ()).await });
    tokio::task::yield_now().await;
    let second = gate.enter(soon(), || ()).await;
    assert!(matches!(second, Err(EnterError::Full { limit: 1, .. })), "{second:?}");
    let first = first.await.expect("task");
    assert!(matches!(first, Err(EnterError::TimedOut { .. })));
    assert_eq!(gate.held(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_goes_away_leaves_no_hole() {
    let gate = gate(10, 1);
    gate.close(Reasons::HOLD);
    let gate2 = gate.clone();
    let gone = tokio::spawn(async move { gate2.enter(soon(), || ()).await.map(drop) });
    let gate3 = gate.clone();
    let stays = tokio::spawn(async move { gate3.enter(soon(), || ()).await.map(drop) });
    tokio::task::yield_now().await;
    assert_eq!(gate.held(), 2);
    gone.abort();
    let _ = gone.await;
    assert_eq!(gate.held(), 1);
    gate.open(Reasons::HOLD);
    stays.await.expect("task").expect("enters");
    assert!(gate.try_enter().is_some(), "the gate is open again");
}

#[tokio::test(start_paused = true)]
async fn opens_only_when_every_reason_is_gone() {
    let gate = gate(10, 10);
    gate.close(Reasons::HOLD);
    gate.close(Reasons::NO_PRIMARY);
    gate.open(Reasons::HOLD);
    assert!(gate.try_enter().is_none());
    gate.open(Reasons::NO_PRIMARY);
    assert!(gate.try_enter().is_some());
}

/// What was interrupted is done again before anything new begins, whoever came first.
#[tokio::test(start_paused = true)]
async fn those_who_return_go_first() {
    let gate = gate(10, 10);
    let inside = gate.try_enter().expect("open");
    gate.close(Reasons::SWITCHOVER);
    let other = gate.clone();
    let waiting = tokio::spawn(async move { other.enter(soon(), || ()).await });
    tokio::task::yield_now().await;
    let returning = gate.returning();
    drop(inside);
    gate.drained().await;
    gate.open(Reasons::SWITCHOVER);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "it has not come back yet");
    assert!(gate.try_enter().is_none());
    let pass = gate.enter_first(&returning, soon()).await.expect("goes first");
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "it is not done yet");
    let another = gate.returning();
    drop(returning);
    let waits = timeout(Duration::from_millis(1), gate.all_returned()).await;
    assert!(waits.is_err(), "what is done again does not go on before the others are");
    drop(another);
    gate.all_returned().await;
    assert!(waiting.await.expect("task").is_ok());
    drop(pass);
    drop(gate.try_enter().expect("open as before"));
    let nobody_waits = gate.returning();
    drop(gate.try_enter().expect("an open gate stays open"));
    gate.all_returned().await;
    drop(nobody_waits);
    // They are waited for, but not for ever.
    gate.close(Reasons::NO_PRIMARY);
    let never = gate.returning();
    gate.open(Reasons::NO_PRIMARY);
    assert!(gate.try_enter().is_none());
    drop(gate.enter(soon(), || ()).await.expect("in the end"));
    gate.all_returned().await;
    // Whoever comes back after that waits for nobody: the last one may wait for a lock of theirs.
    let late = gate.returning();
    drop(late);
    timeout(Duration::from_millis(1), gate.all_returned()).await.expect("it goes on");
    drop(never);
}

/// On a slow machine the first unit is done again late, but statement by statement.
#[tokio::test(start_paused = true)]
async fn those_who_get_on_stay_first_for_a_while() {
    let gate = gate(10, 10);
    gate.close(Reasons::SWITCHOVER);
    let returning = gate.returning();
    gate.open(Reasons::SWITCHOVER);
    let began = Instant::now();
    let other = gate.clone();
    let waiting = tokio::spawn(async move { other.enter(soon() + Duration::from_secs(60), || ()).await });
    let mut let_in = None;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        gate.progressed();
        if waiting.is_finished() {
            let_in.get_or_insert_with(|| began.elapsed());
        }
    }
    let let_in = let_in.expect("they do not wait for ever");
    assert!(let_in >= PRIORITY_AT_MOST && let_in <= PRIORITY_AT_MOST + Duration::from_secs(2), "{let_in:?}");
    drop(returning);
}

/// Nobody gives up what it has locked while another could still take it.
#[tokio::test(start_paused = true)]
async fn those_inside_stop_together() {
    let gate = gate(10, 10);
    let (one, other) = (gate.try_enter().expect("open"), gate.try_enter().expect("open"));
    let busy = gate.try_enter().expect("open");
    gate.close(Reasons::SWITCHOVER);
    let stopping = gate.clone();
    let stopped = tokio::spawn(async move {
        tokio::join!(stopping.stop_together(&one), stopping.stop_together(&other));
        (one, other)
    });
    tokio::task::yield_now().await;
    assert!(!stopped.is_finished(), "one is still at work");
    drop(busy);
    drop(stopped.await.expect("task"));
    assert_eq!(gate.inside(), 0);
    // An open gate, or one that does not stop, keeps nobody for long.
    gate.open(Reasons::SWITCHOVER);
    let (one, _other) = (gate.try_enter().expect("open"), gate.try_enter().expect("open"));
    gate.stop_together(&one).await;
    gate.close(Reasons::HOLD);
    let since = Instant::now();
    gate.stop_together(&one).await;
    assert_eq!(since.elapsed(), STOP);
}

/// Two reasons that shared a bit would open each other's gate.
#[test]
fn every_reason_has_a_bit_and_a_name_of_its_own() {
    let all = Reasons::all();
    assert_eq!(all.bits().count_ones() as usize, Reasons::FLAGS.len());
    assert_eq!(all.names().len(), Reasons::FLAGS.len());
}
