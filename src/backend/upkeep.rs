//! What is done for the pools while nobody asks them for anything: connections opened ahead of need, and closed that are
//! too old.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::topology::ServerId;

use super::account::Account;
use super::connector::ConnectFailure;
use super::pool::{AccountPool, AcquireError, Key, Pools, Use};

/// Connections that are opened at once ahead of need: a switchover waits for them, and most of a login is waiting.
const AT_ONCE: usize = 4;
/// What a server says of an account that cannot log in any more: ER_ACCESS_DENIED_ERROR,
/// ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_ACCOUNT_HAS_BEEN_LOCKED (MySQL, MariaDB), ER_MUST_CHANGE_PASSWORD_LOGIN. Others
/// ("Too many connections") say nothing of the account.
const ACCOUNT_REFUSED: [u16; 5] = [1045, 1698, 3118, 4151, 1862];

impl Pools {
    /// Opens on `to`, ahead of need, as many connections for each account as `from` has open for it.
    pub async fn warm(self: &Arc<Self>, from: ServerId, to: ServerId, at_most: usize) -> usize {
        let wanted: Vec<(Arc<AccountPool>, usize)> = {
            let pools = self.pools.lock();
            let of_from = pools.iter().filter(|(key, _)| key.server == from && key.use_ == Use::Anything);
            of_from
                .map(|(key, pool)| (*key, pool.account.clone(), pool.in_use_or_idle().max(1)))
                .collect::<Vec<_>>()
        }
        .into_iter()
        .map(|(key, account, count)| (self.of(key.shard, to, &account, key.dialect), count))
        .collect();
        let mut made = 0;
        for (pool, count) in wanted {
            loop {
                let missing = count.saturating_sub(pool.idle.lock().len()).min(at_most - made);
                if missing == 0 {
                    break;
                }
                let opening = (0..missing.min(AT_ONCE)).map(|_| self.open_idle(&pool));
                let opened = join_all(opening).await;
                made += opened.iter().filter(|one| matches!(one, Some(Ok(())))).count();
                if opened.iter().any(Option::is_none) {
                    return made;
                }
                if opened.iter().any(|one| matches!(one, Some(Err(_)))) {
                    break;
                }
            }
        }
        made
    }

    /// Opens on each of `servers` as many idle connections as each account is to have (`pool.min_idle`), as far as there is
    /// room. An account is one that `primary` has a pool for. Called now and then.
    pub async fn keep_idle(self: &Arc<Self>, primary: ServerId, servers: &[ServerId]) {
        let min = self.limits().min_idle;
        if min == 0 {
            return;
        }
        let accounts = self.accounts_on(primary);
        for &server in servers {
            for keys in &accounts {
                let pools: Vec<_> = keys
                    .iter()
                    .map(|(key, account)| self.of(key.shard, server, account, key.dialect))
                    .collect();
                self.fill(&pools, min).await;
            }
        }
    }

    /// The pools of each account on a server: one for each shard and dialect that its clients have come with.
    fn accounts_on(&self, server: ServerId) -> Vec<Vec<(Key, Arc<Account>)>> {
        let mut accounts: HashMap<u64, Vec<(Key, Arc<Account>)>> = HashMap::new();
        for (key, pool) in self.pools.lock().iter() {
            if key.server == server && key.use_ == Use::Anything {
                accounts.entry(key.account).or_default().push((*key, pool.account.clone()));
            }
        }
        accounts.into_values().collect()
    }

    /// Opens connections in those of an account's pools that have fewest, until they have `min` idle ones between them.
    async fn fill(&self, pools: &[Arc<AccountPool>], min: usize) {
        let idle = |pool: &Arc<AccountPool>| pool.idle.lock().len();
        while pools.iter().map(idle).sum::<usize>() < min {
            let Some(poorest) = pools.iter().min_by_key(|pool| idle(pool)) else { return };
            match self.open_idle(poorest).await {
                Some(Ok(())) => {}
                // Nobody can log in with it any more: what is left of it is let go.
                Some(Err(AcquireError::Connect(ConnectFailure::Refused { error, .. })))
                    if ACCOUNT_REFUSED.contains(&error.code) =>
                {
                    pools.iter().for_each(|pool| pool.let_go_idle());
                    return;
                }
                _ => return,
            }
        }
    }

    /// Opens a connection that nobody has asked for. `None`: there is no room.
    async fn open_idle(&self, pool: &Arc<AccountPool>) -> Option<Result<(), AcquireError>> {
        let _permit = pool.slots.permits.clone().try_acquire_owned().ok()?;
        let limits = self.limits();
        if pool.slots.open.load(Ordering::Acquire) >= limits.per_server {
            return None;
        }
        let opened = match pool.slots.turn_to_log_in(limits.connect).await {
            Ok(_turn) => pool.connect(Instant::now() + limits.connect).await,
            Err(failure) => Err(failure.into()),
        };
        Some(opened.map(|connection| pool.give_back(connection)))
    }

    /// Forgets the pools of the same user with other passwords: those are out of date.
    pub fn forget(&self, account: &Account) {
        let outdated: Vec<_> = {
            let mut pools = self.pools.lock();
            let is_outdated = |pool: &Arc<AccountPool>| account.supersedes(&pool.account);
            let keys: Vec<Key> = pools.iter().filter(|(_, p)| is_outdated(p)).map(|(k, _)| *k).collect();
            keys.iter().filter_map(|key| pools.remove(key)).collect()
        };
        outdated.iter().for_each(|pool| pool.let_go_idle());
    }

    /// Closes idle connections that are too old or were idle for too long, but keeps as many of each account as
    /// `pool.min_idle` says. Called now and then.
    pub fn reap(&self) {
        let (now, limits) = (Instant::now(), self.limits());
        self.slots.iter().for_each(|slots| slots.pay());
        let pools: Vec<_> = self.pools.lock().iter().map(|(key, pool)| (*key, pool.clone())).collect();
        // How many may still be closed for being idle, for each account on each server.
        let mut spare: HashMap<(ServerId, u64), usize> = HashMap::new();
        for (key, pool) in pools.iter().filter(|(key, _)| key.use_ == Use::Anything) {
            *spare.entry((key.server, key.account)).or_default() += pool.idle.lock().len();
        }
        spare.values_mut().for_each(|count| *count = count.saturating_sub(limits.min_idle));
        for (key, pool) in pools {
            let mut unlimited = usize::MAX;
            let spare = match key.use_ {
                Use::Anything => spare.get_mut(&(key.server, key.account)).unwrap_or(&mut unlimited),
                Use::Reading => &mut unlimited,
            };
            let mut idle = pool.idle.lock();
            let before = idle.len();
            idle.retain(|c| {
                if now - c.opened >= limits.lifetime || c.io.stream().has_input() {
                    return false;
                }
                let stays = now - c.idle_since < limits.idle || *spare == 0;
                *spare = spare.saturating_sub(usize::from(!stays));
                stays
            });
            pool.slots.open.fetch_sub(before - idle.len(), Ordering::AcqRel);
        }
        self.forget_unused();
    }

    /// A pool that nobody holds and that holds nothing is forgotten, accounts with old passwords too.
    fn forget_unused(&self) {
        self.pools.lock().retain(|_, p| Arc::strong_count(p) > 1 || !p.idle.lock().is_empty());
    }
}
