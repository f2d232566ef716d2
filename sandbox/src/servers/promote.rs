use std::{sync::Arc, time::Duration};

use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep, timeout};

use super::{Cluster, Server, cluster::wait_replicating};
use crate::SandboxError;

/// What becomes of the old primary in a promotion by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldPrimary {
    /// It is closed for writes, waited for, and made a replica of the new one: a planned switchover.
    Demote,
    /// It is not asked anything, whether it crashed, is frozen or still answers: a failover.
    Dead,
}

/// How somebody else's runbook goes about a switchover.
#[derive(Clone, Debug)]
pub struct PromoteOptions {
    /// What becomes of the old primary.
    pub old: OldPrimary,
    /// End all application connections on the old primary right after it was told to be read-only.
    pub kill_connections: bool,
    /// How long setting `read_only` may wait for statements in flight, before the holders of open transactions are
    /// ended and it is tried again.
    pub fence_timeout: Duration,
    /// How long the new primary may take to apply what it lacks.
    pub catch_up_timeout: Duration,
    /// The others follow the new primary before it is opened for writes. With semi-synchronous replication it never
    /// commits alone then, and may die at once without loss.
    pub others_first: bool,
}

impl PromoteOptions {
    /// A planned switchover that ends nobody's connection unless it must.
    pub const fn planned() -> Self {
        Self {
            old: OldPrimary::Demote,
            kill_connections: false,
            fence_timeout: Duration::from_secs(2),
            catch_up_timeout: Duration::from_secs(30),
            others_first: false,
        }
    }

    /// A planned switchover that ends the application's connections.
    pub const fn planned_with_kill() -> Self {
        Self { kill_connections: true, ..Self::planned() }
    }

    /// A failover away from a dead primary.
    pub const fn failover() -> Self {
        Self { old: OldPrimary::Dead, ..Self::planned() }
    }
}

/// What a promotion by hand took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromoteReport {
    /// From the first command until the old primary refused writes; zero in a failover.
    pub fence: Duration,
    /// From then until the new primary had everything.
    pub catch_up: Duration,
    /// From the first command until the new primary took writes.
    pub writable_after: Duration,
    /// Connections ended on the old primary.
    pub killed: usize,
}

impl Cluster {
    /// Somebody else's switchover, as a runbook does it: close the old primary, wait for the new one, open that, and make
    /// the others follow it. `to` becomes the primary. Nothing is asked of the proxy, and nothing is told to it.
    pub async fn promote_by_hand(
        &self,
        to: &Server,
        options: PromoteOptions,
    ) -> Result<PromoteReport, SandboxError> {
        let index = self.servers().iter().position(|server| server.port == to.port);
        let index = index.ok_or_else(|| SandboxError::Unexpected("not a server of this cluster".into()))?;
        let old = Arc::clone(self.primary());
        if old.port == to.port {
            return Err(SandboxError::Unexpected("it is the primary already".into()));
        }
        let begin = Instant::now();
        let mut report = PromoteReport::default();
        let position = if options.old == OldPrimary::Demote {
            report.killed = fence(&old, &options).await?;
            report.fence = begin.elapsed();
            old.position().await?
        } else {
            self.gather(to, &old).await?
        };
        self.wait_applied(to, &position, options.catch_up_timeout).await?;
        report.catch_up = begin.elapsed().saturating_sub(report.fence);

        to.run(&["STOP REPLICA", "RESET REPLICA ALL"]).await?;
        self.set_primary(index);
        old.set_read_only_at_start(true);
        let left_alone = (options.old == OldPrimary::Dead).then_some(old.port);
        if options.others_first {
            self.follow_primary(left_alone).await?;
        }
        to.run(&self.flavor().read_only(false)).await?;
        report.writable_after = begin.elapsed();
        to.set_read_only_at_start(false);
        if !options.others_first {
            self.follow_primary(left_alone).await?;
        }
        Ok(report)
    }

    /// Makes all running servers follow the primary, but for one.
    async fn follow_primary(&self, left_alone: Option<u16>) -> Result<(), SandboxError> {
        for server in self.replicas() {
            if left_alone != Some(server.port) && server.is_running() {
                self.repoint(server, self.primary()).await?;
                wait_replicating(server).await?;
            }
        }
        Ok(())
    }

