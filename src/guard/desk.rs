//! Answers all questions about one server's binary log, many in one pass: while a pass runs, questions are collected for
//! the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::backend::{Account, Connector, Control, Mark, Target};
use crate::topology::{BinlogPosition, ServerId};

use super::case::{Case, Settlement};
use super::evidence::Evidence;
use super::gone::{self, Lost};
use super::log_reader::{self, ReadError};
use super::{drained, marker, tag};

/// Between looks whether a lost connection is gone: short at first, longer for statements that go on.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(200));
/// For one small query.
const QUERY: Duration = Duration::from_secs(5);

/// The answer to a question.
#[derive(Debug)]
pub(super) enum Reply {
    /// This is how it is.
    Settled(Settlement),
    /// Not now, and why.
    Later(String),
}

/// One case, to be looked up in this server's log.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) case: Arc<Case>,
    /// It ran on this very server: its connection must be gone first. Statements still running are ended from then on.
    pub(super) patience: Option<Instant>,
    /// When it was asked first.
    pub(super) asked: Instant,
    /// Nobody waits for the answer any longer than until then.
    pub(super) deadline: Instant,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) connector: Connector,
    pub(super) target: Target,
    pub(super) account: Arc<Account>,
}

impl Link {
    pub(super) async fn control(&self, deadline: Instant) -> Result<Control, String> {
        let within = deadline.saturating_duration_since(Instant::now()).min(QUERY);
        Control::connect(&self.connector, &self.target, &self.account, within)
            .await
            .map_err(|e| e.to_string())
    }
}

type Asked = (Question, oneshot::Sender<Reply>);

/// The desk of one server.
#[derive(Debug)]
pub(super) struct Desk {
    id: ServerId,
    pub(super) link: Link,
    waiting: Mutex<Vec<Asked>>,
    more: Notify,
    running: AtomicBool,
}

impl Desk {
    pub(super) fn new(id: ServerId, link: Link) -> Arc<Self> {
        Arc::new(Self {
            id,
            link,
            waiting: Mutex::default(),
            more: Notify::new(),
            running: AtomicBool::new(false),
        })
    }

