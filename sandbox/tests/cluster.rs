use std::time::Instant;
use tideover_sandbox::servers::*;

async fn go(flavor: Flavor) {
    let t = Instant::now();
    let mut o = ClusterOptions::new(flavor);
    o.semi_sync = std::env::var_os("SEMI").is_some();
    let c = Cluster::start(o).await.unwrap();
    eprintln!("{flavor} {} started in {:?}", flavor.version().unwrap(), t.elapsed());
    c.primary().run(&["CREATE TABLE app.t(a int primary key)", "INSERT INTO app.t VALUES (1)"]).await.unwrap();
    c.wait_in_sync().await.unwrap();
    for s in c.servers() { 
        let rss = std::fs::read_to_string(format!("/proc/{}/status", s.pid().unwrap())).unwrap();
        eprintln!("{:?}", rss.lines().find(|l| l.starts_with("VmRSS")));
        assert_eq!(s.query_one::<i64>("SELECT a FROM app.t").await.unwrap(), Some(1)); 
        let mut m = s.connect_as("tideover", "tideover", None).await.unwrap();
        let mut m2 = s.connect_as("app", "app", Some("app")).await.unwrap();
        use mysql_async::prelude::Queryable;
        eprintln!("{:?}", m.query::<mysql_async::Row,_>("SHOW REPLICA STATUS").await.unwrap().len());
        eprintln!("{:?}", m2.query_drop("insert into t values (5)").await);
        if s.port == c.primary().port { m2.query_drop("delete from t where a=5").await.unwrap(); }
    }
    let t = Instant::now();
    let to = c.replicas()[0].clone();
    let r = c.promote_by_hand(&to, PromoteOptions::planned()).await.unwrap();
    eprintln!("{r:?} {:?}", t.elapsed());
    c.primary().run(&["INSERT INTO app.t VALUES (2)"]).await.unwrap();
    c.wait_in_sync().await.unwrap();
    let old = c.primary().clone();
    c.primary().kill().await.unwrap();
    let t = Instant::now();
    let to = c.most_advanced_replica().await.unwrap().clone();
    let r = c.promote_by_hand(&to, PromoteOptions::failover()).await.unwrap();
    eprintln!("{r:?} {:?}", t.elapsed());
    c.primary().run(&["INSERT INTO app.t VALUES (3)"]).await.unwrap();
    let t = Instant::now();
    c.rejoin(&old).await.unwrap();
    c.wait_in_sync().await.unwrap();
    eprintln!("rejoin {:?}", t.elapsed());
    for s in c.servers() { 
        assert_eq!(s.query_one::<i64>("SELECT count(*) FROM app.t").await.unwrap(), Some(3)); 
    }
    assert_eq!(c.find_primary().await.unwrap().port, to.port);
    let t = Instant::now();
    c.primary().stop().await.unwrap();
    eprintln!("stop {:?}", t.elapsed());
    c.primary().start_again().await.unwrap();
    eprintln!("start {:?}", t.elapsed());
    let t = Instant::now();
    drop(c);
    eprintln!("drop {:?}", t.elapsed());
}

#[tokio::test] async fn mariadb_1011() { go(Flavor::MariaDb1011).await }
#[tokio::test] async fn mariadb_118() { go(Flavor::MariaDb118).await }
#[tokio::test] async fn mysql_9() { go(Flavor::Mysql9).await }
