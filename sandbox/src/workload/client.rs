use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mysql_async::{Conn, Statement, prelude::Queryable};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep},
};

use super::{
    DeadlockPolicy, Kind, WorkloadOptions,
    books::{ClientBook, Write},
    long::LongTokens,
    schema::Run,
    statement::Failure,
    tally::Tally,
};
use crate::servers::connection_options;

/// How long a client waits before it opens a new connection in place of a lost one.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How often a transaction is run again after deadlocks before the client gives up.
const DEADLOCK_TRIES: u32 = 100;

/// What a client writes down, shared with whoever takes snapshots. Both locks are held for moments and never across an
/// await.
#[derive(Debug)]
pub(crate) struct Notes {
    tally: Mutex<Tally>,
    book: Mutex<ClientBook>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        Self { tally: Mutex::new(Tally::new()), book: Mutex::new(ClientBook::default()) }
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, ClientBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a statement's answer and times it.
    pub(super) async fn timed<T>(
        &self,
        asking: impl Future<Output = mysql_async::Result<T>>,
    ) -> Result<T, Failure> {
        self.tally().sent();
        let result = asking.await;
        self.tally().answered();
        result.map_err(|error| Failure::new(&error))
    }
}

/// One client: a connection, and a loop of units.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) number: u16,
    pub(crate) run: Run,
    pub(crate) options: Arc<WorkloadOptions>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) random: u64,
    pub(crate) sequence: u32,
    pub(crate) stop: watch::Receiver<bool>,
}

/// A connection with all that the client has set up on it.
pub(super) struct Session {
    pub(super) connection: Conn,
    insert: Statement,
    read: Statement,
}

impl Client {
    /// Works until it is told to stop; finishes the unit it is at.
    pub(crate) async fn work(mut self) {
        let mut pace = self.pace();
        let mut first = true;
        while !*self.stop.borrow() {
            let mut session = match self.open().await {
                Ok(session) => session,
                Err(failure) => {
                    self.notes.tally().failed("connecting", &failure);
                    sleep(RECONNECT_PAUSE).await;
                    continue;
                }
            };
            self.notes.tally().reconnects += u64::from(!first);
            first = false;
            if self.work_on(&mut session, pace.as_mut()).await {
                self.notes.tally().lost_sessions += 1;
                sleep(RECONNECT_PAUSE).await;
            } else {
                let _ = session.connection.disconnect().await;
            }
        }
    }

    /// Works on one connection until it is told to stop (`false`) or the connection is lost (`true`).
    async fn work_on(&mut self, session: &mut Session, mut pace: Option<&mut Interval>) -> bool {
        loop {
            if let Some(pace) = pace.as_mut() {
                tokio::select! {
                    _ = pace.tick() => {}
                    _ = self.stop.wait_for(|&stop| stop) => {}
                }
            }
            if *self.stop.borrow() {
                return false;
            }
            let random = self.next_random();
            let kind = self.options.mix.pick(random);
            match self.unit(session, kind).await {
                Ok(()) => self.notes.tally().succeeded(kind),
                Err(failure) => {
                    self.notes.book().fail(failure.leaves_doubt());
                    self.notes.tally().failed(kind.name(), &failure);
                    if failure.lost || (failure.is_read_only() && self.options.follow.is_some()) {
                        return true;
                    }
                }
            }
        }
    }

    async fn unit(&mut self, session: &mut Session, kind: Kind) -> Result<(), Failure> {
        match kind {
            Kind::Transfer | Kind::Long => self.until_done(session, kind).await,
            Kind::Insert => self.insert(session).await,
            Kind::Increment => self.increment(session).await,
            Kind::PreparedInsert => self.prepared_insert(session).await,
            Kind::PreparedRead => self.prepared_read(session).await,
            Kind::Read => self.read_counter(session).await,
            Kind::SessionCheck => self.check_session(session).await,
        }
    }

