//! Ids that several INSERTs of one text generated. A session has one `insert_id`, used by the next INSERT: so when the text
//! is sent again, the SET of each later one stands inside the text, in front of its INSERT.

use std::ops::Range;

use crate::sql::{Dialect, Effects, Kind, Tags, classify, details};

use super::journaling::LOOKS_BACK;

/// Of an INSERT that was not the first of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaterId {
    /// Its place among the statements of the text, from 0; each gives one result.
    piece: usize,
    /// Where it begins in the text.
    at: usize,
    /// The first id that it generated.
    id: u64,
}

/// Which INSERT generated which of `ids` (all that were reported, in order), but for the first. Nothing unless there is
/// exactly one for each INSERT.
pub(super) fn later_ids(text: &[u8], dialect: Dialect, ids: &[u64]) -> Vec<LaterId> {
    if ids.len() < 2 {
        return Vec::new();
    }
    let pieces = details::pieces(text, dialect);
    let mut inserts: Vec<(usize, usize)> = Vec::new();
    for (piece, range) in pieces.iter().enumerate() {
        let statement = classify(text.get(range.clone()).unwrap_or_default(), dialect);
        // A CALL gives more results than one.
        if statement.any(Effects::STORED_CODE | Effects::SQL_EXECUTE) {
            return Vec::new();
        }
        if matches!(statement.kind, Kind::Insert | Kind::Replace) {
            if statement.any(LOOKS_BACK) {
                return Vec::new();
            }
            inserts.push((piece, range.start));
        }
    }
    if inserts.len() != ids.len() {
        return Vec::new();
    }
    inserts.into_iter().zip(ids).skip(1).map(|((piece, at), &id)| LaterId { piece, at, id }).collect()
}

/// The places, among the results of a text with its SETs in it, of those that the SETs give.
pub(super) fn results_of_sets(ids: &[LaterId]) -> Vec<usize> {
    ids.iter().enumerate().map(|(before, id)| id.piece + before).collect()
}

/// The command with the SETs in its text, which stands at `text` in it, and where in it its tags belong now.
pub(super) fn with_sets(
    command: &[u8],
    text: &Range<usize>,
    tags: &Tags,
    ids: &[LaterId],
) -> (Vec<u8>, Vec<usize>) {
    let mut longer = Vec::with_capacity(command.len() + 32 * ids.len());
    let mut from = 0;
    let mut places: Vec<usize> = tags.offsets().map(|at| text.start + at).collect();
    for id in ids {
        let at = text.start + id.at;
        longer.extend_from_slice(command.get(from..at).unwrap_or_default());
        let set = format!("SET insert_id={};", id.id);
        longer.extend_from_slice(set.as_bytes());
        for (place, was) in places.iter_mut().zip(tags.offsets()) {
            if was >= id.at {
                *place += set.len();
            }
        }
        from = at;
    }
    longer.extend_from_slice(command.get(from..).unwrap_or_default());
    (longer, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] =
        b"INSERT INTO a VALUES (); SELECT 1; INSERT INTO b VALUES (); REPLACE INTO c VALUES (2)";

    #[test]
    fn each_insert_has_its_own() {
        let found = later_ids(TEXT, Dialect::default(), &[7, 9, 11]);
        let second = LaterId { piece: 2, at: 35, id: 9 };
        let third = LaterId { piece: 3, at: 60, id: 11 };
        assert_eq!(found, [second, third]);
        assert_eq!(results_of_sets(&found), [2, 4]);
    }

    #[test]
    fn nothing_is_guessed() {
        let none = |text: &[u8], ids: &[u64]| later_ids(text, Dialect::default(), ids).is_empty();
        assert!(none(TEXT, &[7]));
        assert!(none(TEXT, &[7, 9]));
        assert!(none(TEXT, &[7, 9, 11, 13]));
        assert!(none(b"INSERT INTO a VALUES (); CALL p(); INSERT INTO a VALUES ()", &[7, 9]));
        // A SET in front of it would change what it stores.
        assert!(none(b"INSERT INTO a VALUES (); INSERT INTO a (n) VALUES (ROW_COUNT())", &[7, 9]));
    }

    #[test]
    fn tags_stay_with_their_statements() {
        let tags = classify(TEXT, Dialect::default()).tags;
        let ids = later_ids(TEXT, Dialect::default(), &[7, 9, 11]);
        let command = [b"\x03", TEXT].concat();
        let (longer, places) = with_sets(&command, &(1..command.len()), &tags, &ids);
        let text = String::from_utf8(longer).expect("text");
        assert_eq!(
            text,
            "\u{3}INSERT INTO a VALUES (); SELECT 1; SET insert_id=9;INSERT INTO b VALUES (); \
             SET insert_id=11;REPLACE INTO c VALUES (2)"
        );
        let before: Vec<&[u8]> = tags.offsets().map(|at| &TEXT[at..]).collect();
        let after: Vec<&str> = places.iter().map(|at| &text[*at..]).collect();
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(after) {
            assert_eq!(before.first_chunk::<6>(), after.as_bytes().first_chunk::<6>());
        }
    }
}
