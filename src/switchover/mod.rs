//! A planned switchover: a pure phase table, and the coordinator that carries its actions out. Meets the sessions only
//! in the gate, the pools and the topology store.

mod coordinator;
mod failover;
mod fence;
mod hold;
mod options;
mod phase;
mod preflight;
mod repoint;
mod report;
mod rights;
mod statements;
mod undo;

pub use coordinator::Coordinator;
pub use failover::{Count, Failover, FailoverNote, FailoverOptions};
pub use hold::{HoldReport, Holder};
pub use options::{CoordinatorParts, Request, SwitchoverOptions};
pub use phase::{Action, Event, Phase, step};
pub use preflight::{Finding, Preflight};
pub use report::{Outcome, PhaseTime, Progress, Report};
pub use rights::missing_rights;
