//! The order of GTIDs of one connection. PURE.

/// Whether `gtid`, found in a log, comes after `acknowledged`, as reported by session tracking. `None` if their order cannot
/// be told: different sources or domains, or not GTIDs at all.
///
/// MariaDB: `domain-server-sequence`. MySQL: `uuid:number` or `uuid:tag:number`, and as reported a set of those
/// (`uuid:3-5:7,uuid2:1`), of which the greatest number of the same source counts.
pub(super) fn is_newer(gtid: &str, acknowledged: &str) -> Option<bool> {
    let (source, number) = single(gtid)?;
    let mut latest = None;
    for part in acknowledged.split(',') {
        for (other, last) in last_of_each(part.trim()) {
            if other.eq_ignore_ascii_case(&source) {
                latest = latest.max(Some(last));
            }
        }
    }
    latest.map(|latest| number > latest)
}

fn single(gtid: &str) -> Option<(String, u64)> {
    let separator = if gtid.contains(':') { ':' } else { '-' };
    let (source, number) = gtid.rsplit_once(separator)?;
    Some((source.to_owned(), number.parse().ok()?))
}

/// Each source of one part of a set, with its greatest number.
fn last_of_each(part: &str) -> Vec<(String, u64)> {
    let Some((uuid, rest)) = part.split_once(':') else {
        return single(part).into_iter().collect();
    };
    let mut source = uuid.to_owned();
    let mut found = Vec::new();
    for piece in rest.split(':').map(str::trim) {
        if piece.starts_with(|c: char| c.is_ascii_digit()) {
            let last = piece.rsplit_once('-').map_or(piece, |(_, last)| last);
            found.extend(last.parse().ok().map(|last| (source.clone(), last)));
        } else {
            source = format!("{uuid}:{piece}");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_one_source() {
        let rows = [
            ("0-1-17", "0-1-16", Some(true)),
            ("0-1-17", "0-1-17", Some(false)),
            ("0-1-9", "0-1-10", Some(false)),
            ("0-1-17", "1-1-16", None),
            ("0-2-17", "0-1-16", None),
            ("u:5", "u:4", Some(true)),
            ("u:5", "u:5", Some(false)),
            ("u:5", "U:3-4", Some(true)),
            ("u:5", "u:1-2:5", Some(false)),
            ("u:5", "v:9,u:4", Some(true)),
            ("u:tag:5", "u:9", None),
            ("u:tag:5", "u:9:tag:4", Some(true)),
            ("u:5", "", None),
            ("", "u:5", None),
            ("", "", None),
        ];
        for (gtid, acknowledged, expected) in rows {
            assert_eq!(is_newer(gtid, acknowledged), expected, "{gtid} after {acknowledged}");
        }
    }
}
