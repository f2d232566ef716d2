//! The proxy as a black box: a process of its own, its configuration file, its ports and its admin API. Nothing of its
//! code is used here, so a test that goes through this module sees what an operator would see.

mod admin;
mod answer;
mod options;
mod process;
mod setup;

pub use admin::Admin;
pub use answer::{Answer, PhaseTime, Progress, SwitchoverReport};
pub use options::ProxyOptions;
pub use process::Proxy;
pub use setup::set_up;
