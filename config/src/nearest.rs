//! What somebody may have meant.

/// The word among `known` that is nearest to `word`, if it is near: about one slip in three letters.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |up: usize, left: usize| {
                let row = (i + 1).checked_sub(up).and_then(|index| rows.get(index));
                let column = (j + 1).checked_sub(left);
                row.zip(column).and_then(|(row, column)| row.get(column)).copied().unwrap_or(usize::MAX / 2)
            };
            let mut best = (at(1, 0) + 1).min(row.last().copied().unwrap_or(0) + 1);
            best = best.min(at(1, 1) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(2, 2) + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, wanted) in [
            ("", "abc", 3),
            ("timeout", "timeout", 0),
            ("timeuot", "timeout", 1),
            ("tmeout", "timeout", 1),
            ("a", "b", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), wanted, "{a} {b}");
        }
        assert_eq!(nearest("max_per_srever", ["max_lifetime", "max_per_server"]), Some("max_per_server"));
        assert_eq!(nearest("colour", ["max_lifetime", "mode"]), None);
    }
}
