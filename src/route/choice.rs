use std::time::Duration;

use crate::topology::{Role, Server, ServerId, Topology};

/// One replica that may serve a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: ServerId,
    /// Its share, 1 to 1000; 100 is ordinary.
    pub weight: u32,
    /// Statements of ours that run there now.
    pub running: u32,
    /// How long a read takes there, microseconds, smoothed.
    pub latency: u32,
    /// It is in the proxy's own zone.
    pub near: bool,
}

impl Candidate {
    /// What another statement there would cost: the less the better.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let work = (u64::from(self.running) + 1) * (u64::from(self.latency) + 20);
        work * 1000 / u64::from(self.weight.max(1))
    }
}

/// The less loaded of two that are drawn, among those in the proxy's own zone if there are any.
#[must_use]
pub(super) fn choose(candidates: &[Candidate], draw: u32) -> Option<ServerId> {
    let near = candidates.iter().any(|c| c.near);
    let count = candidates.iter().filter(|c| c.near == near).count();
    let nth = |n: usize| candidates.iter().filter(|c| c.near == near).nth(n);
    let (one, other) = match count {
        0 => return None,
        1 => return nth(0).map(|c| c.id),
        _ => {
            let one = (draw >> 16) as usize % count;
            let step = 1 + (draw & 0xffff) as usize % (count - 1);
            (nth(one)?, nth((one + step) % count)?)
        }
    };
    Some(if other.cost() < one.cost() { other.id } else { one.id })
}

/// Whether a server can serve reads, by what the monitor saw: a replica that applies what the primary writes, and is not
/// further behind than `max_lag`. While there is no primary nothing is written that it could lack, so that reads go on.
#[must_use]
pub fn is_fit(server: &Server, topology: &Topology, max_lag: Duration) -> bool {
    let Some(replication) = server.replication.as_ref().filter(|_| server.role == Role::Replica) else {
        return false;
    };
    if topology.primary().is_none() {
        return replication.lag.is_none_or(|lag| lag <= max_lag);
    }
    server.problem.is_empty() && replication.applying && replication.lag.is_some_and(|lag| lag <= max_lag)
}

/// How much of its weight a server gets `since` it came back, percent: it begins with a tenth and has all after `slow`.
#[must_use]
pub(super) fn warmth(since: Duration, slow: Duration) -> u32 {
    if since >= slow {
        return 100;
    }
    let share = since.as_millis() * 90 / slow.as_millis().max(1);
    10 + u32::try_from(share).unwrap_or(90)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: usize, running: u32, latency: u32) -> Candidate {
        Candidate { id: ServerId(id), weight: 100, running, latency, near: false }
    }

    #[test]
    fn the_better_of_two() {
        let one = [candidate(4, 9, 900)];
        assert_eq!(choose(&one, 7), Some(ServerId(4)));
        assert_eq!(choose(&[], 7), None);
        let two = [candidate(0, 5, 100), candidate(1, 1, 100)];
        assert!((0..1000).all(|draw| choose(&two, draw * 0x9e37) == Some(ServerId(1))));
        // The worst of three is never chosen, whoever it is drawn with.
        let three = [candidate(0, 0, 100), candidate(1, 0, 90), candidate(2, 50, 100)];
        for draw in (0..10_000_u32).map(|n| n.wrapping_mul(0x9e37_79b9)) {
            assert_ne!(choose(&three, draw), Some(ServerId(2)));
        }
    }

    #[test]
    fn weights_and_zones() {
        let heavy = Candidate { weight: 300, ..candidate(0, 2, 100) };
        let light = candidate(1, 1, 100);
        assert_eq!(choose(&[heavy, light], 1), Some(ServerId(0)));
        let near = Candidate { near: true, ..candidate(2, 90, 900) };
        assert!((0..100).all(|draw| choose(&[heavy, light, near], draw << 13) == Some(ServerId(2))));
    }

    #[test]
    fn a_server_that_comes_back_is_warmed_up() {
        let slow = Duration::from_secs(10);
        assert_eq!(warmth(Duration::ZERO, slow), 10);
        assert_eq!(warmth(Duration::from_secs(5), slow), 55);
        assert_eq!(warmth(slow, slow), 100);
        assert_eq!(warmth(Duration::ZERO, Duration::ZERO), 100);
    }
}
