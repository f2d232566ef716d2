//! Whether a primary is certainly gone. PURE.
//!
//! The rule: we have not been able to reach it for long enough, *and* every replica that we can reach has lost it too,
//! *and* those are enough servers. So a cut between the proxy and the primary alone promotes nobody, and neither does the
//! smaller side of a network that broke in two.

use std::time::Duration;

use crate::topology::{ServerId, Unanswered};

/// From `[failover]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// A primary that is silent (hung, cut off) is looked for this long (`failover.detect`).
    pub(super) detect: Duration,
    /// One that refuses connections, this long (`failover.confirm`).
    pub(super) confirm: Duration,
    /// One that lets us log in but does not answer, this long (`failover.stall`); zero for never.
    pub(super) stall: Duration,
    /// So many replicas must have lost it (`failover.witnesses`); 0 for as many as are needed for a majority of all
    /// servers, with two servers the one there is.
    pub(super) witnesses: usize,
}

/// What a replica has to say of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Testimony {
    /// We cannot reach the replica.
    Absent,
    /// Its receiver says that it is connected. That may be an old story: a receiver notices a hung source after
    /// `slave_net_timeout` (60 s by default).
    Connected,
    /// Its receiver is not connected, and tries to be.
    Lost,
    /// Its receiver is stopped, or it follows somebody else: it cannot know.
    Ignorant,
    /// It was made to connect anew: whether it got through.
    Asked(bool),
}

/// All that is known of a lost primary.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// How the last look failed; `None` if it was seen.
    pub(super) unanswered: Option<Unanswered>,
    /// Whether it counts as down.
    pub(super) down: bool,
    /// Time since it was last seen; for one that refuses, since its first refusal.
    pub(super) unseen: Duration,
    /// The other servers.
    pub(super) others: Vec<(ServerId, Testimony)>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is not lost, or somebody says that it lives: nothing is to be done.
    Lives(String),
    /// Not long enough yet, or not enough servers say so.
    Wait(String),
    /// These replicas are to be made to connect anew.
    Ask(Vec<ServerId>),
    /// It is certainly gone.
    Gone,
}

/// Replicas that must have lost the primary of a cluster of `servers`.
pub(super) fn witnesses_needed(rules: &Rules, servers: usize) -> usize {
    let others = servers.saturating_sub(1);
    match rules.witnesses {
        0 => (servers / 2 + 1).min(others).max(1),
        wanted => wanted,
    }
}

