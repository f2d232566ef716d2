//! What a client's session amounts to, so that it can move to another server. PURE.
//!
//! `Tracker` follows a session from its statements and their answers, `plan` says how a server connection gets
//! into a session's state, `PreparedStatements` and `ServerStatements` map statement ids between the two sides.
//! Nothing here knows of sockets, pools or time.

mod found_rows;
mod held;
mod insert_id;
mod pin;
mod prepared;
mod restore;
mod server_statements;
mod set;
mod sql_prepare;
mod state;
mod tracker;
mod unread;

pub use pin::{PinReason, Pins};
pub use prepared::{ClientStatement, LongDataError, ParameterType, Prepared, PreparedStatements};
pub use restore::{Restore, Step, plan};
pub use server_statements::{ServerStatements, StatementKey};
pub use state::{Change, SessionState, Setting, is_state, tracker_setup};
pub use tracker::{Outcome, Tracker};
pub use unread::{Unread, UserValue};

#[cfg(test)]
mod tests;
