//! temporary
use crate::app::*; use crate::backend::PoolLimits; use crate::frontend::SessionOptions; use crate::switchover::SwitchoverOptions; use crate::net::*; use std::time::Duration;
pub(super) fn settings(listen:&[String],servers:&[String],user:&str)->Settings{
 Settings{listen:listen.iter().map(|l|ListenAddress::Tcp(l.parse().expect("addr"))).collect(),servers:servers.to_vec(),monitor_user:user.into(),monitor_password:zeroize::Zeroizing::new(user.to_owned()),
 monitor_interval:Duration::from_millis(500),monitor_timeout:Duration::from_secs(1),admin:Some(std::env::var("ADM").unwrap_or("127.0.0.1:9307".into()).parse().expect("a")),admin_token:None,users:None,tls:ServerTlsSettings::SelfSigned,server_tls:(ClientTlsMode::Preferred,None),
 pool:PoolLimits{per_server:100,acquire:Duration::from_secs(10),connect:Duration::from_secs(5),idle:Duration::from_secs(300),lifetime:Duration::from_secs(3600)},hold_sessions:10000,hold_max_ttl:Duration::from_secs(300),
 session:SessionOptions{hold_timeout:Duration::from_secs(30),login_timeout:Duration::from_secs(10),max_connections:10000,max_packet:1<<30,max_transaction:1<<20,tls_required:false},
 switchover:SwitchoverOptions{drain_timeout:Duration::from_secs(5),catch_up_timeout:Duration::from_secs(10),fence_timeout:Duration::from_secs(3),max_lag:Duration::from_secs(1),replication_user:"repl".into(),replication_password:"repl".into(),warm:32},
 shutdown_delay:Duration::ZERO,shutdown_drain:Duration::from_secs(10),shards:1,sched_batch:false}
}
