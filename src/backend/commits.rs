//! What tells the commits of one server connection from all others in a binary log, and from each other.

use std::io::Write;
use std::sync::Arc;

use tideover_protocol::packet::SessionTrack;

use super::marks::{Mark, Marks, Slot};

/// The tags of a server connection, and the last commit that it acknowledged.
///
/// A text command goes out with `/*td:INSTANCE.CONNECTION.NUMBER*/`, a number of its own; of a text with several statements each
/// has one, in their order, since each may be committed by itself. A prepared statement runs many
/// times with the text that it was prepared with, so it has `/*td:INSTANCE.CONNECTION*/` alone, and its executions are told
/// apart by the GTIDs that the server reported.
#[derive(Debug)]
pub struct Commits {
    tag: Arc<[u8]>,
    numbered: Vec<u8>,
    further: Vec<Vec<u8>>,
    number: u64,
    last: Vec<u8>,
    unclear: bool,
    untracked: bool,
    marks: Arc<Marks>,
    slot: Option<Slot>,
}

impl Commits {
    /// For a connection with this tag, a whole comment; empty for no tags at all.
    pub(super) fn new(tag: Arc<[u8]>, marks: Arc<Marks>) -> Self {
        Self {
            tag,
            numbered: Vec::new(),
            further: Vec::new(),
            number: 0,
            last: Vec::new(),
            unclear: false,
            untracked: false,
            marks,
            slot: None,
        }
    }

    /// The mark for the unit that is about to end.
    pub fn mark(&mut self) -> Mark {
        self.slot.get_or_insert_with(|| self.marks.slot()).mark()
    }

    /// The last mark is in doubt: its slot is nobody else's from here on.
    pub fn retire_mark(&mut self) {
        if let Some(slot) = &mut self.slot {
            slot.retire();
        }
    }

    /// The comment for prepared statements; empty if there are to be no tags.
    #[must_use]
    pub fn tag(&self) -> &Arc<[u8]> {
        &self.tag
    }

    /// Numbers the next text command, of which `statements` have a tag.
    pub fn begin_command(&mut self, statements: usize) {
        self.number += 1;
        self.numbered.clear();
        self.further.clear();
        write_tag(&self.tag, self.number, &mut self.numbered);
        for _ in 1..statements {
            self.number += 1;
            let mut tag = Vec::with_capacity(self.numbered.len() + 1);
            write_tag(&self.tag, self.number, &mut tag);
            self.further.push(tag);
        }
    }

    /// The comment for the text command that was numbered last, or for its first statement.
    #[must_use]
    pub fn numbered_tag(&self) -> &[u8] {
        &self.numbered
    }

    /// The comments for its other statements.
    #[must_use]
    pub fn further_tags(&self) -> &[Vec<u8>] {
        &self.further
    }

    /// The number of the last text command, or of its last statement; 0 before the first.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// GTID of the last commit that was acknowledged, as the server reported it; empty before the first.
    #[must_use]
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    /// Whether there may be later acknowledged commits than [`last`](Self::last), of which no GTID was reported.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        self.unclear || self.untracked
    }

    /// Takes the GTID of an acknowledged commit from an answer; says whether one is there.
    pub fn note(&mut self, items: &[SessionTrack]) -> bool {
        let mut noted = false;
        for item in items {
            let gtid = match item {
                SessionTrack::SystemVariable { name, value } if name == b"last_gtid" => value,
                SessionTrack::Gtids(gtids) => gtids,
                _ => continue,
            };
            self.last.clone_from(gtid);
            self.unclear = false;
            noted = true;
        }
        noted
    }

    /// Something may have been committed and acknowledged without a report.
    pub fn blur(&mut self) {
        self.unclear = true;
    }

    /// The client has changed what is reported: nothing is clear on this connection any more.
    pub fn lose_track(&mut self) {
        self.untracked = true;
    }
}

fn write_tag(tag: &[u8], number: u64, to: &mut Vec<u8>) {
    if let Some(open) = tag.strip_suffix(b"*/") {
        to.extend_from_slice(open);
        // Writing to a Vec cannot fail.
        let _ = write!(to, ".{number:x}*/");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_command_has_its_own_comment() {
        let mut commits = Commits::new(b"/*td:ab.1f*/".as_slice().into(), Marks::new(String::new()));
        commits.begin_command(1);
        assert_eq!(commits.numbered_tag(), b"/*td:ab.1f.1*/");
        for _ in 0..16 {
            commits.begin_command(1);
        }
        assert_eq!(commits.numbered_tag(), b"/*td:ab.1f.11*/");
        commits.begin_command(3);
        assert_eq!(commits.numbered_tag(), b"/*td:ab.1f.12*/");
        assert_eq!(commits.further_tags(), [b"/*td:ab.1f.13*/", b"/*td:ab.1f.14*/"]);
        commits.begin_command(1);
        assert_eq!((commits.number(), commits.further_tags().len()), (0x15, 0));
        let mut silent = Commits::new(b"".as_slice().into(), Marks::new(String::new()));
        silent.begin_command(1);
        assert_eq!(silent.numbered_tag(), b"");
    }

    #[test]
    fn a_report_makes_clear_again_what_was_not() {
        let mut commits = Commits::new(b"/*td:ab.1f*/".as_slice().into(), Marks::new(String::new()));
        commits.blur();
        assert!(commits.is_unclear());
        commits
            .note(&[SessionTrack::SystemVariable { name: b"last_gtid".to_vec(), value: b"0-1-7".to_vec() }]);
        assert!(!commits.is_unclear());
        assert_eq!(commits.last(), b"0-1-7");
        commits.lose_track();
        commits.note(&[SessionTrack::Gtids(b"x:1".to_vec())]);
        assert!(commits.is_unclear());
    }
}
