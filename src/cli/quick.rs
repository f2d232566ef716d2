//! Stand-in until the configuration crate lands: reads the same keys without checks.
use crate::app::*; use crate::backend::PoolLimits; use crate::frontend::SessionOptions; use crate::switchover::SwitchoverOptions; use crate::net::*; use std::time::Duration;
use super::arguments::RunOptions;
pub(super) fn settings(o:&RunOptions)->Settings{
 let file:toml::Table=o.config.as_ref().map(|p|std::fs::read_to_string(p).expect("config").parse().expect("toml")).unwrap_or_default();
 let get=|k:&str|->Option<toml::Value>{let mut v=toml::Value::Table(file.clone());for p in k.split('.'){v=v.get(p)?.clone();}Some(v)};
 let text=|k:&str,d:&str|get(k).and_then(|v|v.as_str().map(str::to_owned)).unwrap_or(d.to_owned());
 let dur=|k:&str,d:&str|crate::admin::parse_ttl(&text(k,d)).expect(k);
 let int=|k:&str,d:i64|get(k).and_then(|v|v.as_integer()).unwrap_or(d);
 let list=|k:&str|->Vec<String>{get(k).and_then(|v|v.as_array().map(|a|a.iter().filter_map(|s|s.as_str().map(str::to_owned)).collect())).unwrap_or_default()};
 let mut listen=list("listen"); listen.extend(o.listen.iter().cloned());
 let mut servers=list("cluster.servers"); servers.extend(o.server.iter().cloned());
 let user=o.monitor_user.clone().unwrap_or(text("monitor.user","tideover"));
 let password=text("monitor.password",&user);
 Settings{listen:listen.iter().map(|l|match l.strip_prefix("unix:"){Some(p)=>ListenAddress::Unix(p.into()),None=>ListenAddress::Tcp(l.parse().expect("addr"))}).collect(),servers,monitor_user:user.clone(),monitor_password:zeroize::Zeroizing::new(password.clone()),
 monitor_interval:dur("monitor.interval","500ms"),monitor_timeout:dur("monitor.timeout","1s"),admin:Some(std::env::var("ADM").unwrap_or(text("admin.listen","127.0.0.1:9307")).parse().expect("a")),admin_token:get("admin.token").map(|_|text("admin.token","")),users:None,tls:ServerTlsSettings::SelfSigned,server_tls:(ClientTlsMode::Preferred,None),
 pool:PoolLimits{per_server:int("pool.max_per_server",100) as usize,acquire:dur("pool.acquire_timeout","10s"),connect:dur("pool.connect_timeout","5s"),idle:dur("pool.idle_timeout","300s"),lifetime:dur("pool.max_lifetime","3600s")},hold_sessions:int("hold.max_sessions",10000) as usize,hold_max_ttl:dur("hold.max_ttl","300s"),
 session:SessionOptions{hold_timeout:dur("hold.timeout","30s"),login_timeout:dur("login_timeout","10s"),max_connections:int("max_connections",10000) as usize,max_packet:1<<30,max_transaction:1<<20,tls_required:false},
 guard:text("guard.mode","auto").parse().expect("guard.mode"),
 switchover:SwitchoverOptions{drain_timeout:dur("switchover.drain_timeout","5s"),catch_up_timeout:dur("switchover.catch_up_timeout","10s"),fence_timeout:dur("switchover.fence_timeout","3s"),max_lag:dur("switchover.max_lag","1s"),replication_user:text("switchover.replication_user",&user),replication_password:text("switchover.replication_password",&password),warm:32},
 shutdown_delay:dur("shutdown.delay","0s"),shutdown_drain:dur("shutdown.drain_timeout","10s"),shards:int("runtime.shards",1) as usize,sched_batch:false}
}
