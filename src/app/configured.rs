//! From the checked configuration to what the parts are started with.

use tideover_config::{
    AuthMode, Compression, Config, Credential, FailoverMode, OnLoss, PoolMode, ProxyProtocol, Reads,
    ServerTlsMode, TlsMode,
};
use tideover_protocol::auth::native;
use tideover_protocol::proxy_header::Version;
use zeroize::Zeroizing;

use crate::backend::{PoolLimits, Wire};
use crate::frontend::{FixedUser, Network, SessionOptions, Users};
use crate::guard::GuardMode;
use crate::net::{ClientTlsFiles, ClientTlsMode, Codec, ListenAddress};
use crate::route::{Consistency, Fallback, RoutingOptions, Rule, Rules, Share};
use crate::switchover::{FailoverOptions, SwitchoverOptions};

use super::settings::{ServerTlsSettings, Settings};

/// Level of zstd towards servers: its default.
const ZSTD_LEVEL: u8 = 3;

/// Sizes beyond the address space are as good as no bound.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let monitor_password =
            config.monitor.password.as_ref().map(|p| p.expose().clone()).unwrap_or_default();
        Self {
            listen: config.listen.iter().map(listen).collect(),
            servers: config.cluster.servers.iter().map(ToString::to_string).collect(),
            monitor_user: config.monitor.user.clone(),
            monitor_password: Zeroizing::new(monitor_password.clone()),
            monitor_interval: config.monitor.interval,
            monitor_timeout: config.monitor.timeout,
            admin: config.admin.listen,
            admin_token: config.admin.token.as_ref().map(|t| t.expose().clone()),
            users: (config.auth.mode == AuthMode::Users).then(|| users(config)),
            tls: tls(config),
            client_ca: config.tls.client_ca.clone(),
            server_tls: server_tls(config),
            wire: wire(config),
            pool: PoolLimits {
                per_server: config.pool.max_per_server,
                acquire: config.pool.acquire_timeout,
                connect: config.pool.connect_timeout,
                idle: config.pool.idle_timeout,
                lifetime: config.pool.max_lifetime,
                min_idle: config.pool.min_idle,
            },
            guard: match config.guard.mode {
                tideover_config::GuardMode::Auto => GuardMode::Auto,
                tideover_config::GuardMode::Tag => GuardMode::Tag,
                tideover_config::GuardMode::Marker => GuardMode::Marker,
                tideover_config::GuardMode::Off => GuardMode::Off,
            },
            routing: routing(config),
            hold_sessions: config.hold.max_sessions,
            hold_max_ttl: config.hold.max_ttl,
            session: SessionOptions {
                hold_timeout: config.hold.timeout,
                login_timeout: config.login_timeout,
                max_connections: config.max_connections,
                max_packet: size(config.max_packet),
                tls_like_servers: config.tls.files.is_none() && config.tls.mode != TlsMode::Required,
                tls_required: config.tls.mode == TlsMode::Required,
                keeps_connection: config.pool.mode == PoolMode::Session,
                waits_for_primary: config.failover.mode != FailoverMode::Auto,
                proxy_networks: config.proxy_protocol_networks.iter().map(network).collect(),
                tells_address: config.pool.proxy_protocol != ProxyProtocol::Off,
            },
            journals: (
                if config.replay.enabled { size(config.replay.max_transaction) } else { 0 },
                size(config.replay.max_total),
            ),
            switchover: switchover(config, monitor_password),
            failover: (config.failover.mode == FailoverMode::Auto).then(|| failover(config)),
            hold_on_loss: config.failover.on_loss == OnLoss::Hold,
            shutdown_delay: config.shutdown.delay,
            shutdown_drain: config.shutdown.drain_timeout,
            shards: match config.runtime.shards {
                0 => std::thread::available_parallelism().map_or(1, usize::from),
                shards => shards,
            },
            sched_batch: config.runtime.sched_batch,
        }
    }
}

fn listen(address: &tideover_config::ListenAddress) -> ListenAddress {
    match address {
        tideover_config::ListenAddress::Tcp(address) => ListenAddress::Tcp(*address),
        tideover_config::ListenAddress::Unix(path) => ListenAddress::Unix(path.clone()),
    }
}

/// Without an account of its own, replication uses the monitor's (which then needs REPLICATION SLAVE).
fn switchover(config: &Config, monitor_password: String) -> SwitchoverOptions {
    let own = &config.switchover;
    let replication_user = own.replication_user.clone().unwrap_or_else(|| config.monitor.user.clone());
    let replication_password = match (&own.replication_user, &own.replication_password) {
        (_, Some(password)) => password.expose().clone(),
        (Some(_), None) => String::new(),
        (None, None) => monitor_password,
    };
    SwitchoverOptions {
        drain_timeout: own.drain_timeout,
        move_after: own.move_after,
        catch_up_timeout: own.catch_up_timeout,
        fence_timeout: own.fence_timeout,
        max_lag: own.max_lag,
        replication_user,
        replication_password,
        warm: own.warm_connections,
    }
}