    /// Opens a connection and sets up what [`Self::check_session`] looks for.
    async fn open(&self) -> Result<Session, Failure> {
        let options = &self.options;
        let database = Some(options.database.as_str());
        let wanted =
            connection_options(options.current_address(), &options.user, &options.password, database);
        let notes = &self.notes;
        let mut connection = notes.timed(Conn::new(wanted)).await?;
        let settings = self.settings();
        let set = format!(
            "SET time_zone='{}', sql_mode='{}', lock_wait_timeout={}, @client={}",
            settings.0, settings.1, settings.2, settings.3
        );
        notes.timed(connection.query_drop(set)).await?;
        let insert = "INSERT INTO events (token, body) VALUES (?, ?)";
        let insert = notes.timed(connection.prep(insert)).await?;
        let read = "SELECT COUNT(*) FROM events WHERE token = ?";
        let read = notes.timed(connection.prep(read)).await?;
        Ok(Session { connection, insert, read })
    }

    /// What this client's sessions look like, different from most others': time zone, SQL mode, lock wait timeout in
    /// seconds, user variable.
    fn settings(&self) -> (String, String, u32, u64) {
        let number = self.number;
        let mode = if number.is_multiple_of(2) { "STRICT_ALL_TABLES" } else { "STRICT_TRANS_TABLES" };
        (
            format!("+{:02}:00", number % 13),
            mode.to_owned(),
            1000 + u32::from(number),
            self.run.counter(number),
        )
    }

    async fn check_session(&self, session: &mut Session) -> Result<(), Failure> {
        let sql = "SELECT @@session.time_zone, @@session.sql_mode, @@session.lock_wait_timeout, @client, DATABASE()";
        type Found = (String, String, u32, Option<u64>, Option<String>);
        let found: Option<Found> = self.notes.timed(session.connection.query_first(sql)).await?;
        let (zone, mode, timeout, client) = self.settings();
        let expected = (zone, mode, timeout, Some(client), Some(self.options.database.clone()));
        if found.as_ref() != Some(&expected) {
            let mut tally = self.notes.tally();
            tally.lost_sessions += 1;
            tally.wrong(|| format!("session check: {found:?} instead of {expected:?}"));
        }
        Ok(())
    }

    async fn insert(&mut self, session: &mut Session) -> Result<(), Failure> {
        let token = self.next_token();
        let sql = format!("INSERT INTO events (token, body) VALUES ({token}, 'written by a workload')");
        self.notes.book().pending = vec![Write::Event(token)];
        self.notes.timed(session.connection.query_drop(sql)).await?;
        self.notes.book().acknowledge();
        self.expect_insert(session);
        Ok(())
    }

    async fn prepared_insert(&mut self, session: &mut Session) -> Result<(), Failure> {
        let token = self.next_token();
        self.notes.book().pending = vec![Write::Event(token)];
        let asking =
            session.connection.exec_drop(&session.insert, (token, "written by a workload, prepared"));
        self.notes.timed(asking).await?;
        self.notes.book().acknowledge();
        self.expect_insert(session);
        Ok(())
    }

    /// An insert's answer must bring its row count and its id, also when a proxy settled it.
    pub(super) fn expect_insert(&self, session: &Session) {
        let (rows, id) = (session.connection.affected_rows(), session.connection.last_insert_id());
        if rows != 1 || id.unwrap_or_default() == 0 {
            self.notes.tally().wrong(|| format!("insert: {rows} rows affected, insert id {id:?}"));
        }
    }

    async fn increment(&self, session: &mut Session) -> Result<(), Failure> {
        let sql = format!("UPDATE counters SET n = n + 1 WHERE id = {}", self.run.counter(self.number));
        self.notes.book().pending = vec![Write::Increment];
        self.notes.timed(session.connection.query_drop(sql)).await?;
        self.notes.book().acknowledge();
        self.expect_rows(session, "increment");
        Ok(())
    }

    pub(super) fn expect_rows(&self, session: &Session, what: &str) {
        let rows = session.connection.affected_rows();
        if rows != 1 {
            self.notes.tally().wrong(|| format!("{what}: {rows} rows affected instead of 1"));
        }
    }

    async fn read_counter(&self, session: &mut Session) -> Result<(), Failure> {
        let sql = format!("SELECT n FROM counters WHERE id = {}", self.run.counter(self.number));
        let n: Option<u64> = self.notes.timed(session.connection.query_first(sql)).await?;
        let (least, doubtful) = {
            let book = self.notes.book();
            (book.increments, book.unknown_increments)
        };
        if n.is_none_or(|n| n < least || n > least + doubtful) {
            self.notes.tally().wrong(|| format!("read: counter is {n:?}, acknowledged were {least}"));
        }
        Ok(())
    }