    /// The running replica that has received most from the primary: the one to promote after a crash.
    pub async fn most_advanced_replica(&self) -> Result<&Arc<Server>, SandboxError> {
        let mut best: Option<(u64, &Arc<Server>)> = None;
        for replica in self.replicas().into_iter().filter(|replica| replica.is_running()) {
            let received = received(replica).await?;
            let count = weight(&received).max(weight(&replica.position().await?));
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, replica));
            }
        }
        best.map(|(_, replica)| replica)
            .ok_or_else(|| SandboxError::Unexpected("no replica is running".to_owned()))
    }

    /// After the death of `old`: stops receiving everywhere, and gives the position that `to` must reach. If another
    /// replica has more, `to` follows that one until it has it too.
    async fn gather(&self, to: &Server, old: &Server) -> Result<String, SandboxError> {
        for replica in self.replicas().into_iter().filter(|replica| replica.is_running()) {
            replica.run(&[self.flavor().stop_receiving()]).await?;
        }
        let best = self.most_advanced_replica().await?;
        if best.port == to.port || best.port == old.port {
            return received(to).await;
        }
        let position = received(best).await?;
        self.wait_applied(best, &position, Duration::from_secs(30)).await?;
        let position = best.position().await?;
        self.repoint(to, best).await?;
        Ok(position)
    }
}

/// What a replica has received, applied or not.
async fn received(replica: &Server) -> Result<String, SandboxError> {
    Ok(replica.replica_status(replica.flavor.received_column()).await?.unwrap_or_default())
}

/// How many transactions a position stands for, enough to compare replicas of one primary: the sum of the last numbers
/// (`0-1-17` of MariaDB, `uuid:1-17` of MySQL; a set with gaps comes out too large, which no replica here has).
fn weight(position: &str) -> u64 {
    position
        .split([',', '\n'])
        .filter_map(|part| part.trim().rsplit(['-', ':']).next())
        .filter_map(|number| number.parse::<u64>().ok())
        .sum()
}

/// Makes the old primary refuse writes, and returns how many connections were ended for it.
///
/// Setting `read_only` waits for statements in flight, and new writes queue behind it. If a statement in flight waits for
/// a row that an open transaction holds, and that transaction's next write queues, nobody moves until
/// `innodb_lock_wait_timeout`. So the wait is bounded, and the holders are ended before the next try.
async fn fence(old: &Server, options: &PromoteOptions) -> Result<usize, SandboxError> {
    let mut killed = 0;
    for attempt in 0.. {
        let mut connection = old.connect().await?;
        let id = connection.id();
        let statements = old.flavor.read_only(true);
        let closing = async {
            for sql in &statements {
                connection.query_drop(sql).await.map_err(SandboxError::sql(old.port, sql))?;
            }
            Ok::<_, SandboxError>(())
        };
        let killing = async {
            if options.kill_connections && attempt == 0 {
                // A moment later, so that writes already meet the closed door.
                sleep(Duration::from_millis(5)).await;
                killed += kill_all(old, old.flavor.application_connections()).await?;
            }
            Ok::<_, SandboxError>(())
        };
        let closed = async { tokio::try_join!(closing, killing).map(|_| ()) };
        match timeout(options.fence_timeout, closed).await {
            Ok(result) => return result.map(|()| killed),
            Err(_) if attempt < 5 => {
                old.run(&[format!("KILL {id}")]).await?;
                killed += kill_all(old, old.flavor.open_transactions()).await?;
            }
            Err(_) => break,
        }
    }
    let what = format!("port {}: setting read_only", old.port);
    Err(SandboxError::Timeout { what, limit: options.fence_timeout * 6 })
}

/// Ends the connections that `select` names, and returns how many there were.
async fn kill_all(server: &Server, select: &str) -> Result<usize, SandboxError> {
    let mut connection = server.connect().await?;
    let own = u64::from(connection.id());
    let ids: Vec<u64> = connection.query(select).await.map_err(SandboxError::sql(server.port, select))?;
    let mut killed = 0;
    for id in ids.into_iter().filter(|&id| id != own) {
        // It may have gone by itself (1094).
        if connection.query_drop(format!("KILL {id}")).await.is_ok() {
            killed += 1;
        }
    }
    Ok(killed)
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn positions_of_both_kinds_are_compared_by_what_they_end_with() {
        assert_eq!(weight("0-1-17"), 17);
        assert_eq!(weight("0-1-17,1-2-3"), 20);
        assert_eq!(weight("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-17"), 17);
        assert_eq!(
            weight("3e11fa47-71ca-11e1-9e33-c80aa9429562:5,\n4e11fa47-71ca-11e1-9e33-c80aa9429562:1-2"),
            7
        );
        assert_eq!(weight(""), 0);
    }
}
