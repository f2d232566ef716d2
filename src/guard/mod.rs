//! The guard: finds out what became of a unit whose answer was lost. Every write carries a tag that names its server
//! connection; the servers keep the texts of statements in their binary logs, and replicas write them on into theirs. So
//! the log of the present primary says whether the unit was committed: found means yes, and not found means that it never
//! will be. Where a tag cannot prove that, a row of the marker table does, written by the same transaction.
//!
//! The decisions are in `tag`, `gtid`, `evidence` and `rows`, all PURE. Must not know what a session is.

mod case;
mod desk;
mod drained;
mod evidence;
mod gone;
mod gtid;
mod inspect;
mod log_reader;
mod looks;
mod marker;
mod markers;
mod mode;
mod programs;
mod readiness;
mod rows;
mod settler;
mod tag;

pub use case::{Case, Doubt, Inserted, Settlement, Writing};
pub use marker::{Step, call, grant_to, grant_to_all, setup};
pub use mode::GuardMode;
pub use programs::Identity;
pub use settler::{Guard, GuardParts};
