//! The admin API: HTTP and JSON, loopback by default. An edge: it shows what others know and hands commands on.

mod api;
mod http;
mod status;

pub(crate) use api::parse_ttl;
pub use api::{Admin, Reload, Reloaded, SwitchoverRequest};
pub use http::serve;
pub use status::{FailoverView, GateView, ReaderView, RoutingView, ServerView, SessionsView, Status};
