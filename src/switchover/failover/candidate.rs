//! Which replica takes the place of a lost primary. PURE.

use crate::topology::{GtidSet, ServerId};

/// One reachable replica whose receiver has been stopped, so that what it has stays what it is.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Which.
    pub(super) id: ServerId,
    /// `host:port`, for words.
    pub(super) address: String,
    /// Its `server_id`: among equals the smallest is taken, whoever asks.
    pub(super) number: u32,
    /// Why it cannot be the primary; `None` if it can.
    pub(super) unfit: Option<String>,
    /// What it has executed, as a position.
    pub(super) executed: GtidSet,
    /// What it has executed or received, as a position.
    pub(super) has: GtidSet,
}

/// The most advanced of those that can be the primary; among equals the one with least left to apply.
///
/// # Errors
/// A sentence: nobody can, or whoever is taken, transactions of another one would be lost.
pub(super) fn choose(candidates: &[Candidate]) -> Result<&Candidate, String> {
    let fit = candidates.iter().filter(|c| c.unfit.is_none());
    let best = fit.min_by_key(|c| {
        let missing: u64 = candidates.iter().map(|other| other.has.minus(&c.has).count()).sum();
        (missing, c.has.minus(&c.executed).count(), c.number)
    });
    let Some(best) = best else {
        let whys: Vec<String> = candidates
            .iter()
            .map(|c| format!("{}: {}", c.address, c.unfit.as_deref().unwrap_or_default()))
            .collect();
        return Err(format!("no replica can be the primary ({})", whys.join("; ")));
    };
    for other in candidates {
        let more = other.has.minus(&best.has);
        if !more.is_empty() {
            let unfit = other.unfit.as_deref().map(|why| format!(" (it cannot be the primary: {why})"));
            return Err(format!(
                "{} has {} transactions that {} lacks ({more}){}",
                other.address,
                more.count(),
                best.address,
                unfit.unwrap_or_default()
            ));
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: usize, executed: &str, has: &str, unfit: Option<&str>) -> Candidate {
        Candidate {
            id: ServerId(id),
            address: format!("s{id}:1"),
            number: u32::try_from(id).expect("small"),
            unfit: unfit.map(str::to_owned),
            executed: GtidSet::parse_position(executed),
            has: GtidSet::parse_position(has),
        }
    }

    fn chosen(candidates: &[Candidate]) -> Result<usize, String> {
        choose(candidates).map(|c| c.id.0)
    }

    #[test]
    fn the_most_advanced() {
        let a = || candidate(1, "0-1-10", "0-1-12", None);
        let b = || candidate(2, "0-1-9", "0-1-15", None);
        assert_eq!(chosen(&[a(), b()]), Ok(2));
        assert_eq!(chosen(&[b(), a()]), Ok(2));
        // Equals: who has applied more, then the smaller number.
        assert_eq!(chosen(&[a(), candidate(3, "0-1-12", "0-1-12", None)]), Ok(3));
        assert_eq!(chosen(&[candidate(4, "0-1-10", "0-1-12", None), a()]), Ok(1));
        // Who wrote what does not count in MariaDB's numbering.
        assert_eq!(chosen(&[a(), candidate(5, "0-2-13", "0-2-13", None)]), Ok(5));
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let set = |range: &str| format!("{uuid}:{range}");
        assert_eq!(
            chosen(&[
                candidate(1, &set("1-5"), &set("1-9"), None),
                candidate(2, &set("1-8"), &set("1-8"), None)
            ]),
            Ok(1)
        );
    }

    #[test]
    fn nothing_is_lost_by_choosing() {
        let broken = candidate(1, "0-1-10", "0-1-20", Some("its applier stopped"));
        let other = candidate(2, "0-1-15", "0-1-15", None);
        let refused = chosen(&[broken.clone(), other]).expect_err("a loss");
        assert!(refused.contains("5 transactions that s2:1 lacks"), "{refused}");
        assert!(chosen(std::slice::from_ref(&broken)).expect_err("nobody").contains("its applier stopped"));
        // One that is broken and behind does not matter.
        assert_eq!(chosen(&[broken, candidate(2, "0-1-25", "0-1-25", None)]), Ok(2));
        // Diverged: each has what the other lacks.
        let (one, two) = (
            candidate(1, "0-1-10,1-1-5", "0-1-10,1-1-5", None),
            candidate(2, "0-1-12,1-1-3", "0-1-12,1-1-3", None),
        );
        assert!(chosen(&[one, two]).is_err());
        assert!(chosen(&[]).is_err());
    }
}