fn routing(config: &Config) -> RoutingOptions {
    let own = &config.routing;
    let share = |address: &tideover_config::ServerAddress| {
        let said = own.servers.iter().find(|share| share.address == *address);
        Share {
            weight: said.map_or(100, |share| share.weight),
            near: said.is_some_and(|share| share.zone.is_some() && share.zone == own.zone),
            maintenance: said.is_some_and(|share| share.maintenance),
        }
    };
    let rule = |given: &tideover_config::RouteRule| {
        let mut rule = Rule::new(given.to == Reads::Replicas);
        rule.user.clone_from(&given.user);
        rule.schema.clone_from(&given.schema);
        rule.pattern.clone_from(&given.pattern);
        rule
    };
    RoutingOptions {
        replicas: own.reads == Reads::Replicas,
        consistency: match own.consistency {
            tideover_config::Consistency::Session => Consistency::Session,
            tideover_config::Consistency::Eventual => Consistency::Eventual,
            tideover_config::Consistency::Strong => Consistency::Strong,
        },
        max_lag: own.max_lag,
        wait: own.wait,
        fallback: match own.fallback {
            tideover_config::Fallback::Primary => Fallback::Primary,
            tideover_config::Fallback::Wait => Fallback::Wait,
            tideover_config::Fallback::Error => Fallback::Error,
        },
        slow_start: own.slow_start,
        shares: config.cluster.servers.iter().map(share).collect(),
        rules: Rules(own.rules.iter().map(rule).collect()),
    }
}

fn failover(config: &Config) -> FailoverOptions {
    FailoverOptions {
        detect: config.failover.detect,
        confirm: config.failover.confirm,
        stall: config.failover.stall,
        witnesses: config.failover.witnesses,
        apply_timeout: config.failover.apply_timeout,
        ask: config.monitor.timeout,
    }
}

fn tls(config: &Config) -> ServerTlsSettings {
    match (config.tls.mode, &config.tls.files) {
        (TlsMode::Off, _) => ServerTlsSettings::Off,
        (_, None) => ServerTlsSettings::SelfSigned,
        (_, Some(files)) => {
            ServerTlsSettings::Files { certificate: files.certificate.clone(), key: files.key.clone() }
        }
    }
}

fn network(network: &tideover_config::Network) -> Network {
    Network { address: network.address, prefix: network.prefix }
}

fn wire(config: &Config) -> Wire {
    Wire {
        proxy_header: match config.pool.proxy_protocol {
            ProxyProtocol::Off => None,
            ProxyProtocol::V1 => Some(Version::V1),
            ProxyProtocol::V2 => Some(Version::V2),
        },
        compression: match config.pool.compression {
            Compression::Off => None,
            Compression::Zlib => Some(Codec::Zlib),
            Compression::Zstd => Some(Codec::Zstd(ZSTD_LEVEL)),
        },
    }
}

fn server_tls(config: &Config) -> (ClientTlsMode, ClientTlsFiles) {
    let own = &config.server_tls;
    let mode = match own.mode {
        ServerTlsMode::Off => ClientTlsMode::Off,
        ServerTlsMode::Preferred => ClientTlsMode::Preferred,
        ServerTlsMode::Required => ClientTlsMode::Required,
        ServerTlsMode::VerifyCa => ClientTlsMode::VerifyCa,
        ServerTlsMode::VerifyIdentity => ClientTlsMode::VerifyIdentity,
    };
    let certificate = own.files.as_ref().map(|files| (files.certificate.clone(), files.key.clone()));
    (mode, ClientTlsFiles { ca: own.ca.clone(), certificate })
}

fn users(config: &Config) -> Users {
    let user = |user: &tideover_config::User| {
        let fixed = match &user.credential {
            Credential::Password(password) => {
                FixedUser::Password(Zeroizing::new(password.expose().as_bytes().to_vec()))
            }
            // The configuration has checked its form.
            Credential::NativeHash(hash) => {
                FixedUser::NativeHash(native::parse_stored(hash.expose()).unwrap_or_default())
            }
        };
        (user.name.as_bytes().to_vec(), fixed)
    };
    config.auth.users.iter().map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_reads() {
        let text = r#"
            listen = ["127.0.0.1:1"]
            cluster.servers = ["a:1", "b:1", "c:1"]
            monitor.user = "m"
            [routing]
            zone = "east"
            wait = "20ms"
            [[server]]
            address = "b:1"
            weight = 300
            zone = "east"
            [[server]]
            address = "c:1"
            maintenance = true
            [[route]]
            user = "report"
            to = "replica"
        "#;
        let config = tideover_config::parse(text, "text").expect("a configuration");
        let routing = Settings::from(&config).routing;
        let shares: Vec<_> = routing.shares.iter().map(|s| (s.weight, s.near, s.maintenance)).collect();
        assert_eq!(shares, [(100, false, false), (300, true, false), (100, false, true)]);
        assert!(!routing.replicas && routing.wait == std::time::Duration::from_millis(20));
        assert_eq!(routing.rules.decide((b"report", b""), b"SELECT 1", true), Some(true));
        assert_eq!(routing.rules.decide((b"app", b""), b"SELECT 1", true), None);
        assert!(crate::route::Desk::new(routing).is_on(), "for those of the rule");
    }

    #[test]
    fn mistakes_in_tables_of_reads_are_named() {
        let head = "listen = [\"127.0.0.1:1\"]\ncluster.servers = [\"a:1\"]\nmonitor.user = \"m\"\n";
        for (more, key) in [
            ("[[server]]\naddress = \"b:1\"\n", "server.0.address"),
            ("[[server]]\nweight = 5\n", "server.0.address"),
            ("[[server]]\naddress = \"a:1\"\nweight = 0\n", "server.0.weight"),
            ("[[route]]\nto = \"primary\"\n", "route.0"),
            ("[[route]]\nuser = \"u\"\nto = \"nowhere\"\n", "route.0.to"),
        ] {
            let problems =
                tideover_config::parse(&format!("{head}{more}"), "text").expect_err(more).to_string();
            assert!(problems.contains(key), "{problems}");
        }
    }
}
