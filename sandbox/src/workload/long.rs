//! Long transactions: what they read before, amid and after their pauses must fit together.

use std::{sync::Arc, time::Duration};

use mysql_async::prelude::Queryable;
use tokio::time::sleep;

use super::{
    books::Write,
    client::{Client, Session},
    statement::Failure,
};

/// What identifies a long transaction, the same when it is run again after a deadlock.
#[derive(Clone, Copy, Debug)]
pub(super) struct LongTokens {
    pub(super) event: u64,
    pub(super) transfer: u64,
}

/// Money that is moved from one account to another, with what both held when they were locked.
#[derive(Clone, Copy, Debug)]
struct Move {
    source: (u64, i64),
    target: (u64, i64),
    amount: i64,
}

impl Client {
    /// Locks two accounts, counts its own counter up, writes an event, waits, looks whether all is as it was, moves money
    /// by writing *what was read* plus or minus the amount, and commits. Whatever was done on data that had changed since
    /// it was read shows in the balances.
    pub(super) async fn long(&mut self, session: &mut Session, tokens: LongTokens) -> Result<(), Failure> {
        let notes = Arc::clone(&self.notes);
        let pause = self.long_pause() / 3;
        notes.timed(session.connection.query_drop("BEGIN")).await?;
        let moved = self.lock_two(session).await?;
        let (before, doubtful) = {
            let book = notes.book();
            (book.increments, book.unknown_increments)
        };
        let found = self.own_counter(session).await?;
        if found < before || found > before + doubtful {
            notes.tally().wrong(|| format!("long: counter is {found}, acknowledged were {before}"));
        }
        let counter = self.run.counter(self.number);
        let sql = format!("UPDATE counters SET n = n + 1 WHERE id = {counter}");
        notes.timed(session.connection.query_drop(sql)).await?;
        self.expect_rows(session, "long");
        let sql = format!("INSERT INTO events (token, body) VALUES ({}, 'written amid')", tokens.event);
        notes.timed(session.connection.query_drop(sql)).await?;
        self.expect_insert(session);
        let row = session.connection.last_insert_id().unwrap_or_default();
        sleep(pause).await;
        self.expect_own_writes(session, (found + 1, row, tokens.event)).await?;
        sleep(pause).await;
        self.expect_balances(session, moved).await?;
        self.write_move(session, moved, tokens.transfer).await?;
        sleep(pause).await;
        notes.book().pending =
            vec![Write::Increment, Write::Event(tokens.event), Write::Transfer(tokens.transfer)];
        notes.timed(session.connection.query_drop("COMMIT")).await?;
        notes.book().acknowledge();
        Ok(())
    }

    /// The first statement of the transaction: where a server takes its snapshot with the first plain read, nothing may have
    /// changed since.
    async fn lock_two(&mut self, session: &mut Session) -> Result<Move, Failure> {
        let accounts = u64::from(self.options.accounts.max(2));
        let source = 1 + self.next_random() % accounts;
        let target = 1 + (source + self.next_random() % (accounts - 1)) % accounts;
        let amount = i64::try_from(1 + self.next_random() % 100).unwrap_or(1);
        let sql = format!(
            "SELECT id, balance FROM accounts WHERE id IN ({source}, {target}) ORDER BY id FOR UPDATE"
        );
        let rows: Vec<(u64, i64)> = self.notes.timed(session.connection.query(sql)).await?;
        let held = |account| rows.iter().copied().find(|&(id, _)| id == account);
        let (Some(source), Some(target)) = (held(source), held(target)) else {
            let message = format!("{} accounts instead of 2", rows.len());
            self.notes.tally().wrong(|| format!("long: {message}"));
            return Err(Failure { code: 0, message, lost: true });
        };
        Ok(Move { source, target, amount })
    }

    async fn own_counter(&self, session: &mut Session) -> Result<u64, Failure> {
        let sql = format!("SELECT n FROM counters WHERE id = {}", self.run.counter(self.number));
        let n: Option<u64> = self.notes.timed(session.connection.query_first(sql)).await?;
        Ok(n.unwrap_or_default())
    }

    /// The counter, and the event under the id that the client was given.
    async fn expect_own_writes(
        &self,
        session: &mut Session,
        (counter, row, token): (u64, u64, u64),
    ) -> Result<(), Failure> {
        let n = self.own_counter(session).await?;
        let sql = format!("SELECT token FROM events WHERE row_id = {row}");
        let event: Option<u64> = self.notes.timed(session.connection.query_first(sql)).await?;
        if n != counter || event != Some(token) {
            self.notes.tally().wrong(|| {
                format!("long: counter {n} and not {counter}; event {row} has {event:?} and not {token}")
            });
        }
        Ok(())
    }

    async fn expect_balances(&self, session: &mut Session, moved: Move) -> Result<(), Failure> {
        for (account, balance) in [moved.source, moved.target] {
            let sql = format!("SELECT balance FROM accounts WHERE id = {account}");
            let found: Option<i64> = self.notes.timed(session.connection.query_first(sql)).await?;
            if found != Some(balance) {
                self.notes
                    .tally()
                    .wrong(|| format!("long: account {account} is locked with {balance} and has {found:?}"));
            }
        }
        Ok(())
    }

    async fn write_move(&self, session: &mut Session, moved: Move, token: u64) -> Result<(), Failure> {
        let Move { source, target, amount } = moved;
        for (account, balance) in [(source.0, source.1 - amount), (target.0, target.1 + amount)] {
            let sql = format!("UPDATE accounts SET balance = {balance} WHERE id = {account}");
            self.notes.timed(session.connection.query_drop(sql)).await?;
            self.expect_rows(session, "long");
        }
        let sql = format!(
            "INSERT INTO ledger (token, source, target, amount) VALUES ({token}, {}, {}, {amount})",
            source.0, target.0
        );
        self.notes.timed(session.connection.query_drop(sql)).await
    }

    /// Between both ends of the range, evenly on a logarithmic scale.
    fn long_pause(&mut self) -> Duration {
        let range = self.options.long_hold.clone();
        let least = range.start.as_secs_f64().max(0.001);
        let share = f64::from(u32::try_from(self.next_random() % 1000).unwrap_or_default()) / 1000.0;
        let most = range.end.as_secs_f64().max(least);
        Duration::from_secs_f64(least * (most / least).powf(share))
    }
}
