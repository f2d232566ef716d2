//! What becomes of one session when its server breaks, in one thread, over streams in memory, with a clock that jumps to
//! the next timer: scenarios of half a minute take milliseconds and go the same way every time.

mod bench;
mod fake_server;
mod pools;

use std::time::Duration;

use tideover::backend::{Control, ControlError, Rows};
use tideover::gate::Reasons;
use tokio::time::{Instant, sleep};

use bench::{Bench, HOLD, PATIENCE};

async fn run(client: &mut Control, sql: &str) -> Result<Rows, ControlError> {
    client.query(sql, PATIENCE).await
}

async fn done(client: &mut Control, sql: &str) {
    run(client, sql).await.unwrap_or_else(|error| panic!("{error}"));
}

/// The error's number and text.
async fn refused(client: &mut Control, sql: &str) -> (u16, String) {
    match run(client, sql).await {
        Err(ControlError::Server { error, .. }) => (error.code, error.text().into_owned()),
        other => panic!("{sql}: an error was expected, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_refused_by_a_fenced_server_runs_on_the_new_primary_once() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "INSERT 1").await;
    bench.a.fence();
    let (a, b) = (bench.a.clone(), bench.b.clone());
    let promoter = tokio::spawn(async move {
        sleep(Duration::from_secs(2)).await;
        a.follow(2);
        b.promote();
    });
    let began = Instant::now();
    done(&mut client, "INSERT 2").await;
    assert!(began.elapsed() >= Duration::from_secs(2), "held until the promotion");
    assert!(began.elapsed() < Duration::from_secs(3), "and not much longer: {:?}", began.elapsed());
    promoter.await.expect("promoted");
    assert_eq!(bench.a.executed(), ["INSERT 1"]);
    assert_eq!(bench.b.executed(), ["INSERT 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_loses_its_connection_is_done_again() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    done(&mut client, "INSERT 1").await;
    bench.a.cut_at("UPDATE");
    done(&mut client, "UPDATE 1").await;
    assert_eq!(bench.gate.inside(), 1);
    done(&mut client, "COMMIT").await;
    // The first INSERT went with its connection.
    assert_eq!(bench.a.executed(), ["INSERT 1", "INSERT 1", "UPDATE 1"]);
    assert_eq!(bench.gate.inside(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_what_is_lost_already_is_ok() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    done(&mut client, "INSERT 1").await;
    bench.a.cut_at("ROLLBACK");
    done(&mut client, "ROLLBACK").await;
    done(&mut client, "INSERT 2").await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_refused_as_read_only_was_rolled_back_and_is_done_again() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    done(&mut client, "INSERT 1").await;
    bench.a.follow(2);
    bench.b.promote();
    done(&mut client, "COMMIT").await;
    done(&mut client, "INSERT 2").await;
    assert_eq!(bench.b.executed(), ["INSERT 1", "INSERT 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_nobody_can_prove_is_said_to_be_unknown() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    bench.a.cut_at("INSERT 1");
    let (code, text) = refused(&mut client, "INSERT 1").await;
    assert_eq!(code, 1180, "{text}");
    assert!(text.contains("outcome unknown"), "{text}");
    assert_eq!(bench.a.executed(), Vec::<String>::new(), "never run again");
    done(&mut client, "INSERT 2").await;
}

/// The server hangs when the proxy has sent something of its own, and another one takes its place.
async fn goes_on_elsewhere(bench: &Bench, client: &mut Control, sql: &str) {
    let (a, b) = (bench.a.clone(), bench.b.clone());
    let promoter = tokio::spawn(async move {
        while !a.hangs() {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_secs(2)).await;
        b.promote();
    });
    let began = Instant::now();
    done(client, sql).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    promoter.await.expect("promoted");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_in_front_of_a_statement_is_left() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    done(&mut client, "INSERT 1").await;
    // What fixes the time for a statement that asks for it.
    bench.a.hang_at("SET timestamp");
    goes_on_elsewhere(&bench, &mut client, "UPDATE t SET a = NOW()").await;
    done(&mut client, "COMMIT").await;
    assert_eq!(bench.b.executed(), ["INSERT 1", "UPDATE t SET a = NOW()"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_behind_an_error_is_left() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    done(&mut client, "INSERT 1").await;
    // The proxy asks whether the transaction is open still.
    bench.a.hang_at("UPDATE bad");
    assert_eq!(refused(&mut client, "UPDATE bad").await.0, 1062);
    goes_on_elsewhere(&bench, &mut client, "INSERT 2").await;
    done(&mut client, "COMMIT").await;
    assert_eq!(bench.b.executed(), ["INSERT 1", "INSERT 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_when_a_session_is_restored_is_left() {
    let bench = Bench::with(1).await;
    let (mut client, mut other) = (bench.client().await, bench.client().await);
    done(&mut client, "SET @a = 1").await;
    done(&mut other, "SET @a = 2").await;
    bench.a.hang_at("SET @");
    goes_on_elsewhere(&bench, &mut client, "BEGIN").await;
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_lost_before_its_answer_is_run_again() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    bench.a.cut_at("SELECT 1");
    let rows = run(&mut client, "SELECT 1").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rows.scalar().as_deref(), Some("1"), "the number of server a");
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_in_an_error_after_its_time_and_the_session_lives() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    bench.gate.close(Reasons::HOLD);
    let began = Instant::now();
    let (code, text) = refused(&mut client, "INSERT 1").await;
    assert_eq!((code, began.elapsed().as_secs()), (1205, HOLD.as_secs()), "{text}");
    assert!(text.contains("no writable primary for 30 s"), "{text}");
    assert!(text.contains("nothing was executed"), "{text}");
    assert_eq!(bench.gate.held(), 0);
    bench.gate.open(Reasons::HOLD);
    done(&mut client, "INSERT 2").await;
    assert_eq!(bench.a.executed(), ["INSERT 2"]);
}

#[tokio::test(start_paused = true)]
async fn the_held_are_all_served_when_the_hold_ends() {
    let bench = Bench::start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(bench.client().await);
    }
    bench.gate.close(Reasons::HOLD);
    let running: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(at, mut client)| {
            tokio::spawn(async move {
                // In a known order: each comes a little later than the one before.
                sleep(Duration::from_millis(10 * at as u64)).await;
                done(&mut client, &format!("INSERT {at}")).await;
            })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.gate.held(), 20);
    bench.gate.open(Reasons::HOLD);
    for one in running {
        one.await.expect("no error");
    }
    // They enter in order; those who are inside together may overtake each other while they get their connections.
    let mut executed = bench.a.executed();
    assert_eq!(executed.first().map(String::as_str), Some("INSERT 0"));
    executed.sort_by_key(|text| text[7..].parse::<usize>().ok());
    let all: Vec<String> = (0..20).map(|at| format!("INSERT {at}")).collect();
    assert_eq!(executed, all);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_amid_a_transaction_leaves_nothing_inside() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    done(&mut client, "BEGIN").await;
    assert_eq!(bench.gate.inside(), 1);
    drop(client);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.gate.inside(), 0);
}

/// Clients that come together, and leave together amid their transactions: their logins and rollbacks take turns, and no
/// connection is given up for that.
#[tokio::test(start_paused = true)]
async fn logins_and_rollbacks_take_turns() {
    const CLIENTS: u32 = 40;
    const TURNS: u32 = 16;
    let bench = Bench::with(CLIENTS as usize).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(bench.client().await);
    }
    bench.a.slow_down(Duration::from_secs(1));
    let began: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            tokio::spawn(async move {
                done(&mut client, "BEGIN").await;
                client
            })
        })
        .collect();
    let mut clients = Vec::new();
    for one in began {
        clients.push(one.await.expect("no error"));
    }
    assert_eq!(bench.a.most(), (TURNS, 0));
    let opened = bench.a.connections();
    drop(clients);
    // Each has its turn, a second long.
    sleep(Duration::from_secs(u64::from(CLIENTS / TURNS) + 2)).await;
    assert_eq!(bench.a.most(), (TURNS, TURNS));
    // What was rolled back is there for the next.
    for _ in 0..CLIENTS {
        let mut client = bench.client().await;
        done(&mut client, "INSERT 1").await;
    }
    assert_eq!(bench.a.connections(), opened, "connections were given up");
}

/// A server may not know a variable that the monitor watches: it counts as what it is all the same.
#[tokio::test(start_paused = true)]
async fn a_server_that_lacks_a_variable_is_looked_at_without_it() {
    let bench = Bench::start().await;
    for server in [&bench.a, &bench.b] {
        server.lack("optimizer_switch");
    }
    for _ in 0..3 {
        let topology = bench.look().await;
        assert!(topology.primary().is_some_and(|primary| &*primary.address == "a:1"), "{topology:#?}");
        assert!(topology.servers.iter().all(|server| server.is_up() && server.unanswered.is_none()));
    }
    assert_eq!((bench.a.told(), bench.b.told()), (1, 1), "it is not asked for that again");
    // On the next connection it is: the server may be another version by then.
    bench.a.cut_at("SHOW ALL SLAVES STATUS");
    assert!(bench.look().await.primary().is_some());
    assert_eq!(bench.a.told(), 2);
}

/// Who logs in while all is held needs no server if one has let the same account in before, whichever thread served that.
#[tokio::test(start_paused = true)]
async fn a_login_during_a_hold_waits_on_no_thread_for_what_another_knows() {
    let bench = Bench::start().await;
    done(&mut bench.client_of(0).await, "INSERT 1").await;
    bench.gate.close(Reasons::HOLD);
    let began = Instant::now();
    for shard in [0, 1] {
        bench.client_of(shard).await;
    }
    assert!(began.elapsed() < Duration::from_secs(1), "waited at the gate for {:?}", began.elapsed());
}
