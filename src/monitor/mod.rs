//! Looks at the servers, judges what they are and publishes the topology. One task per server, so that one that hangs
//! delays nobody. Knows nothing of clients or the gate.

mod closing;
mod judge;
mod observation;
mod probe;
mod task;
mod wording;

pub use closing::closers;
pub use judge::{Memory, judge};
pub use observation::{Observation, Seen, Unseen};
pub use probe::Probe;
pub use task::{Monitor, MonitorOptions};
