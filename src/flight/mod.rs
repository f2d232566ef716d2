//! The flight record: each switchover, failover, hold and outage with its timeline, and what each session that met it
//! went through; the stream of events; and which commits were acknowledged to whom, to know after a failover which of
//! them are lost. Bounded: the limits are the constants below. Imports next to nothing, so that everybody may write in it.

mod acknowledged;
mod events;
mod flights;
mod ledger;
mod record;

pub use acknowledged::Acknowledged;
pub use events::{BEHIND, Events, Happening, Listener};
pub use flights::{FlightId, Flights};
pub use ledger::{COMMITS, LostCommit};
pub use record::{
    Cause, FLIGHTS, Flight, LINGER, NOTES, Note, SESSIONS, STEPS, SessionFlight, Step, TEXT, Totals,
};
