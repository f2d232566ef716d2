use std::sync::Arc;

use super::*;
use crate::topology::{Flavor, Replication};

const A: ServerId = ServerId(0);
const B: ServerId = ServerId(1);
const C: ServerId = ServerId(2);

fn number(id: ServerId) -> u32 {
    u32::try_from(id.0).expect("small") + 1
}

fn seen(read_only: bool, follows: Option<ServerId>) -> Result<Seen, Unseen> {
    Ok(Seen {
        flavor: Flavor::MariaDb,
        version: "10.11".into(),
        number: 0,
        offers: 0,
        read_only,
        replication: follows.map(|source| Replication {
            source_host: "127.0.0.1".into(),
            source_port: 1,
            source_number: number(source),
            receiving: true,
            receiver_stopped: false,
            applying: true,
            lag: None,
            error: String::new(),
            received: String::new(),
        }),
        gtid: String::new(),
        executed: String::new(),
        binlog: None,
        logs_replica_updates: true,
        logs_statements: true,
        globals: 0,
    })
}

fn writer() -> Result<Seen, Unseen> {
    seen(false, None)
}

fn reader() -> Result<Seen, Unseen> {
    seen(true, None)
}

fn replica(of: ServerId) -> Result<Seen, Unseen> {
    seen(true, Some(of))
}

fn gone() -> Result<Seen, Unseen> {
    Err(Unseen::Gone("refused".into()))
}

fn silent() -> Result<Seen, Unseen> {
    Err(Unseen::Silent("timed out".into()))
}

struct Cluster {
    memory: Memory,
    topology: Topology,
}

impl Cluster {
    fn new() -> Self {
        let addresses: Vec<Arc<str>> = ["a:1", "b:1", "c:1"].into_iter().map(Arc::from).collect();
        Self { memory: Memory::default(), topology: Topology::unseen(&addresses) }
    }

    fn look(&mut self, results: [Result<Seen, Unseen>; 3]) -> &ClusterState {
        let looks: Vec<Observation> = results
            .into_iter()
            .enumerate()
            .map(|(at, result)| {
                let id = ServerId(at);
                Observation { id, result: result.map(|s| Seen { number: number(id), ..s }) }
            })
            .collect();
        let (memory, topology) = judge(&self.memory, &self.topology, &looks);
        self.memory = memory;
        self.topology = topology;
        &self.topology.state
    }

    fn roles(&self) -> Vec<Role> {
        self.topology.servers.iter().map(|s| s.role).collect()
    }
}

#[test]
fn finds_the_primary_in_any_order() {
    for primary in [A, B, C] {
        let mut cluster = Cluster::new();
        let looks = [A, B, C].map(|id| if id == primary { writer() } else { replica(primary) });
        assert_eq!(cluster.look(looks), &ClusterState::Ok { primary });
        assert_eq!(cluster.topology.epoch, 1);
    }
}

#[test]
fn none_and_two_are_named() {
    let mut cluster = Cluster::new();
    assert_eq!(
        cluster.look([reader(), replica(A), replica(A)]),
        &ClusterState::None { why: NoPrimary::AllReadOnly }
    );
    assert_eq!(cluster.look([gone(), gone(), gone()]), &ClusterState::None { why: NoPrimary::AllDown });
    let mut cluster = Cluster::new();
    assert_eq!(
        cluster.look([writer(), writer(), replica(A)]),
        &ClusterState::None { why: NoPrimary::TwoWriters { writers: vec!["a:1".into(), "b:1".into()] } }
    );
}

#[test]
fn a_second_writer_does_not_dethrone_the_known_one() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    assert_eq!(
        cluster.look([writer(), writer(), replica(A)]),
        &ClusterState::TwoWriters { primary: A, others: vec![B] }
    );
    assert_eq!(cluster.roles(), [Role::Primary, Role::Detached, Role::Replica]);
    // Demoted at last: the other one is it.
    assert_eq!(cluster.look([reader(), writer(), replica(A)]), &ClusterState::Ok { primary: B });
    assert_eq!(cluster.topology.epoch, 2);
}

#[test]
fn somebody_elses_switchover() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    assert_eq!(
        cluster.look([reader(), replica(A), replica(A)]),
        &ClusterState::None { why: NoPrimary::AllReadOnly }
    );
    // Writable but still receiving: half way.
    assert_eq!(
        cluster.look([reader(), seen(false, Some(A)), replica(A)]),
        &ClusterState::None { why: NoPrimary::AllReadOnly }
    );
    assert_eq!(cluster.look([reader(), writer(), replica(A)]), &ClusterState::Ok { primary: B });
    assert_eq!(cluster.roles(), [Role::Detached, Role::Primary, Role::Replica]);
    cluster.look([replica(B), writer(), replica(B)]);
    assert_eq!(cluster.roles(), [Role::Replica, Role::Primary, Role::Replica]);
}

#[test]
fn a_crashed_primary_that_returns_is_set_aside() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    cluster.look([gone(), replica(A), replica(A)]);
    assert_eq!(cluster.look([gone(), writer(), replica(A)]), &ClusterState::Ok { primary: B });
    // It comes back writable: not again the primary, also when B cannot be seen.
    assert_eq!(
        cluster.look([writer(), writer(), replica(B)]),
        &ClusterState::TwoWriters { primary: B, others: vec![A] }
    );
    assert_eq!(cluster.roles()[0], Role::Stale);
    assert_eq!(
        cluster.look([writer(), gone(), replica(B)]),
        &ClusterState::None { why: NoPrimary::OnlyStaleWriter { writer: "a:1".into() } }
    );
    // Once it follows, it is a replica like others.
    cluster.look([replica(B), writer(), replica(B)]);
    assert_eq!(cluster.roles(), [Role::Replica, Role::Primary, Role::Replica]);
    assert_eq!(cluster.look([writer(), gone(), replica(B)]), &ClusterState::Ok { primary: A });
}