    async fn prepared_read(&self, session: &mut Session) -> Result<(), Failure> {
        // Before the first insert there is nothing to find.
        let last = self.notes.book().last_event;
        let token = last.unwrap_or_else(|| self.run.token(self.number, 0));
        let asking = session.connection.exec_first(&session.read, (token,));
        let count: Option<u64> = self.notes.timed(asking).await?;
        if count != Some(u64::from(last.is_some())) {
            self.notes.tally().wrong(|| format!("prepared read: {count:?} rows of the last insert"));
        }
        Ok(())
    }

    async fn until_done(&mut self, session: &mut Session, kind: Kind) -> Result<(), Failure> {
        let token = self.next_token();
        let tokens = LongTokens { event: self.next_token(), transfer: token };
        for _ in 0..DEADLOCK_TRIES {
            let result = match kind {
                Kind::Long => self.long(session, tokens).await,
                _ => self.transfer(session, token).await,
            };
            let Err(failure) = result else { return Ok(()) };
            if failure.lost {
                return Err(failure);
            }
            // An error such as 1205 leaves the transaction open.
            self.notes.book().fail(failure.leaves_doubt());
            self.notes.timed(session.connection.query_drop("ROLLBACK")).await?;
            if !failure.is_deadlock() || self.options.deadlocks == DeadlockPolicy::Count {
                return Err(failure);
            }
            self.notes.tally().retried_deadlocks += 1;
        }
        Err(Failure { code: 1213, message: format!("deadlock {DEADLOCK_TRIES} times in a row"), lost: false })
    }

    /// Moves money from one account to another and writes it into the ledger. Accounts are locked in ascending order, so
    /// that the clients do not cause deadlocks themselves.
    async fn transfer(&mut self, session: &mut Session, token: u64) -> Result<(), Failure> {
        let accounts = u64::from(self.options.accounts.max(2));
        let source = 1 + self.next_random() % accounts;
        let target = 1 + (source + self.next_random() % (accounts - 1)) % accounts;
        let amount = 1 + self.next_random() % 100;
        let notes = Arc::clone(&self.notes);
        let connection = &mut session.connection;

        notes.timed(connection.query_drop("BEGIN")).await?;
        let sql = format!(
            "SELECT id, balance FROM accounts WHERE id IN ({source}, {target}) ORDER BY id FOR UPDATE"
        );
        let rows: Vec<(u64, i64)> = notes.timed(connection.query(sql)).await?;
        if rows.len() != 2 {
            notes.tally().wrong(|| format!("transfer: {} accounts instead of 2", rows.len()));
        }
        self.pause().await;
        for (account, change) in [(source, format!("-{amount}")), (target, format!("+{amount}"))] {
            let sql = format!("UPDATE accounts SET balance = balance {change} WHERE id = {account}");
            notes.timed(session.connection.query_drop(sql)).await?;
            self.expect_rows(session, "transfer");
        }
        self.pause().await;
        let sql = format!(
            "INSERT INTO ledger (token, source, target, amount) VALUES ({token}, {source}, {target}, {amount})"
        );
        notes.timed(session.connection.query_drop(sql)).await?;
        self.pause().await;
        notes.book().pending = vec![Write::Transfer(token)];
        notes.timed(session.connection.query_drop("COMMIT")).await?;
        notes.book().acknowledge();
        Ok(())
    }

    async fn pause(&mut self) {
        let range = self.options.transaction_hold.clone();
        let width = range.end.saturating_sub(range.start).as_micros();
        let random = self.next_random();
        if let Some(width) = u64::try_from(width).ok().filter(|&width| width > 0) {
            sleep(range.start + Duration::from_micros(random % width)).await;
        }
    }

    /// Ticks for paced clients, spread evenly over the interval. A late client does not catch up.
    fn pace(&self) -> Option<Interval> {
        let interval = self.options.interval()?;
        let share = f64::from(self.number) / f64::from(self.options.clients.max(1));
        let mut ticks = interval_at(Instant::now() + interval.mul_f64(share), interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(ticks)
    }

    pub(super) const fn next_token(&mut self) -> u64 {
        self.sequence += 1;
        self.run.token(self.number, self.sequence)
    }

    /// Marsaglia's xorshift: enough to vary what clients do.
    pub(super) const fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}
