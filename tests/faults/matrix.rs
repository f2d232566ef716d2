//! Runs the cells. Cuts come one after the other on a primary that lives; where a server goes, all statements of both
//! proxies meet that at once.

use std::{collections::BTreeMap, time::Duration};

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::{
    faults::Hit,
    servers::{Flavor, PromoteOptions},
};
use tokio::sync::watch;

use super::{
    bench::Bench,
    cell::{Cell, Struck},
    column::Column,
    document::markdown,
    expected::{GUARDED, UNGUARDED, fits},
    row::{ROWS, TABLES},
    support::length,
};

/// Until a statement has come to its relay.
const ARRIVAL: Duration = Duration::from_secs(20);

#[tokio::test]
async fn mariadb_10_11() {
    all(Flavor::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8() {
    all(Flavor::MariaDb118).await;
}

#[tokio::test]
async fn mysql_9() {
    all(Flavor::Mysql9).await;
}

/// What became of each cell: guarded, row, column.
type Outcomes = BTreeMap<(bool, usize, usize), String>;

async fn all(flavor: Flavor) {
    for _ in 0..length(1, 5) {
        once(flavor).await;
    }
}

async fn once(flavor: Flavor) {
    let bench = Bench::start(flavor).await;
    for sql in TABLES {
        bench.run(sql).await;
    }
    bench.cluster.wait_in_sync().await.unwrap();
    let mut outcomes = Outcomes::new();
    for column in Column::ALL {
        match column {
            Column::CutBeforeSend
            | Column::CutBeforeExecution
            | Column::CutAfterExecution
            | Column::CutAmidAnswer => cuts(&bench, column, &mut outcomes).await,
            Column::ReadOnly => read_only(&bench, &mut outcomes).await,
            Column::KillBeforeExecution => {
                let columns = [Column::KillBeforeExecution, Column::KillAfterExecution];
                crash(&bench, &columns, &mut outcomes).await;
            }
            Column::FreezeBeforeExecution => {
                let columns = [Column::FreezeAfterExecution, Column::FreezeBeforeExecution];
                crash(&bench, &columns, &mut outcomes).await;
            }
            Column::Shutdown => shutdown(&bench, &mut outcomes).await,
            Column::KillAfterExecution | Column::FreezeAfterExecution => {}
        }
    }
    judge(flavor, &bench, &outcomes);
}

fn judge(flavor: Flavor, bench: &Bench, outcomes: &Outcomes) {
    let mut wrong = Vec::new();
    for side in &bench.sides {
        let expected = if side.guarded { &GUARDED } else { &UNGUARDED };
        let found = |row, column| outcomes.get(&(side.guarded, row, column)).cloned().unwrap_or_default();
        println!("{flavor}, {}\n{}", side.name(), markdown(found));
        for (row, (name, cells)) in expected.iter().enumerate() {
            for (column, &cell) in cells.iter().enumerate() {
                let found = found(row, column);
                if !fits(cell, &found) {
                    let title = Column::ALL[column].name();
                    wrong.push(format!("{}: {name}, {title}: {cell} expected, found {found}", side.name()));
                }
            }
        }
    }
    if !wrong.is_empty() {
        for side in &bench.sides {
            eprintln!("--- {}\n{}", side.name(), side.proxy.log());
        }
        panic!("{flavor}:\n{}", wrong.join("\n"));
    }
}

fn key(column: Column) -> usize {
    Column::ALL.iter().position(|&other| other == column).unwrap()
}

/// A name that is in no other's.
fn token(column: Column, row: usize, guarded: bool) -> String {
    format!("f{}r{row}{}z", key(column), if guarded { "on" } else { "off" })
}

/// The connection is cut and the primary lives.
async fn cuts(bench: &Bench, column: Column, outcomes: &mut Outcomes) {
    for side in &bench.sides {
        let relay = &side.relays[bench.primary_at()];
        for (at, row) in ROWS.iter().enumerate() {
            let cell = Cell::prepare(bench, side, (row, column), token(column, at, side.guarded)).await;
            let outcome = if column == Column::CutBeforeSend {
                assert!(relay.cut_account("app").await > 0, "there was nothing to cut");
                cell.strike().outcome(bench).await
            } else {
                let mut hit = relay.cut(&cell.token, column.moment(row.strike.is_rows()));
                let outcome = cell.strike().outcome(bench).await;
                assert!(hit.happened(), "{outcome}: {}, {} did not come by", row.name, column.name());
                outcome
            };
            outcomes.insert((side.guarded, at, key(column)), outcome);
        }
    }
}

/// All statements on both sides, on their way and stopped by the relay.
struct Flight {
    struck: Vec<(usize, Struck)>,
    hits: Vec<(String, Hit)>,
    release: watch::Sender<bool>,
}

impl Flight {
    const fn new(release: watch::Sender<bool>) -> Self {
        Self { struck: Vec::new(), hits: Vec::new(), release }
    }

    /// Sends the statements. What is expected to pass, is awaited.
    async fn send(&mut self, bench: &Bench, cells: Vec<(usize, Cell)>) {
        for (at, cell) in cells {
            let side = bench.sides.iter().find(|side| side.guarded == cell.guarded).unwrap();
            let moment = cell.column.moment(cell.row.strike.is_rows());
            let relay = &side.relays[bench.primary_at()];
            let hit = relay.cut_and_hold(&cell.token, moment, self.release.subscribe());
            self.hits.push((cell.token.clone(), hit));
            self.struck.push((at, cell.strike()));
        }
        for (token, hit) in &mut self.hits {
            assert!(hit.within(ARRIVAL).await, "{token} did not come by");
        }
        self.hits.clear();
    }

    async fn land(self, bench: &Bench, outcomes: &mut Outcomes) {
        let _ = self.release.send(true);
        for (at, struck) in self.struck {
            let cell = (struck.guarded, at, key(struck.column));
            outcomes.insert(cell, struck.outcome(bench).await);
        }
    }
}

/// One cell of each row on both sides.
async fn cells(bench: &Bench, column: Column) -> Vec<(usize, Cell)> {
    let mut cells = Vec::new();
    for side in &bench.sides {
        for (at, row) in ROWS.iter().enumerate() {
            let token = token(column, at, side.guarded);
            cells.push((at, Cell::prepare(bench, side, (row, column), token).await));
        }
    }
    cells
}

/// Leaves a server connection in the pool for each of them that fits it as it is: on a frozen server, none can be opened or
/// made to fit.
async fn own_connections(cells: &mut [(usize, Cell)]) {
    for begins in [true, false] {
        for (_, cell) in cells.iter_mut().filter(|(_, cell)| cell.row.before.is_empty()) {
            cell.settle(begins).await;
        }
    }
}

/// Somebody closes the primary for writes while the statements are on their way, and promotes a replica.
async fn read_only(bench: &Bench, outcomes: &mut Outcomes) {
    let mut flight = Flight::new(watch::Sender::new(false));
    let cells = cells(bench, Column::ReadOnly).await;
    flight.send(bench, cells).await;
    let old = bench.cluster.primary().clone();
    let sql = if old.flavor.is_mariadb() { "SET GLOBAL read_only=1" } else { "SET GLOBAL super_read_only=1" };
    old.run(&[sql]).await.unwrap();
    let _ = flight.release.send(true);
    let new = bench.cluster.most_advanced_replica().await.unwrap().clone();
    bench.cluster.promote_by_hand(&new, PromoteOptions::planned()).await.unwrap();
    flight.land(bench, outcomes).await;
    bench.cluster.wait_semi_sync().await.unwrap();
}

/// The primary dies, frozen or not, and a replica is promoted.
async fn crash(bench: &Bench, columns: &[Column], outcomes: &mut Outcomes) {
    let old = bench.cluster.primary().clone();
    let mut flight = Flight::new(watch::Sender::new(false));
    let mut ready = Vec::new();
    for &column in columns {
        ready.push(cells(bench, column).await);
    }
    for mut cells in ready {
        if cells.iter().any(|(_, cell)| cell.column == Column::FreezeBeforeExecution) {
            own_connections(&mut cells).await;
            old.freeze().unwrap();
        }
        flight.send(bench, cells).await;
    }
    old.kill().await.unwrap();
    let _ = flight.release.send(true);
    let new = bench.cluster.most_advanced_replica().await.unwrap().clone();
    bench.cluster.promote_by_hand(&new, PromoteOptions::failover()).await.unwrap();
    flight.land(bench, outcomes).await;
    bench.cluster.rejoin(&old).await.unwrap();
    bench.cluster.wait_semi_sync().await.unwrap();
}

/// The primary is shut down while the statements run there, behind a global lock, and is started again.
async fn shutdown(bench: &Bench, outcomes: &mut Outcomes) {
    let primary = bench.cluster.primary().clone();
    let cells = cells(bench, Column::Shutdown).await;
    let mut locker: Conn = primary.connect().await.unwrap();
    locker.query_drop("FLUSH TABLES WITH READ LOCK").await.unwrap();
    let mut flight = Flight::new(watch::Sender::new(false));
    flight.send(bench, cells).await;
    let mut other = primary.connect().await.unwrap();
    let _ = other.query_drop("SHUTDOWN").await;
    primary.stop().await.unwrap();
    let _ = flight.release.send(true);
    primary.start_again().await.unwrap();
    flight.land(bench, outcomes).await;
    bench.cluster.wait_semi_sync().await.unwrap();
}
