//! What follows a failure, what a transaction did so far, and what of it must come out the same when it is done again.
//! PURE: `frontend::replayer` carries replays out.

mod budget;
mod digest;
mod journal;
mod policy;
mod recording;

pub use budget::Budget;
pub use digest::{Digest, Results};
pub use journal::{Entry, Fixed, Journal};
pub use policy::{
    Broke, Failure, OutcomeClass, Place, Sent, Verdict, class, decide, is_not_ready, is_open_after,
    is_read_only_refusal,
};
pub use recording::{Ended, Isolation, Recording, recording};