    /// Asks. The work is done in a task of its own, whoever waits for it.
    pub(super) fn ask(self: &Arc<Self>, question: Question) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().push((question, sender));
        self.more.notify_one();
        if !self.running.swap(true, Ordering::AcqRel) {
            tokio::spawn(Running(Some(self.clone())).serve());
        }
        receiver
    }

    /// One pass. Gives back those questions whose connections are not gone yet.
    async fn pass(&self, batch: Vec<Asked>) -> Vec<Asked> {
        let Some(deadline) = batch.iter().map(|(question, _)| question.deadline).max() else {
            return Vec::new();
        };
        let mut ready = Vec::new();
        let mut left = Vec::new();
        let worked = timeout_at(deadline, self.work(batch, &mut ready, &mut left, deadline)).await;
        let why = match worked {
            Ok(Ok(())) => String::new(),
            Ok(Err(why)) => why,
            Err(_) => "the binary log could not be read in time".to_owned(),
        };
        for (_, sender) in ready {
            let _ = sender.send(Reply::Later(why.clone()));
        }
        left
    }

    /// Waits a moment, or for the next question, and queues what must wait for its connection to be gone.
    async fn put_back(&self, left: Vec<Asked>) {
        let now = Instant::now();
        let Some(youngest) = left.iter().map(|(question, _)| now - question.asked).min() else { return };
        let pause = (youngest / 8).clamp(LOOK_AGAIN.0, LOOK_AGAIN.1);
        let _ = tokio::time::timeout(pause, self.more.notified()).await;
        let now = Instant::now();
        let wanted =
            left.into_iter().filter(|(question, sender)| question.deadline > now && !sender.is_closed());
        self.waiting.lock().extend(wanted);
    }

    /// Whatever is left in `ready` when this ends was not answered.
    async fn work(
        &self,
        batch: Vec<Asked>,
        ready: &mut Vec<Asked>,
        left: &mut Vec<Asked>,
        deadline: Instant,
    ) -> Result<(), String> {
        *ready = batch;
        let mut control = self.link.control(deadline).await?;
        self.sort_out(&mut control, ready, left).await?;
        read_marks(&mut control, ready).await?;
        if ready.is_empty() {
            return Ok(());
        }
        let end = log_reader::end(&mut control, QUERY).await.map_err(|e| e.to_string())?;
        let Some(to) = end.position else {
            answer_all(ready, "the server keeps no binary log");
            return Ok(());
        };
        let mut looked_up = self.read(control, ready, &to, deadline).await?;
        for (question, sender) in ready.drain(..) {
            let mut settlement = looked_up.remove(0);
            if end.filtered && settlement == Settlement::NotCommitted {
                settlement = Settlement::CannotTell("the binary log is filtered".to_owned());
            }
            tracing::debug!(server = self.id.0, thread = question.case.thread, ?settlement, "looked up");
            let _ = sender.send(Reply::Settled(settlement));
        }
        Ok(())
    }

    /// Keeps in `ready` what can be looked up now, puts into `left` what must wait for its connection to be gone, and
    /// answers the rest.
    async fn sort_out(
        &self,
        control: &mut Control,
        ready: &mut Vec<Asked>,
        left: &mut Vec<Asked>,
    ) -> Result<(), String> {
        if ready.iter().any(|(question, _)| question.patience.is_some()) {
            let present = gone::look(control, QUERY).await.map_err(|e| e.to_string())?;
            let mut at = 0;
            while let Some((Question { case, patience, .. }, _)) = ready.get(at) {
                let lost =
                    patience.map(|patience| Lost { thread: case.thread, opened: case.opened, patience });
                let Some(lost) = lost.filter(|lost| !present.lacks(lost)) else {
                    at += 1;
                    continue;
                };
                present.end(control, &lost, QUERY).await.map_err(|e| e.to_string())?;
                left.push(ready.swap_remove(at));
            }
        }
        if ready.iter().any(|(question, _)| question.patience.is_none())
            && let Some(why) = drained::obstacle(control, QUERY).await.map_err(|e| e.to_string())?
        {
            let (remote, local) = std::mem::take(ready).into_iter().partition(|(q, _)| q.patience.is_none());
            *ready = local;
            let remote: Vec<Asked> = remote;
            for (_, sender) in remote {
                let _ = sender.send(Reply::Later(why.clone()));
            }
        }
        Ok(())
    }

    /// Looks all questions up in one reading, from the oldest bookmark on.
    async fn read(
        &self,
        control: Control,
        questions: &[Asked],
        to: &BinlogPosition,
        deadline: Instant,
    ) -> Result<Vec<Settlement>, String> {
        let mut search = Search::default();
        for (question, _) in questions {
            search.add(&question.case, self.id);
        }
        let Some(from) = search.from.clone() else { return Ok(search.settle("")) };
        match log_reader::read(control, (&from, to), deadline, |transaction| search.take_in(transaction))
            .await
        {
            Ok(()) => Ok(search.settle("")),
            Err(error) if error.is_passing() => Err(error.to_string()),
            // What was found is found; nothing follows from what was not.
            Err(
                error
                @ (ReadError::Refused(_) | ReadError::Log(_) | ReadError::TooFar | ReadError::Reset | _),
            ) => Ok(search.settle(&error.to_string())),
        }
    }
}

/// Answers the questions that a row of the marker table answers.
async fn read_marks(control: &mut Control, ready: &mut Vec<Asked>) -> Result<(), String> {
    let marks: Vec<Mark> = ready.iter().filter_map(|(question, _)| question.case.mark.clone()).collect();
    if marks.is_empty() {
        return Ok(());
    }
    let rows = match marker::read(control, &marks, QUERY).await {
        Err(error) if error.is_fatal() => return Err(error.to_string()),
        other => other.map_err(|e| e.to_string()),
    };
    for (question, sender) in ready.extract_if(.., |(question, _)| question.case.mark.is_some()) {
        let settlement = match (&rows, &question.case.mark) {
            (Ok(rows), Some(mark)) => marker::settle(rows, mark),
            (Err(why), _) => Settlement::CannotTell(why.clone()),
            (Ok(_), None) => continue,
        };
        let _ = sender.send(Reply::Settled(settlement));
    }
    Ok(())
}

