//! File, environment and command line on top of each other.

use tideover_config::{Credential, Override, diff, load, parse};

const MINIMAL: &str =
    "listen = ['127.0.0.1:3307']\n[cluster]\nservers = ['a:1', 'b:2']\n[monitor]\nuser = 'm'\n";

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn over(option: &str, key: &str, values: &[&str]) -> Override {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Override { option: option.to_owned(), key: key.to_owned(), values }
}

#[test]
fn everything_can_come_from_the_environment() {
    let config = load(
        None,
        environment(&[
            ("TIDEOVER_LISTEN", "127.0.0.1:3307"),
            ("TIDEOVER_CLUSTER__SERVERS", "a:1, b:2"),
            ("TIDEOVER_MONITOR__USER", "m"),
            ("TIDEOVER_MONITOR__PASSWORD", "123"),
            ("TIDEOVER_POOL__MAX_PER_SERVER", "7"),
            ("TIDEOVER_REPLAY__ENABLED", "false"),
            ("TIDEOVER_REPLAY__MAX_TRANSACTION", "2MiB"),
            ("TIDEOVER_AUTH__MODE", "users"),
            ("TIDEOVER_USER__0__NAME", "shop"),
            ("TIDEOVER_USER__0__PASSWORD", "x"),
            ("TIDEOVER_PORT", "tcp://10.0.0.1:3306"),
            ("TIDEOVER_SERVICE_HOST", "10.0.0.1"),
            ("TIDEOVER_ADMIN", "http://127.0.0.1:9307"),
            ("TIDEOVER_XYZZY__FOO", "1"),
            ("PATH", "/bin"),
        ]),
        &[],
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.cluster.servers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:2"]);
    assert_eq!(config.monitor.password.as_ref().map(|secret| secret.expose().as_str()), Some("123"));
    assert_eq!(
        (config.pool.max_per_server, config.replay.enabled, config.replay.max_transaction),
        (7, false, 2 << 20)
    );
    assert!(matches!(&config.auth.users[..], [user] if user.name == "shop"));
    assert!(!format!("{config:?}").contains("123"));
}

#[test]
fn later_layers_win() {
    let folder = std::env::temp_dir().join(format!("tideover-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tideover.toml");
    std::fs::write(&file, format!("{MINIMAL}password_file = 'secret'\n[pool]\nmax_per_server = 5\n"))
        .unwrap();
    std::fs::write(folder.join("secret"), "from file\n").unwrap();
    let config = load(Some(&file), [], &[]).unwrap();
    assert_eq!(config.monitor.password.unwrap().expose(), "from file");

    let variables = environment(&[
        ("TIDEOVER_MONITOR__PASSWORD", "from environment"),
        ("TIDEOVER_POOL__MAX_PER_SERVER", "6"),
    ]);
    let overrides = [
        over("--listen", "listen", &["127.0.0.1:1", "127.0.0.1:2"]),
        over("--server", "cluster.servers", &["c:3"]),
        over("--monitor-user", "monitor.user", &[]),
    ];
    let config = load(Some(&file), variables, &overrides).unwrap();
    assert_eq!(config.monitor.password.unwrap().expose(), "from environment");
    assert_eq!((config.listen.len(), config.cluster.servers[0].port, config.pool.max_per_server), (2, 3, 6));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn mistakes_name_their_layer() {
    let variables = environment(&[
        ("TIDEOVER_POOL__MAX_PER_SERVER", "many"),
        ("TIDEOVER_POOL__MIN_IDEL", "1"),
        ("TIDEOVER_POOOL__MODE", "session"),
    ]);
    let overrides = [over("--listen", "listen", &["nowhere"])];
    let problems = load(None, variables, &overrides).unwrap_err().to_string();
    assert_eq!(
        problems,
        "configuration: cluster.servers: missing, expected a list of \"host:port\", such as \"127.0.0.1:3306\"\n\
         configuration: monitor.user: missing, expected a name in quotes\n\
         environment TIDEOVER_POOL__MAX_PER_SERVER: pool.max_per_server: found \"many\", expected a whole number from 1 to 100000\n\
         environment TIDEOVER_POOL__MIN_IDEL: pool.min_idel: unknown key; did you mean \"min_idle\"?\n\
         environment TIDEOVER_POOOL__MODE: poool: unknown table; did you mean [pool]?\n\
         option --listen: listen: found \"nowhere\", expected a list of \"address:port\" or \"unix:/path\", such as \"127.0.0.1:3307\""
    );
}

#[test]
fn differences_say_what_needs_a_restart() {
    let old = parse(&format!("{MINIMAL}password = 'a'\n"), "t").unwrap();
    let new =
        format!("max_connections = 5\n{MINIMAL}password = 'b'\ninterval = '1s'\n[hold]\ntimeout = '5s'\n");
    let new = parse(&new, "t").unwrap();
    let found: Vec<_> = diff(&old, &new).into_iter().map(|found| (found.key, found.needs_restart)).collect();
    let wanted = [
        ("hold.timeout", false),
        ("max_connections", false),
        ("monitor.interval", true),
        ("monitor.password", false),
    ];
    assert_eq!(found, wanted.map(|(key, restart)| (key.to_owned(), restart)));
    assert!(diff(&old, &old).is_empty());
    // The same value by another spelling is the same.
    let spelled = parse(&format!("{MINIMAL}password = 'a'\n[hold]\ntimeout = '30000ms'\n"), "t").unwrap();
    assert!(diff(&old, &spelled).is_empty());
}

#[test]
fn users_have_credentials() {
    let hash = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
    let text = format!(
        "{MINIMAL}[auth]\nmode='users'\n[[user]]\nname='a'\npassword='x'\n[[user]]\nname='b'\npassword_hash='{hash}'\n"
    );
    let users = parse(&text, "t").unwrap().auth.users;
    assert!(matches!(&users[0].credential, Credential::Password(secret) if secret.expose() == "x"));
    assert!(matches!(&users[1].credential, Credential::NativeHash(secret) if secret.expose() == hash));
}

#[test]
fn users_in_a_file_of_their_own() {
    let folder = std::env::temp_dir().join(format!("tideover-users-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, users) = (folder.join("tideover.toml"), folder.join("users.toml"));
    let more = "[auth]\nmode='users'\nusers_file='users.toml'\n[[user]]\nname='a'\npassword='x'\n";
    std::fs::write(&file, format!("{MINIMAL}password='m'\n{more}")).unwrap();
    let with = |text: &str| {
        std::fs::write(&users, text).unwrap();
        load(Some(&file), [], &[])
    };
    let one = with("[[user]]\nname='b'\npassword='y'\n").unwrap();
    assert_eq!(one.auth.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let other = with("[[user]]\nname='b'\npassword='z'\n").unwrap();
    let found: Vec<_> =
        diff(&one, &other).into_iter().map(|found| (found.key, found.needs_restart)).collect();
    assert_eq!(found, [("user.1.password".to_owned(), false)]);
    for (text, wanted) in [
        (
            "[[user]]\nname='b'\npasword='y'\n",
            "users.toml:3: user.1.pasword: unknown key; did you mean \"password\"?",
        ),
        ("[[user]]\nname='a'\npassword='y'\n", "there is another user \"a\""),
        ("[pool]\nmode='session'\n", "users.toml:1: pool: does not belong in a file of users"),
        ("not TOML", "users.toml:1: this is not TOML"),
    ] {
        let problems = with(text).expect_err(text).to_string();
        assert!(problems.contains(wanted), "{problems}");
    }
    std::fs::remove_file(&users).unwrap();
    let problems = load(Some(&file), [], &[]).expect_err("no file").to_string();
    assert!(problems.contains("auth.users_file: cannot read"), "{problems}");
    std::fs::remove_dir_all(&folder).unwrap();
}
