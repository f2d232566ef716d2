//! Tideover: a MySQL-wire-protocol proxy for switching a database primary without the application seeing an error.
//!
//! The map, from the edge inwards: [`cli`] → [`app`] → [`admin`], [`frontend`], [`switchover`], [`monitor`], [`replay`],
//! [`relay`], [`backend`], [`net`], [`gate`], [`flight`], [`guard`], [`route`], [`topology`], and the PURE [`session`] and [`sql`].

pub mod admin;
pub mod app;
pub mod backend;
pub mod cli;
pub mod demo;
pub mod flight;
pub mod frontend;
pub mod gate;
pub mod guard;
pub mod metrics;
pub mod monitor;
pub mod net;
pub mod relay;
pub mod replay;
pub mod route;
pub mod session;
pub mod sql;
pub mod switchover;
pub mod topology;
