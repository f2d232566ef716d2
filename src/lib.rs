//! Tideover: a MySQL-wire-protocol proxy for switching a database primary without the application seeing an error.

pub mod gate;
pub mod net;
pub mod relay;
pub mod session;
pub mod sql;
pub mod topology;
