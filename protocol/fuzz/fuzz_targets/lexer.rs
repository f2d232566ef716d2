//! Any bytes as a statement's text: whatever reads it agrees with itself, and says nothing of places where no text is.
#![no_main]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "modules of the proxy, of which a part is used here")]

#[path = "../../../src/sql/mod.rs"]
mod sql;

use libfuzzer_sys::fuzz_target;
use sql::{Cache, Dialect, Effects, Kind, classify, details, killed_user, may_name_id, program, with_connection_id};

const VERSIONS: [u32; 4] = [0, 80_036, 90_704, 101_119];

fn dialect(flags: u8) -> Dialect {
    Dialect {
        ansi_quotes: flags & 1 != 0,
        no_backslash_escapes: flags & 2 != 0,
        mariadb: flags & 4 != 0,
        multibyte_unsafe: flags & 8 != 0,
        version: VERSIONS[usize::from(flags >> 6)],
    }
}

/// What is read of a text beside what it is.
fn read_details(text: &[u8], dialect: Dialect) {
    let _ = (details::assignments(text, dialect), details::table_names(text, dialect, "d"));
    let _ = (details::prepared_name(text, dialect), details::prepare_source(text, dialect));
    let _ = (details::user_variables(text, dialect), details::assigns_within(text, dialect));
    let _ = (details::role(text, dialect), details::handler_name(text, dialect));
    let _ = (details::lock_name(text, dialect), details::locks_tables(text, dialect));
    let _ = (details::unlocks_tables(text, dialect), details::mentions(text, dialect, &[b"select"]));
    let _ = (killed_user(text, dialect), program::callee(text, dialect));
    let _ = program::program(text, &["a".to_owned()], dialect);
    let _ = (may_name_id(text, dialect, 5, false), may_name_id(text, dialect, 5, true));
    let mut end = 0;
    for range in details::pieces(text, dialect) {
        assert!(end <= range.start && range.start < range.end && range.end <= text.len());
        end = range.end;
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, text)) = data.split_first() else { return };
    let dialect = dialect(flags);
    let statement = classify(text, dialect);
    let effects = statement.effects;
    if effects.contains(Effects::READS_ONLY) {
        assert!(!effects.intersects(Effects::WRITES) && statement.tags.is_empty());
    }
    if effects.contains(Effects::UNSURE) {
        assert!(effects.contains(Effects::WRITES) && statement.tags.is_empty());
    }
    assert!(statement.tags.offsets().all(|at| at < text.len()));
    let mut tagged = Vec::new();
    statement.tags.write(text, b"/*td:1f.2a*/", &mut tagged);
    let again = classify(&tagged, dialect);
    assert_eq!((again.kind, again.effects, again.tags.len()), (statement.kind, effects, statement.tags.len()));
    let mut cache = Cache::default();
    for _ in 0..3 {
        assert_eq!(cache.classify(text, dialect), statement);
    }
    // An id in place of a call makes nothing else of a statement.
    if let Some(replaced) = with_connection_id(text, &statement, dialect, 1 << 30) {
        let again = classify(&replaced, dialect);
        assert!(again.kind == statement.kind || matches!(statement.kind, Kind::Kill { .. }));
    }
    read_details(text, dialect);
});
