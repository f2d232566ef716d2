use super::*;
use crate::session::{Restore, plan};

type Parts = &'static [(&'static str, &'static str)];

fn base() -> SessionState {
    state(&[
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("character_set_client", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("collation_connection", "utf8mb4_general_ci"),
    ])
}

/// A state that differs from `base` in these.
fn with(parts: Parts) -> SessionState {
    let mut state = base();
    for (name, value) in parts {
        match name.strip_prefix('@') {
            Some(user) => state.set_user_variable(user, value),
            None if *name == "schema" => state.set_schema(Some(value.as_bytes())),
            None => state.apply(&[var(name, value)]),
        }
    }
    state
}

#[test]
fn values_are_quoted_as_servers_want_them() {
    let rows: &[(&str, &str, &str)] = &[
        ("wait_timeout", "100", "wait_timeout=100"),
        ("long_query_time", "1.250000", "long_query_time=1.250000"),
        ("lc_time_names", "de_DE", "lc_time_names='de_DE'"),
        ("foreign_key_checks", "OFF", "foreign_key_checks='OFF'"),
        ("sql_mode", "", "sql_mode=''"),
        ("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"),
        ("character_set_results", "", "character_set_results=NULL"),
        ("time_zone", "+02:00", "time_zone='+02:00'"),
        ("init", "it's", "init='it''s'"),
        ("init", "a\\b", "init=CONVERT(0x615C62 USING utf8mb4)"),
        ("init", "é", "init=CONVERT(0xC3A9 USING utf8mb4)"),
        ("init", "-5", "init=-5"),
        ("init", "5.", "init='5.'"),
        ("init", "-", "init='-'"),
        ("hot.key_buffer_size", "5", "hot.key_buffer_size=5"),
    ];
    for (name, value, wanted) in rows {
        let to = state(&[(name, value)]);
        let set = plan(&SessionState::new(), &to, &SessionState::new()).set;
        assert_eq!(set, Some(format!("SET {wanted}")), "{name}");
    }
    let mut odd = SessionState::new();
    odd.set_variable(b"a=1,b", b"2");
    assert!(plan(&SessionState::new(), &odd, &SessionState::new()).set.is_none());
}

#[test]
fn only_differences_are_set() {
    let rows: &[(Parts, Parts, Option<&str>)] = &[
        (&[], &[], None),
        (&[("wait_timeout", "5")], &[("wait_timeout", "5")], None),
        (&[("wait_timeout", "5")], &[("wait_timeout", "6")], Some("SET wait_timeout=6")),
        (&[("wait_timeout", "5")], &[], Some("SET wait_timeout=DEFAULT")),
        (&[("foreign_key_checks", "OFF")], &[], Some("SET foreign_key_checks=@@global.foreign_key_checks")),
        (&[("sql_mode", "ANSI")], &[], Some("SET sql_mode='STRICT_TRANS_TABLES'")),
        (&[], &[("sql_mode", "ANSI"), ("autocommit", "OFF")], Some("SET autocommit='OFF',sql_mode='ANSI'")),
        (&[], &[("character_set_connection", "latin1")], Some("SET character_set_connection='latin1'")),
        // Back to a collation that is not its character set's default one.
        (
            &[("character_set_connection", "utf8mb4")],
            &[],
            Some("SET collation_connection='utf8mb4_general_ci'"),
        ),
        // Collations come after whatever decides what they mean.
        (
            &[],
            &[
                ("collation_connection", "utf8mb4_bin"),
                ("default_week_format", "1"),
                ("character_set_collations", "utf8mb4=utf8mb4_bin"),
            ],
            Some(
                "SET character_set_collations='utf8mb4=utf8mb4_bin',default_week_format=1,collation_connection='utf8mb4_bin'",
            ),
        ),
        (
            &[("tx_isolation", "SERIALIZABLE")],
            &[("transaction_isolation", "READ-COMMITTED")],
            Some("SET transaction_isolation='READ-COMMITTED'"),
        ),
    ];
    for (from, to, wanted) in rows {
        assert_eq!(plan(&with(from), &with(to), &base()).set.as_deref(), *wanted, "{from:?} {to:?}");
    }
}

#[test]
fn schemas_and_user_variables() {
    let plan = |from: Parts, to: Parts| plan(&with(from), &with(to), &base());
    assert!(plan(&[("schema", "a")], &[("schema", "a")]).is_empty());
    assert_eq!(
        plan(&[("schema", "a")], &[("schema", "b")]),
        Restore { init_db: Some(b"b".to_vec()), ..Restore::default() }
    );
    assert_eq!(plan(&[], &[("schema", "b")]).init_db, Some(b"b".to_vec()));
    assert!(plan(&[("schema", "a")], &[]).needs_fresh_connection);
    let users = plan(&[("@a", "1"), ("@b", "2"), ("@c", "3")], &[("@a", "1"), ("@b", "'x'"), ("@d", "NULL")]);
    assert_eq!(users.set, None);
    assert_eq!(users.set_user_variables.as_deref(), Some("SET @`b`='x',@`d`=NULL,@`c`=NULL"));
}
