//! What people get wrong, and what they are told. Each row is a text that is put behind a sound beginning of six
//! lines, and all that is reported.

use tideover_config::parse;

const SOUND: &str = "listen = ['127.0.0.1:3307']\n[cluster]\nservers = ['a:1', 'b:2']\n[monitor]\nuser = 'm'\npassword = 'x'\n";

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn each_mistake_is_explained() {
    let rows: &[(&str, &[&str])] = &[
        (
            "[pool]\nmax_per_srever = 5",
            &["t.toml:8: pool.max_per_srever: unknown key; did you mean \"max_per_server\"?"],
        ),
        ("[poll]\nmode = 'session'", &["t.toml:7: poll: unknown table; did you mean [pool]?"]),
        (
            "[colours]\nred = 1",
            &[
                "t.toml:7: colours: unknown table; known are cluster, monitor, admin, auth, user, tls, server_tls, pool, routing, server, route, switchover, hold, replay, guard, failover, shutdown, runtime, log",
            ],
        ),
        (
            "[hold]\nservers = ['a:1']",
            &["t.toml:8: hold.servers: unknown key here; did you mean \"cluster.servers\"?"],
        ),
        ("[guard]\ncolour = 'red'", &["t.toml:8: guard.colour: unknown key; known here: mode"]),
        (
            "[pool]\nmax_per_server = '100'",
            &["t.toml:8: pool.max_per_server: found \"100\", expected a whole number from 1 to 100000"],
        ),
        (
            "[pool]\nmax_per_server = 0",
            &["t.toml:8: pool.max_per_server: found 0, expected a whole number from 1 to 100000"],
        ),
        (
            "[pool]\nmax_per_server = -5",
            &["t.toml:8: pool.max_per_server: found -5, expected a whole number from 1 to 100000"],
        ),
        (
            "[pool]\nmax_per_server = 1.5",
            &[
                "t.toml:8: pool.max_per_server: found the fraction 1.5, expected a whole number from 1 to 100000",
            ],
        ),
        (
            "[hold]\ntimeout = 30",
            &[
                "t.toml:8: hold.timeout: found 30, expected a time from 0s to 24h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        (
            "[hold]\ntimeout = '30'",
            &[
                "t.toml:8: hold.timeout: found \"30\", expected a time from 0s to 24h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        (
            "[hold]\ntimeout = '30 seconds'",
            &[
                "t.toml:8: hold.timeout: found \"30 seconds\", expected a time from 0s to 24h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        (
            "[hold]\ntimeout = '-1s'",
            &[
                "t.toml:8: hold.timeout: found \"-1s\", expected a time from 0s to 24h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        (
            "[hold]\ntimeout = '48h'",
            &[
                "t.toml:8: hold.timeout: found \"48h\", expected a time from 0s to 24h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        (
            "[replay]\nmax_transaction = '1MB'",
            &[
                "t.toml:8: replay.max_transaction: found \"1MB\", expected a size from 0B to 1GiB, such as \"64KiB\", \"1MiB\" or \"1GiB\"",
            ],
        ),
        ("[replay]\nenabled = 'yes'", &["t.toml:8: replay.enabled: found \"yes\", expected true or false"]),
        (
            "[replay]\nmax_transaction = '1GiB'",
            &["t.toml:8: replay.max_transaction: is more than replay.max_total"],
        ),
        (
            "[tls]\nmode = 'requird'",
            &[
                "t.toml:8: tls.mode: found \"requird\", expected \"off\", \"optional\" or \"required\"; did you mean \"required\"?",
            ],
        ),
        (
            "[failover]\nmode = true",
            &["t.toml:8: failover.mode: found true, expected \"external\" or \"auto\""],
        ),
        (
            "[failover]\non_loss = 'ignore'",
            &["t.toml:8: failover.on_loss: found \"ignore\", expected \"release\" or \"hold\""],
        ),
        (
            "[failover]\ndetect = '0s'",
            &[
                "t.toml:8: failover.detect: found \"0s\", expected a time from 100ms to 1h, such as \"500ms\", \"5s\" or \"2m\"",
            ],
        ),
        ("[tls]\ncert_file = 'a.pem'", &["t.toml:8: tls.cert_file: needs tls.key_file beside it"]),
        ("[tls]\nkey_file = 'a.pem'", &["t.toml:8: tls.key_file: needs tls.cert_file beside it"]),
        (
            "[server_tls]\nmode = 'verify_ca'",
            &["t.toml:8: server_tls.mode: needs server_tls.ca_file: whom to trust"],
        ),
        (
            "[server_tls]\ncert_file = 'a.pem'",
            &["t.toml:8: server_tls.cert_file: needs server_tls.key_file beside it"],
        ),
        (
            "[tls]\nmode = 'off'\nclient_ca_file = 'a.pem'",
            &["t.toml:9: tls.client_ca_file: has no effect while tls.mode is \"off\""],
        ),
        (
            "[pool]\ncompression = 'lz4'",
            &["t.toml:8: pool.compression: found \"lz4\", expected \"off\", \"zlib\" or \"zstd\""],
        ),
        (
            "[auth]\nusers_file = 'nowhere.toml'",
            &[
                "t.toml:8: auth.users_file: cannot read nowhere.toml: No such file or directory (os error 2)",
                "t.toml:8: auth.users_file: has no effect unless auth.mode is \"users\"",
            ],
        ),
        (
            "[admin]\nlisten = '0.0.0.0:9307'",
            &[
                "t.toml:8: admin.listen: \"0.0.0.0:9307\" can be reached from other machines; set admin.token or admin.token_file",
            ],
        ),
        (
            "[admin]\nlisten = 'localhost:9307'",
            &[
                "t.toml:8: admin.listen: found \"localhost:9307\", expected \"address:port\", such as \"127.0.0.1:9307\", or \"off\"",
            ],
        ),
        (
            "[admin]\nlisten = '127.0.0.1:3307'",
            &["t.toml:8: admin.listen: is an address where clients are served (listen)"],
        ),
        ("[admin]\ntoken = ''", &["t.toml:8: admin.token: is empty, expected a token"]),
        (
            "[admin]\ntoken_file = '/nowhere/token'",
            &[
                "t.toml:8: admin.token_file: cannot read /nowhere/token: No such file or directory (os error 2)",
            ],
        ),
        (
            "[admin]\ntoken = 5",
            &["t.toml:8: admin.token: found something that is not text, expected text in quotes"],
        ),
        (
            "[auth]\nmode = 'users'",
            &["t.toml:8: auth.mode: is \"users\" but there is no [[user]], and no auth.users_file"],
        ),
        (
            "[[user]]\nname = 'a'\npassword = 'x'",
            &["t.toml:8: user.0.name: a [[user]] has no effect unless auth.mode is \"users\""],
        ),
        (
            "[auth]\nmode = 'users'\n[[user]]\nname = 'a'",
            &["t.toml:9: user.0.password: missing, expected password, password_file or password_hash"],
        ),
        (
            "[auth]\nmode = 'users'\n[[user]]\npassword = 'a'",
            &["t.toml:9: user.0.name: missing, expected a name in quotes"],
        ),
        (
            "[auth]\nmode = 'users'\n[[user]]\nname = 'a'\npassword_hash = 'abc'",
            &[
                "t.toml:11: user.0.password_hash: expected an asterisk and 40 hexadecimal digits, as mysql_native_password stores it",
            ],
        ),
        (
            "[auth]\nmode = 'users'\n[[user]]\nname = 'a'\npassword = 'x'\n[[user]]\nname = 'a'\npassword = 'y'",
            &["t.toml:13: user.1.name: there is another user \"a\""],
        ),
        (
            "[auth]\nmode = 'users'\n[user]\nname = 'a'",
            &[
                "t.toml:8: auth.mode: is \"users\" but there is no [[user]], and no auth.users_file",
                "t.toml:9: user: found a table, expected tables: [[user]]",
            ],
        ),
        (
            "[pool]\nmin_idle = 200",
            &["t.toml:8: pool.min_idle: found 200, expected at most pool.max_per_server (100)"],
        ),
        (
            "[switchover]\nreplication_password = 'x'",
            &["t.toml:8: switchover.replication_password: needs switchover.replication_user beside it"],
        ),
        (
            "hold = 5",
            &[
                "t.toml:7: monitor.hold: unknown key; known here: user, password, password_file, interval, timeout",
            ],
        ),
        (
            "[log]\nlevel = ",
            &["t.toml:8: this is not TOML: string values must be quoted, expected literal string"],
        ),
    ];
    assert!(rows.len() >= 25);
    let mut wrong = String::new();
    for (text, wanted) in rows {
        let got = parse(&format!("{SOUND}{text}\n"), "t.toml")
            .map_or_else(|problems| problems.to_string(), |_| String::new());
        if got != wanted.join("\n") {
            wrong += &format!("{text}\n---\n{got}\n===\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn whole_files_may_be_wrong() {
    let rows: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "t.toml: cluster.servers: missing, expected a list of \"host:port\", such as \"127.0.0.1:3306\"",
                "t.toml: monitor.user: missing, expected a name in quotes",
                "t.toml: listen: missing, expected a list of \"address:port\" or \"unix:/path\", such as \"127.0.0.1:3307\"",
            ],
        ),
        (
            "listen = '127.0.0.1:3307'\n[cluster]\nservers = []\n[monitor]\nuser = ''",
            &[
                "t.toml:1: listen: found \"127.0.0.1:3307\", expected a list of \"address:port\" or \"unix:/path\", such as \"127.0.0.1:3307\"",
                "t.toml:3: cluster.servers: found an empty list, expected a list of \"host:port\", such as \"127.0.0.1:3306\"",
                "t.toml:5: monitor.user: found \"\", expected a name in quotes",
            ],
        ),
        (
            "listen = ['127.0.0.1:1', '127.0.0.1:1']\n[cluster]\nservers = [\n  'a:1',\n  'b',\n]\n[monitor]\nuser = 'm'\npassword = 'x'\npassword_file = 'y'",
            &[
                "t.toml:1: listen: names \"127.0.0.1:1\" twice",
                "t.toml:5: cluster.servers: found \"b\", expected a list of \"host:port\", such as \"127.0.0.1:3306\"",
                "t.toml:9: monitor.password: stands beside password_file; leave one of them out",
            ],
        ),
        (
            "cluster = 5\nlisten = ['127.0.0.1:1']\n[monitor]\nuser = 'm'",
            &[
                "t.toml:1: cluster: found 5, expected a table: [cluster]",
                "t.toml: cluster.servers: missing, expected a list of \"host:port\", such as \"127.0.0.1:3306\"",
            ],
        ),
        (
            "listen = ['127.0.0.1:1']\nservers = ['a:1']\n[cluster]\nservers = ['a:1', 'a:1']\n[monitor]\nuser = 'm'",
            &[
                "t.toml:2: servers: unknown key here; did you mean \"cluster.servers\"?",
                "t.toml:4: cluster.servers: names \"a:1\" twice",
            ],
        ),
    ];
    let mut wrong = String::new();
    for (text, wanted) in rows {
        let got = parse(text, "t.toml").map_or_else(|problems| problems.to_string(), |_| String::new());
        if got != wanted.join("\n") {
            wrong += &format!("{text}\n---\n{got}\n===\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_missing_file_is_named() {
    let problems =
        tideover_config::load(Some(std::path::Path::new("/nowhere/tideover.toml")), [], &[]).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/nowhere/tideover.toml: cannot be read: No such file or directory (os error 2)"
    );
}
