//! The MySQL wire protocol, sans-io.