/// Judges.
pub(super) fn judge(rules: &Rules, evidence: &Evidence) -> Finding {
    let needed = match evidence.unanswered {
        None => return Finding::Lives("it answers".to_owned()),
        Some(Unanswered::Denied) => return Finding::Lives("it answers, but refuses our account".to_owned()),
        Some(_) if !evidence.down => return Finding::Wait("it was silent once".to_owned()),
        Some(Unanswered::Gone) => rules.confirm,
        Some(Unanswered::Silent) => rules.detect,
        Some(Unanswered::Stuck) if rules.stall.is_zero() => {
            return Finding::Lives("it hangs, and failover.stall is 0".to_owned());
        }
        Some(Unanswered::Stuck) => rules.stall.max(rules.detect),
    };
    if evidence.unseen < needed {
        let (unseen, needed) = (evidence.unseen.as_millis(), needed.as_millis());
        return Finding::Wait(format!("unreachable for {unseen} ms of {needed} ms"));
    }
    let wanted = witnesses_needed(rules, evidence.others.len() + 1);
    if evidence.unanswered == Some(Unanswered::Stuck) {
        // We reach it ourselves, and so may they: it is not gone, but it has not committed anything for all that time.
        let there = evidence.others.iter().filter(|(_, t)| *t != Testimony::Absent).count();
        return match there < wanted {
            true => Finding::Wait(format!("{there} replicas can be reached, {wanted} are needed")),
            false => Finding::Gone,
        };
    }
    if let Some((id, _)) = evidence.others.iter().find(|(_, t)| *t == Testimony::Asked(true)) {
        return Finding::Lives(format!("server {} reaches it", id.0));
    }
    let connected = evidence.others.iter().filter(|(_, t)| *t == Testimony::Connected).map(|(id, _)| *id);
    let mut ask: Vec<ServerId> = connected.collect();
    if !ask.is_empty() {
        // First one alone: if that one gets through, the others are not disturbed (a primary whose semi-synchronous
        // replicas are all gone for a moment may not wait for them).
        if !evidence.others.iter().any(|(_, t)| *t == Testimony::Asked(false)) {
            ask.truncate(1);
        }
        return Finding::Ask(ask);
    }
    let lost = |t: &Testimony| matches!(t, Testimony::Lost | Testimony::Asked(false));
    let witnesses = evidence.others.iter().filter(|(_, t)| lost(t)).count();
    if witnesses < wanted {
        return Finding::Wait(format!("{witnesses} replicas have lost it, {wanted} are needed"));
    }
    Finding::Gone
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        detect: Duration::from_secs(3),
        confirm: Duration::from_millis(500),
        stall: Duration::from_secs(20),
        witnesses: 0,
    };

    fn find(unanswered: Option<Unanswered>, unseen_ms: u64, others: &[Testimony]) -> Finding {
        let others = others.iter().enumerate().map(|(at, t)| (ServerId(at + 1), *t)).collect();
        let unseen = Duration::from_millis(unseen_ms);
        judge(&RULES, &Evidence { unanswered, down: true, unseen, others })
    }

    #[test]
    fn the_table() {
        use Testimony::{Absent, Asked, Connected, Ignorant, Lost};
        use Unanswered::{Denied, Gone, Silent};
        let lives = |f: Finding| matches!(f, Finding::Lives(_));
        let waits = |f: Finding| matches!(f, Finding::Wait(_));
        assert!(lives(find(None, 9000, &[Lost, Lost])));
        assert!(lives(find(Some(Denied), 9000, &[Lost, Lost])));
        // Dead, and all say so.
        assert!(waits(find(Some(Gone), 499, &[Lost, Lost])));
        assert_eq!(find(Some(Gone), 500, &[Lost, Lost]), Finding::Gone);
        // Hung: receivers notice late, so they are asked, one after the other.
        assert!(waits(find(Some(Silent), 2999, &[Connected, Connected])));
        assert_eq!(find(Some(Silent), 3000, &[Connected, Connected]), Finding::Ask(vec![ServerId(1)]));
        assert_eq!(find(Some(Silent), 3000, &[Asked(false), Connected]), Finding::Ask(vec![ServerId(2)]));
        let rest = Finding::Ask(vec![ServerId(2), ServerId(4)]);
        assert_eq!(find(Some(Silent), 3000, &[Asked(false), Connected, Lost, Connected]), rest);
        assert_eq!(find(Some(Silent), 3000, &[Asked(false), Asked(false)]), Finding::Gone);
        // A cut between us and the primary alone.
        assert!(lives(find(Some(Silent), 60_000, &[Asked(true), Connected])));
        assert!(lives(find(Some(Gone), 60_000, &[Lost, Asked(true)])));
        // The smaller side of a broken network, and those who cannot know.
        assert!(waits(find(Some(Gone), 60_000, &[Lost, Absent])));
        assert!(waits(find(Some(Gone), 60_000, &[Lost, Ignorant])));
        assert!(waits(find(Some(Gone), 60_000, &[Absent, Absent])));
        // Two servers: the one replica decides; none cannot.
        assert_eq!(find(Some(Gone), 500, &[Lost]), Finding::Gone);
        assert!(waits(find(Some(Gone), 500, &[Ignorant])));
        assert!(waits(find(Some(Gone), 500, &[])));
    }

    /// A full disk: everybody can log in, nobody can commit.
    #[test]
    fn a_primary_that_hangs_inside() {
        use Testimony::{Absent, Connected, Lost};
        let find = |ms, others: &[Testimony]| find(Some(Unanswered::Stuck), ms, others);
        assert!(matches!(find(19_999, &[Connected, Connected]), Finding::Wait(_)));
        assert_eq!(find(20_000, &[Connected, Connected]), Finding::Gone);
        assert!(matches!(find(60_000, &[Connected, Absent]), Finding::Wait(_)));
        assert_eq!(find(60_000, &[Connected, Lost]), Finding::Gone);
        let others = vec![(ServerId(1), Connected)];
        let (unanswered, unseen) = (Some(Unanswered::Stuck), Duration::from_secs(3600));
        let never = Rules { stall: Duration::ZERO, ..RULES };
        let evidence = Evidence { unanswered, down: true, unseen, others };
        assert!(matches!(judge(&never, &evidence), Finding::Lives(_)));
    }

    #[test]
    fn one_silent_look_is_nothing() {
        let others = vec![(ServerId(1), Testimony::Lost)];
        let unseen = Duration::from_secs(9);
        let evidence = Evidence { unanswered: Some(Unanswered::Silent), down: false, unseen, others };
        assert!(matches!(judge(&RULES, &evidence), Finding::Wait(_)));
    }

    #[test]
    fn a_majority_unless_told_otherwise() {
        let needed: Vec<usize> = (1..=7).map(|servers| witnesses_needed(&RULES, servers)).collect();
        assert_eq!(needed, [1, 1, 2, 3, 3, 4, 4]);
        assert_eq!(witnesses_needed(&Rules { witnesses: 1, ..RULES }, 5), 1);
    }
}
