//! Which servers there are, what each of them is, and which one is the primary: an immutable snapshot with a version,
//! and the store that publishes it. Knows nothing of connections, sessions or switchovers.

mod gtid;
mod model;
mod store;

pub use gtid::GtidSet;
pub use model::{
    BinlogPosition, ClusterState, Flavor, NoPrimary, Replication, Role, Server, ServerId, Topology,
    Unanswered,
};
pub use store::TopologyStore;
