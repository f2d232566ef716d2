//! The flight record: each switchover, failover, hold and outage with its timeline, and what each session that met it
//! went through; and the stream of events. Bounded: the limits are the constants below. Imports nothing, so
//! that everybody may write in it.

mod events;
mod flights;
mod record;

pub use events::{BEHIND, Events, Happening, Listener};
pub use flights::{FlightId, Flights};
pub use record::{
    Cause, FLIGHTS, Flight, LINGER, NOTES, Note, SESSIONS, STEPS, SessionFlight, Step, TEXT, Totals,
};
