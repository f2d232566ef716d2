//! Whether a server that comes back may follow the present primary. PURE.

use crate::topology::{GtidSet, Replication, Role, Server};

/// What to do with a server that is seen again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Return {
    /// Nothing: it is no returner, or there is nothing to do yet.
    Leave,
    /// It accepts writes: first of all that must end.
    Fence,
    /// All that it has is known to the primary: it is made to follow.
    Follow,
    /// It has transactions that the primary lacks: it is left alone, and named.
    SetAside(String),
}

/// Judges a server beside the present `primary`; `replaced` is the `server_id` of the primary before it.
pub(super) fn judge(server: &Server, primary: &Server, replaced: u32) -> Return {
    let stale = server.role == Role::Stale;
    let left_behind = server.role == Role::Replica
        && server.replication.as_ref().is_some_and(|r| replaced != 0 && r.source_number == replaced);
    if server.id == primary.id || !server.is_open() || !(stale || left_behind) {
        return Return::Leave;
    }
    if !server.read_only {
        return Return::Fence;
    }
    // Somebody has told it whom to follow, and it is connecting or connected.
    let follows = |r: &Replication| {
        !r.receiver_stopped && *primary.address == format!("{}:{}", r.source_host, r.source_port)
    };
    if server.replication.as_ref().is_some_and(follows) {
        return Return::Leave;
    }
    let errant = GtidSet::parse(&server.executed).minus(&GtidSet::parse(&primary.executed));
    if errant.is_empty() { Return::Follow } else { Return::SetAside(format!("{errant}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::ServerId;

    fn server(id: usize, role: Role, executed: &str) -> Server {
        let mut server = Server::unseen(ServerId(id), format!("x:{}", id + 1).into());
        server.number = u32::try_from(id).expect("small") + 1;
        server.role = role;
        server.executed = executed.into();
        server
    }

    fn follows(number: u32) -> Option<Replication> {
        Some(Replication {
            source_host: "x".into(),
            source_port: u16::try_from(number).expect("small"),
            source_number: number,
            receiving: false,
            receiver_stopped: false,
            applying: true,
            lag: None,
            error: String::new(),
            received: String::new(),
        })
    }

    #[test]
    fn the_table() {
        let primary = server(1, Role::Primary, "0-1-10,0-2-15");
        let judged = |s: &Server| judge(s, &primary, 1);
        let old = |executed: &str| server(0, Role::Stale, executed);
        assert_eq!(judged(&Server { read_only: false, ..old("0-1-10") }), Return::Fence);
        assert_eq!(judged(&old("0-1-10")), Return::Follow);
        assert_eq!(judged(&old("0-1-9")), Return::Follow);
        assert_eq!(judged(&old("0-1-12")), Return::SetAside("0-1-11..12".into()));
        assert_eq!(judged(&Server { role: Role::Down, ..old("0-1-9") }), Return::Leave);
        assert_eq!(judged(&primary), Return::Leave);
        // A replica that was away while the primary was replaced.
        let replica = server(2, Role::Replica, "0-1-7");
        assert_eq!(judged(&Server { replication: follows(1), ..replica.clone() }), Return::Follow);
        assert_eq!(judged(&Server { replication: follows(2), ..replica.clone() }), Return::Leave);
        assert_eq!(judge(&Server { replication: follows(0), ..replica }, &primary, 0), Return::Leave);
        // It was pointed at the primary by somebody, and is not connected yet.
        let follows_primary =
            Replication { source_host: "y".into(), source_port: 2, ..follows(0).expect("some") };
        let on_its_way = Server { replication: Some(follows_primary.clone()), ..old("") };
        let primary_at = Server { address: "y:2".into(), ..primary.clone() };
        assert_eq!(judge(&on_its_way, &primary_at, 1), Return::Leave);
        let stopped = Replication { receiver_stopped: true, ..follows_primary };
        assert_eq!(
            judge(&Server { replication: Some(stopped), ..on_its_way }, &primary_at, 1),
            Return::Follow
        );
        assert_eq!(judged(&server(2, Role::Detached, "0-1-7")), Return::Leave);
    }
}
