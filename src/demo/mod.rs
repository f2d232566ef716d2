//! `tideover demo`: real servers, the proxy, clients through it and as many clients connected directly, a switchover every
//! few seconds, and at the end the books. An edge: it starts the proxy as a process of its own and sees of it what an
//! operator sees.
//!
//! `run` wires the parts; `switcher` commands the switchovers; `picture` and `summary` turn values into lines (no clock, no
//! terminal); `screen` puts lines on a terminal.

mod groups;
mod history;
mod options;
mod picture;
mod run;
mod screen;
mod state;
mod style;
mod summary;
mod switcher;

pub use options::DemoOptions;
pub use run::run;
