use proptest::prelude::*;

use super::*;
use crate::session::is_state;

#[test]
fn a_report_is_taken_in() {
    let mut state = SessionState::new();
    state.apply(&[
        var("Time_Zone", "+02:00"),
        Change::Schema(b"shop"),
        var("statement_id", "7"),
        Change::State,
    ]);
    assert_eq!(state.variable("time_zone"), Some(b"+02:00".as_slice()));
    assert_eq!(state.schema(), Some(b"shop".as_slice()));
    assert_eq!(state.variables().count(), 1);
    state.apply(&[Change::Schema(b"")]);
    assert_eq!(state.schema(), None);
    state.forget_variable("time_zone");
    assert_eq!(state, SessionState::new());
    assert_eq!(state.fingerprint(), SessionState::new().fingerprint());
}

#[test]
fn what_is_no_state_is_left_out() {
    for name in
        ["last_gtid", "statement_id", "timestamp", "insert_id", "gtid_next", "pseudo_thread_id", "rand_seed1"]
    {
        assert!(!is_state(name.as_bytes()), "{name}");
    }
    for name in ["session_track_gtids", "warning_count", "in_transaction", "identity", "last_insert_id"] {
        assert!(!is_state(name.as_bytes()), "{name}");
    }
    for name in ["sql_mode", "gtid_domain_id", "autocommit", "transaction_isolation", "sql_log_bin"] {
        assert!(is_state(name.as_bytes()), "{name}");
    }
}

/// What was set last decides, whichever of the two names the server used.
#[test]
fn a_character_set_and_its_collation_are_one() {
    let both = state(&[("collation_connection", "latin1_bin"), ("character_set_connection", "utf8mb4")]);
    assert_eq!(both, state(&[("character_set_connection", "utf8mb4")]));
    let mut one_report = SessionState::new();
    one_report
        .apply(&[var("collation_connection", "utf8mb4_bin"), var("character_set_connection", "utf8mb4")]);
    assert_eq!(one_report, state(&[("collation_connection", "utf8mb4_bin")]));
    let alias = state(&[("tx_isolation", "SERIALIZABLE"), ("transaction_isolation", "READ-COMMITTED")]);
    assert_eq!(
        alias.variables().collect::<Vec<_>>(),
        [(b"transaction_isolation".as_slice(), b"READ-COMMITTED".as_slice())]
    );
}

#[test]
fn the_dialect_follows_the_modes() {
    let state = state(&[
        ("sql_mode", "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES"),
        ("character_set_client", "gbk"),
    ]);
    let dialect = state.dialect(true, 101_119);
    assert!(
        dialect.ansi_quotes && dialect.no_backslash_escapes && dialect.mariadb && dialect.multibyte_unsafe
    );
    assert!(!SessionState::new().dialect(false, 90_704).ansi_quotes);
}

proptest! {
    /// However a state came about, its fingerprint depends on what it is only.
    #[test]
    fn fingerprints_do_not_remember(steps in prop::collection::vec((0..6_u8, 0..3_u8), 0..30)) {
        let mut walked = SessionState::new();
        for (what, value) in &steps {
            let text = value.to_string();
            match what {
                0 => walked.set_schema(None),
                1 => walked.set_schema(Some(text.as_bytes())),
                2 => walked.set_user_variable("a", &text),
                3 => walked.forget_variable("b"),
                4 => walked.set_variable(b"b", text.as_bytes()),
                _ => walked.set_variable(b"c", text.as_bytes()),
            }
        }
        let mut straight = SessionState::new();
        straight.set_schema(walked.schema());
        for (name, value) in walked.variables() {
            straight.set_variable(name, value);
        }
        for (name, literal) in walked.user_variables() {
            straight.set_user_variable(name, literal);
        }
        prop_assert_eq!(walked.fingerprint(), straight.fingerprint());
        prop_assert_eq!(walked, straight);
    }
}