fn answer_all(asked: &mut Vec<Asked>, why: &str) {
    for (_, sender) in asked.drain(..) {
        let _ = sender.send(Reply::Settled(Settlement::CannotTell(why.to_owned())));
    }
}

/// What is searched for in one reading.
#[derive(Default)]
struct Search {
    from: Option<BinlogPosition>,
    entries: Vec<Entry>,
    by_connection: HashMap<Vec<u8>, Vec<usize>>,
}

struct Entry {
    case: Arc<Case>,
    connection: Vec<u8>,
    evidence: Evidence,
    has_bookmark: bool,
}

impl Search {
    fn add(&mut self, case: &Arc<Case>, server: ServerId) {
        let bookmark = case.bookmark.server(server).and_then(|s| s.binlog.clone());
        let origin = case.bookmark.server(case.server).map_or(0, |s| s.number);
        let connection = tag::connection(&case.tag).unwrap_or_default().to_vec();
        self.by_connection.entry(connection.clone()).or_default().push(self.entries.len());
        let evidence = Evidence::new(origin, case.server == server);
        self.entries.push(Entry {
            case: case.clone(),
            connection,
            evidence,
            has_bookmark: bookmark.is_some(),
        });
        let older = |mark: &BinlogPosition, than: &Option<BinlogPosition>| {
            than.as_ref().is_none_or(|than| log_reader::order(mark) < log_reader::order(than))
        };
        if let Some(bookmark) = bookmark.filter(|mark| older(mark, &self.from)) {
            self.from = Some(bookmark);
        }
    }

    fn take_in(&mut self, transaction: &tideover_protocol::binlog::LoggedTransaction) {
        if !transaction.has_all_texts() {
            for entry in &mut self.entries {
                entry.evidence.take_in(&entry.case, &entry.connection, transaction);
            }
            return;
        }
        let mut seen: Option<&[u8]> = None;
        for statement in &transaction.statements {
            let Some(tag) = tag::of_statement(&statement.text) else { continue };
            // A transaction is of one connection.
            if seen.replace(tag.connection) == Some(tag.connection) {
                continue;
            }
            for at in self.by_connection.get(tag.connection).into_iter().flatten() {
                if let Some(entry) = self.entries.get_mut(*at) {
                    entry.evidence.take_in(&entry.case, &entry.connection, transaction);
                }
            }
        }
    }

    /// `problem` says why the reading did not reach the end; empty if it did.
    fn settle(&self, problem: &str) -> Vec<Settlement> {
        let settle = |entry: &Entry| match entry.evidence.settle(&entry.case) {
            Settlement::NotCommitted if !entry.has_bookmark => {
                Settlement::CannotTell("no position of the server's binary log was known".to_owned())
            }
            Settlement::NotCommitted if !problem.is_empty() => Settlement::CannotTell(problem.to_owned()),
            settlement => settlement,
        };
        self.entries.iter().map(settle).collect()
    }
}

/// A desk at work. Should it be cancelled, the next question starts it anew.
struct Running(Option<Arc<Desk>>);

impl Running {
    async fn serve(mut self) {
        while let Some(desk) = self.0.clone() {
            let batch = std::mem::take(&mut *desk.waiting.lock());
            if !batch.is_empty() {
                let left = desk.pass(batch).await;
                desk.put_back(left).await;
                continue;
            }
            desk.running.store(false, Ordering::Release);
            // Somebody may have asked between the look and the store, and not have started us.
            if desk.waiting.lock().is_empty() || desk.running.swap(true, Ordering::AcqRel) {
                self.0 = None;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(desk) = &self.0 {
            desk.running.store(false, Ordering::Release);
        }
    }
}
