//! One command on its way to a server: what it is, where its text stands, and its bytes with commit tags in them.

use std::ops::Range;
use std::sync::Arc;

use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::response::ResponseShape;

use crate::session::Prepared;
use crate::sql::{self, Statement, Tags};

/// One command to be run.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// What command.
    pub(super) kind: CommandKind,
    /// What statement runs, where there is one.
    pub(super) statement: Statement,
    /// Where its text is.
    pub(super) text: Text,
    /// How the text was read.
    pub(super) dialect: sql::Dialect,
    /// Where commit tags go in the command's text.
    pub(super) tags: Tags,
    /// What the server sends back.
    pub(super) shape: ResponseShape,
    /// The client's id of the prepared statement that is made or used.
    pub(super) prepared: Option<u32>,
}

/// Where a statement's text is.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// There is none.
    None,
    /// In the command.
    Command(Range<usize>),
    /// In the prepared statement.
    Prepared(Arc<Prepared>),
}

impl Text {
    pub(super) fn of<'a>(&'a self, command: &'a [u8]) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::Command(range) => command.get(range.clone()).unwrap_or_default(),
            Self::Prepared(prepared) => prepared.key.text(),
        }
    }
}

/// The command with commit tags put in front of its writes: `tag`, or where there are `further` ones, to each its own.
pub(super) fn tagged<'a>(
    command: &'a [u8],
    tags: &Tags,
    (tag, further): (&'a [u8], &'a [Vec<u8>]),
    kind: CommandKind,
    capabilities: Capabilities,
) -> Vec<&'a [u8]> {
    let text_at = match kind {
        CommandKind::Query => {
            tideover_protocol::command::query_text(command, capabilities).map(|r| r.start).ok()
        }
        CommandKind::StmtPrepare => Some(1),
        _ => None,
    };
    let Some(text_at) = text_at else { return vec![command] };
    with_tags(command, tags.offsets().map(|offset| text_at + offset), (tag, further))
}

/// The command with the tag at each of `places`, ascending, or from the second on the `further` ones.
pub(super) fn with_tags<'a>(
    command: &'a [u8],
    places: impl Iterator<Item = usize>,
    (tag, further): (&'a [u8], &'a [Vec<u8>]),
) -> Vec<&'a [u8]> {
    let mut parts = Vec::with_capacity(3);
    let mut from = 0;
    for (place, at) in places.enumerate() {
        let own = place.checked_sub(1).and_then(|place| further.get(place));
        parts.push(command.get(from..at).unwrap_or_default());
        parts.push(own.map_or(tag, Vec::as_slice));
        from = at;
    }
    parts.push(command.get(from..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_tag_if_there_are_several() {
        let tagged = |places: &[usize], further: &[Vec<u8>]| {
            let parts = with_tags(b"abcdef", places.iter().copied(), (b"1", further));
            String::from_utf8(parts.concat()).expect("text")
        };
        assert_eq!(tagged(&[0, 3], &[]), "1abc1def");
        assert_eq!(tagged(&[0, 3, 6], &[b"2".to_vec(), b"3".to_vec()]), "1abc2def3");
        assert_eq!(tagged(&[], &[]), "abcdef");
    }
}
