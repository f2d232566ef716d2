use std::sync::Arc;

use crate::session::{LongDataError, Prepared, PreparedStatements, ServerStatements, StatementKey};
use crate::sql::{Dialect, classify};

fn key(text: &str) -> Arc<StatementKey> {
    Arc::new(StatementKey::new(text.as_bytes().into(), None, 1))
}

fn prepared(text: &str, params: u16) -> Arc<Prepared> {
    let statement = classify(text.as_bytes(), Dialect::default());
    Arc::new(Prepared { key: key(text), statement, settings: Vec::new(), untyped: None, params, columns: 1 })
}

#[test]
fn clients_have_their_own_ids() {
    let mut statements = PreparedStatements::new(100);
    let first = statements.insert(prepared("SELECT ?", 1));
    let second = statements.insert(prepared("SELECT 2", 0));
    assert_eq!((first, second, statements.len()), (1, 2, 2));
    assert!(statements.close(first) && !statements.close(first));
    assert_eq!(statements.insert(prepared("SELECT 3", 0)), 3);
    statements.bind(2, &[(3, 0)]);
    assert_eq!(statements.get(2).and_then(|statement| statement.types()), Some([(3, 0)].as_slice()));
    statements.set_cursor(2, true);
    statements.set_cursor(2, true);
    assert_eq!(statements.open_cursors(), 1);
    assert!(statements.clear(2) && statements.open_cursors() == 0);
    statements.reset();
    assert!(statements.is_empty());
    assert_eq!(statements.insert(prepared("SELECT 4", 0)), 4);
}

#[test]
fn long_data_is_bounded() {
    let mut statements = PreparedStatements::new(10);
    let id = statements.insert(prepared("INSERT INTO t VALUES (?, ?)", 2));
    assert_eq!(statements.append_long_data(9, 0, b"x"), Err(LongDataError::UnknownStatement(9)));
    let unknown = LongDataError::UnknownParameter { param: 2, params: 2 };
    assert_eq!(statements.append_long_data(id, 2, b"x"), Err(unknown));
    statements.append_long_data(id, 1, b"abc").unwrap();
    statements.append_long_data(id, 0, b"").unwrap();
    statements.append_long_data(id, 1, b"def").unwrap();
    let kept: Vec<_> = statements.get(id).unwrap().long_data().collect();
    assert_eq!(kept, [(0, b"".as_slice()), (1, b"abcdef".as_slice())]);
    assert_eq!(statements.append_long_data(id, 1, b"12345"), Err(LongDataError::OverLimit { limit: 10 }));
    assert!(!statements.has_long_data());
    statements.append_long_data(id, 1, b"0123456789").unwrap();
    statements.close(id);
    assert!(!statements.has_long_data());
}

#[test]
fn servers_keep_the_latest() {
    let mut statements = ServerStatements::new(2);
    statements.insert(key("a"), 11);
    statements.insert(key("b"), 12);
    assert_eq!(statements.get(&key("a")), Some(11));
    statements.insert(key("c"), 13);
    assert_eq!((statements.get(&key("b")), statements.len()), (None, 2));
    assert_eq!(statements.take_to_close(), [12]);
    assert!(statements.take_to_close().is_empty());
    statements.insert(key("a"), 14);
    assert_eq!((statements.get(&key("a")), statements.take_to_close()), (Some(14), vec![11]));
    assert!(!statements.knows_types(&key("a"), &[]));
    statements.set_types(&key("a"), &[(3, 0x80)]);
    assert!(statements.knows_types(&key("a"), &[(3, 0x80)]) && !statements.knows_types(&key("a"), &[(3, 0)]));
    statements.remove(&key("a"));
    assert_eq!(statements.take_to_close(), [14]);
    statements.reset();
    assert!(statements.is_empty() && statements.take_to_close().is_empty());
    statements.insert(key("a"), 1);
    assert_eq!(statements.get(&key("a")), Some(1));
    assert_eq!(statements.get(&StatementKey::new(b"a".as_slice().into(), None, 2)), None);
    assert_eq!(
        statements.get(&StatementKey::new(b"a".as_slice().into(), Some(b"s".as_slice().into()), 1)),
        None
    );
}

#[test]
fn statements_go_by_the_types_of_their_first_execution() {
    let mut statements = PreparedStatements::new(100);
    let id = statements.insert(prepared("SET @a = ?", 1));
    let plain = statements.get(id).expect("a statement").prepared().key.clone();
    let typed = statements.begin(id, &[(8, 0)]).expect("a statement").key.clone();
    assert_ne!(typed, plain);
    statements.bind(id, &[(8, 0)]);
    assert_eq!(statements.begin(id, &[(253, 0)]).expect("a statement").key, typed);
    let other = statements.insert(prepared("SET @a = ?", 1));
    assert_ne!(statements.begin(other, &[(253, 0)]).expect("a statement").key, typed);

    let mut server = ServerStatements::new(10);
    server.insert(plain.clone(), 7);
    server.rename(&plain, &typed);
    assert_eq!((server.get(&plain), server.get(&typed)), (None, Some(7)));
    server.insert(plain.clone(), 8);
    server.rename(&plain, &typed);
    assert_eq!((server.get(&plain), server.get(&typed)), (Some(8), Some(7)));
}
