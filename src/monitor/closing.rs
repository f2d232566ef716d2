//! Whether somebody is making a server read-only and cannot finish: `SET GLOBAL read_only` waits for statements in flight,
//! and those may wait for the locks of transactions whose next statement waits behind it.

use std::time::Duration;

use crate::backend::{Control, ControlError};

/// Time for the query.
const QUERY: Duration = Duration::from_secs(1);

/// Who is at it: id and text of each statement that closes the server for writes and has not finished.
const CLOSERS: &str = "SELECT id, info FROM information_schema.processlist WHERE command IN ('Query', 'Execute') \
                       AND id <> CONNECTION_ID() AND info LIKE '%read_only%'";

/// The same of MySQL, for [`Control::query_or`].
const CLOSERS_INSTEAD: &str = "SELECT id, info FROM performance_schema.processlist WHERE command IN ('Query', 'Execute') \
                               AND id <> CONNECTION_ID() AND info LIKE '%read_only%'";

/// Connection ids on the server that are setting `read_only` at this moment.
///
/// # Errors
/// [`ControlError`].
pub async fn closers(control: &mut Control) -> Result<Vec<u64>, ControlError> {
    let rows = control.query_or(CLOSERS, CLOSERS_INSTEAD, QUERY).await?;
    let closing = rows.rows.iter().filter(|row| row.at(1).is_some_and(|text| closes(&text)));
    Ok(closing.filter_map(|row| row.at(0)?.parse().ok()).collect())
}

/// Whether a statement sets `read_only` or `super_read_only` for everybody. Without comments before SET: whoever writes
/// one is not understood, and nothing is ended for him.
fn closes(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    let Some(rest) = text.strip_prefix("set").filter(|r| r.starts_with(|c: char| c.is_ascii_whitespace()))
    else {
        return false;
    };
    let everybody = ["global ", "global\t", "global\n", "@@global.", "persist ", "@@persist."];
    if !everybody.iter().any(|word| rest.contains(word)) {
        return false;
    }
    let Some((_, value)) = rest.split_once("read_only") else { return false };
    let value = value.trim_start_matches([' ', '`', '\t', ':', '=', '\'', '"']);
    // The last is MariaDB's from 12 on, with more behind it.
    ["1", "on", "true", "2", "3", "no_lock"].iter().any(|on| value.starts_with(on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_closes_a_server() {
        let closing = [
            "SET GLOBAL read_only=1",
            "set global super_read_only = ON",
            "SET @@GLOBAL.read_only := TRUE",
            "SET GLOBAL `read_only` = 'on'",
            "set persist read_only=on",
            "SET GLOBAL read_only=NO_LOCK_NO_ADMIN",
        ];
        for text in closing {
            assert!(closes(text), "{text}");
        }
        let others = [
            "SET GLOBAL read_only=0",
            "SET GLOBAL super_read_only=OFF",
            "SELECT @@global.read_only",
            "SET SESSION transaction_read_only=1",
            "UPDATE t SET a='set global read_only=1'",
            "settle global read_only=1",
            "",
        ];
        for text in others {
            assert!(!closes(text), "{text}");
        }
    }
}