#[test]
fn what_a_former_primary_has_too_much_is_named() {
    let with = |executed: &str| writer().map(|seen| Seen { executed: executed.to_owned(), ..seen });
    let mut cluster = Cluster::new();
    cluster.look([with("0-1-7"), replica(A), replica(A)]);
    cluster.look([gone(), replica(A), replica(A)]);
    assert_eq!(cluster.topology.servers[0].unanswered, Some(Unanswered::Gone));
    cluster.look([gone(), with("0-1-7,0-2-12"), replica(B)]);
    cluster.look([with("0-1-9"), with("0-1-7,0-2-12"), replica(B)]);
    assert_eq!(cluster.roles()[0], Role::Stale);
    let problem = &cluster.topology.servers[0].problem;
    assert!(problem.contains("2 transactions that the present primary lacks (0-1-8..9)"), "{problem}");
    cluster.look([with("0-1-7"), with("0-1-7,0-2-12"), replica(B)]);
    assert!(cluster.topology.servers[0].problem.ends_with("before it counts again"));
}

/// Somebody promoted a server that is not the most advanced one: it is the primary, and what it lacks is named.
#[test]
fn a_replica_that_is_ahead_of_the_new_primary_is_named() {
    let with = |result: Result<Seen, Unseen>, executed: &str| {
        result.map(|seen| Seen { executed: executed.to_owned(), ..seen })
    };
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    cluster.look([gone(), with(writer(), "0-1-7"), with(replica(A), "0-1-9")]);
    assert_eq!(cluster.roles(), [Role::Down, Role::Primary, Role::Replica]);
    let problem = &cluster.topology.servers[2].problem;
    assert_eq!(
        problem,
        "follows 127.0.0.1:1, not the primary, and has 2 transactions that the primary lacks (0-1-8..9)"
    );
}

#[test]
fn one_silent_look_is_not_the_end() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    assert_eq!(cluster.look([silent(), replica(A), replica(A)]), &ClusterState::Ok { primary: A });
    assert_eq!(
        cluster.look([silent(), replica(A), replica(A)]),
        &ClusterState::None { why: NoPrimary::AllReadOnly }
    );
    // The same server comes back: no new epoch.
    assert_eq!(cluster.look([writer(), replica(A), replica(A)]), &ClusterState::Ok { primary: A });
    assert_eq!(cluster.topology.epoch, 1);
}

#[test]
fn a_server_that_we_promoted_may_still_receive() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    cluster.memory.promoted(B);
    assert_eq!(cluster.look([reader(), seen(false, Some(A)), replica(A)]), &ClusterState::Ok { primary: B });
    assert_eq!(cluster.topology.epoch, 2);
    assert_eq!(cluster.roles(), [Role::Detached, Role::Primary, Role::Replica]);
}

#[test]
fn a_replica_that_accepts_writes_is_named() {
    let mut cluster = Cluster::new();
    cluster.look([writer(), seen(false, Some(A)), replica(A)]);
    let [_, b, c] = cluster.topology.servers.as_slice() else { panic!("three servers") };
    assert_eq!((b.role, b.problem.as_str()), (Role::Replica, "accepts writes (read_only is off)"));
    assert_eq!((c.role, c.problem.as_str()), (Role::Replica, ""));
}

/// A living server that refuses the monitor's account serves its clients as before.
#[test]
fn a_refused_look_takes_nothing_away() {
    let refused = || Err(Unseen::Denied("Access denied".into()));
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    for _ in 0..5 {
        assert_eq!(cluster.look([refused(), refused(), refused()]), &ClusterState::Ok { primary: A });
        assert_eq!(cluster.roles(), [Role::Primary, Role::Replica, Role::Replica]);
    }
    assert!(cluster.topology.servers.iter().all(|s| s.problem == "Access denied" && !s.is_open()));
    cluster.look([writer(), replica(A), replica(A)]);
    assert!(cluster.topology.servers.iter().all(|s| s.problem.is_empty() && s.is_open()));
    // One that is gone stays gone until it lets us look.
    cluster.look([gone(), replica(A), replica(A)]);
    assert!(matches!(cluster.look([refused(), replica(A), replica(A)]), ClusterState::None { .. }));
    assert_eq!(cluster.roles()[0], Role::Down);
}

/// What the one that refuses us is by now is not known; that another was made writable is.
#[test]
fn a_promotion_beside_a_primary_that_refuses_the_account() {
    let refused = || Err(Unseen::Denied("Access denied".into()));
    let mut cluster = Cluster::new();
    cluster.look([writer(), replica(A), replica(A)]);
    assert_eq!(cluster.look([refused(), replica(A), replica(A)]), &ClusterState::Ok { primary: A });
    assert_eq!(cluster.look([refused(), writer(), replica(B)]), &ClusterState::Ok { primary: B });
    assert_eq!(cluster.roles(), [Role::Stale, Role::Primary, Role::Replica]);
    assert_eq!(
        cluster.look([writer(), writer(), replica(B)]),
        &ClusterState::TwoWriters { primary: B, others: vec![A] }
    );
}

#[test]
fn an_account_that_was_never_let_in_is_named() {
    let refused = || Err(Unseen::Denied("Access denied".into()));
    let mut cluster = Cluster::new();
    let state = cluster.look([refused(), replica(A), replica(A)]);
    let ClusterState::None { why } = state else { panic!("{state:?}") };
    assert!(why.to_string().ends_with("(monitor.user, monitor.password): Access denied"), "{why}");
}
