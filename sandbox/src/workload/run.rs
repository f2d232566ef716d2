use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

use mysql_async::Conn;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    Books, Snapshot, WorkloadOptions,
    client::{Client, Notes},
    schema::{self, Run},
    statement::Failure,
    tally::Total,
};
use crate::{SandboxError, servers::connection_options};

/// How long [`Workload::stop`] waits for clients that are in the middle of something.
const STOP_LIMIT: Duration = Duration::from_secs(45);

/// Clients at work. Dropping it ends them at once, without books.
#[derive(Debug)]
pub struct Workload {
    run: Run,
    begin: Instant,
    notes: Vec<Arc<Notes>>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What a workload came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the clients saw.
    pub snapshot: Snapshot,
    /// What they were told about their writes.
    pub books: Books,
}

impl Workload {
    /// Makes the tables through `options.address`, and starts the clients. They connect by themselves; a refused
    /// connection shows among the errors.
    pub async fn start(options: WorkloadOptions) -> Result<Self, SandboxError> {
        let random = RandomState::new();
        let run = Run::new(random.hash_one(0));
        let wanted = connection_options(
            options.address,
            &options.user,
            &options.password,
            Some(options.database.as_str()),
        );
        let mut connection =
            Conn::new(wanted).await.map_err(SandboxError::sql(options.address.port(), "connecting"))?;
        schema::prepare(&mut connection, run, &options).await?;
        let _ = connection.disconnect().await;

        let options = Arc::new(options);
        let (stop, stopped) = watch::channel(false);
        let mut clients = JoinSet::new();
        let mut notes = Vec::new();
        for number in 0..options.clients {
            let client = Client {
                number,
                run,
                options: Arc::clone(&options),
                notes: Arc::new(Notes::new()),
                // xorshift must not begin with zero.
                random: random.hash_one(u64::from(number) + 1) | 1,
                sequence: 0,
                stop: stopped.clone(),
            };
            notes.push(Arc::clone(&client.notes));
            clients.spawn(client.work());
        }
        Ok(Self { run, begin: Instant::now(), notes, clients, stop })
    }

    /// How it goes so far. Cheap enough for a screen that is drawn many times a second.
    pub fn snapshot(&self) -> Snapshot {
        let mut total = Total::new(self.begin.elapsed());
        for notes in &self.notes {
            total.add(&notes.tally());
        }
        total.finish()
    }

    /// Waits are counted from now on: not those of logging in, all at once.
    pub fn forget_waits(&self) {
        for notes in &self.notes {
            notes.tally().forget_waits();
        }
    }

    /// Lets every client finish what it is at, for up to 45 s, and closes the books. A client that got no answer until then
    /// counts as an error and a lost session, and its write as unknown.
    pub async fn stop(self) -> Report {
        self.stop_within(STOP_LIMIT).await
    }

    /// The same with a limit of one's own.
    pub async fn stop_within(mut self, limit: Duration) -> Report {
        self.stop.send_replace(true);
        let finished = async { while self.clients.join_next().await.is_some() {} };
        if timeout(limit, finished).await.is_err() {
            self.clients.shutdown().await;
        }
        for notes in &self.notes {
            let mut tally = notes.tally();
            if tally.waiting_since.is_some() {
                tally.answered();
                tally.lost_sessions += 1;
                tally.failed("stopping", &Failure::unfinished());
                notes.book().fail(true);
            }
        }
        let snapshot = self.snapshot();
        let clients = self.notes.iter().map(|notes| notes.book().clone()).collect();
        Report { snapshot, books: Books { run: self.run, clients } }
    }
}
