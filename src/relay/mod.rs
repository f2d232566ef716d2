//! One command's whole answer between two connections, streaming: frames are forwarded as bytes, only frame heads are
//! looked at, and the few control frames (OK, ERR, EOF …) are shown to a [`Controls`] that decides about each. Knows
//! nothing of sessions, transactions or routing.

mod exchange;
mod mark;
mod signal;

pub use exchange::{Answer, Controls, Exchange, Lost, Verdict};
pub use mark::Mark;
pub use signal::{Signal, Signals};
