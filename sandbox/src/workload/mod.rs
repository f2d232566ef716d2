//! Clients that use a database as an application does, and keep books.
//!
//! Each client has one connection and works through a mix of units: transfers in transactions, autocommit writes,
//! prepared statements, reads, and checks that its session is still the one it set up. It writes down what the database
//! acknowledged; [`Books::check`] compares that with what is stored in the end. A client never reconnects silently: a
//! lost connection is counted as an error and as a lost session before it opens a new one.

mod books;
mod client;
mod long;
mod mix;
mod options;
mod run;
mod schema;
mod snapshot;
mod statement;
mod tally;

pub use books::{Books, BooksReport};
pub use mix::{Kind, Mix};
pub use options::{DeadlockPolicy, WorkloadOptions};
pub use run::{Report, Workload};
pub use snapshot::{ErrorCount, Snapshot};
