//! Finds the commit tag of a logged statement. PURE.
//!
//! Only the comment right before the statement's first word counts: that is where we put it. A tag anywhere else is data or
//! a copy, for instance a row of somebody's query log.

/// A tag as found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// `INSTANCE.CONNECTION`.
    pub(super) connection: &'a [u8],
    /// The number of the text command; `None` for prepared statements.
    pub(super) number: Option<u64>,
}

/// The tag of a statement, if it has one.
pub(super) fn of_statement(text: &[u8]) -> Option<Tag<'_>> {
    parse(last_leading_comment(text)?)
}

/// `INSTANCE.CONNECTION` of a connection's comment.
pub(super) fn connection(comment: &[u8]) -> Option<&[u8]> {
    let inner = comment.strip_prefix(b"/*")?.strip_suffix(b"*/")?;
    parse(inner).map(|tag| tag.connection)
}

fn parse(comment: &[u8]) -> Option<Tag<'_>> {
    let body = comment.strip_prefix(b"td:")?;
    let mut dots = memchr::memchr_iter(b'.', body);
    let first = dots.next()?;
    let Some(second) = dots.next() else {
        let whole = first > 0 && first + 1 < body.len();
        return whole.then_some(Tag { connection: body, number: None });
    };
    let digits = str::from_utf8(body.get(second + 1..)?).ok()?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(Tag { connection: body.get(..second)?, number: Some(number) })
}

/// The inside of the last of the comments that a text begins with. Comments that the server executes are not comments.
fn last_leading_comment(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let mut last = None;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(inside) = rest.strip_prefix(b"/*") {
            if inside.starts_with(b"!") || inside.starts_with(b"M!") {
                return last;
            }
            let end = memchr::memmem::find(inside, b"*/")?;
            last = inside.get(..end);
            rest = inside.get(end + 2..)?;
        } else if rest.starts_with(b"#") || rest.starts_with(b"--") {
            let end = memchr::memchr(b'\n', rest)?;
            last = None;
            rest = rest.get(end..)?;
        } else {
            return last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(String, Option<u64>)> {
        of_statement(text.as_bytes()).map(|t| (String::from_utf8_lossy(t.connection).into_owned(), t.number))
    }

    #[test]
    fn where_a_tag_counts() {
        let yes = |number| Some(("ab.1f".to_owned(), number));
        let rows = [
            ("/*td:ab.1f*/INSERT INTO t VALUES (1)", yes(None)),
            ("/*td:ab.1f.2a*/INSERT INTO t VALUES (1)", yes(Some(42))),
            ("  /* app */\n/*td:ab.1f.1*/ UPDATE t SET a=1", yes(Some(1))),
            ("-- note\n/*td:ab.1f.1*/UPDATE t SET a=1", yes(Some(1))),
            ("/*td:ab.1f.1*//*!50000 INSERT*/ INTO t VALUES (1)", yes(Some(1))),
            ("/*td:old.1.1*//*td:ab.1f.1*/INSERT INTO t VALUES (1)", yes(Some(1))),
            ("INSERT INTO log VALUES ('/*td:ab.1f*/')", None),
            ("/*td:ab.1f.1*//* later */INSERT INTO t VALUES (1)", None),
            ("/*!50000 INSERT */ /*td:ab.1f*/ INTO t VALUES (1)", None),
            ("/*td:ab.1f.1*/-- x\nINSERT INTO t VALUES (1)", None),
            ("/*td:ab*/INSERT INTO t VALUES (1)", None),
            ("/*td:ab.1f.zz*/INSERT INTO t VALUES (1)", None),
            ("/*td:.1f*/INSERT INTO t VALUES (1)", None),
            ("/*td:ab.*/INSERT INTO t VALUES (1)", None),
            ("/*td:ab.1f", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_connection_is_called() {
        assert_eq!(connection(b"/*td:ab.1f*/"), Some(b"ab.1f".as_slice()));
        assert_eq!(connection(b""), None);
    }
}
