//! What follows a failure, and what a transaction did so far. The decisions are PURE; carrying a replay out is not here
//! yet, the seam for it is [`Journal`].

mod journal;
mod policy;

pub use journal::Journal;
pub use policy::{Broke, Failure, OutcomeClass, Place, Sent, Verdict, class, decide, is_read_only_refusal};
