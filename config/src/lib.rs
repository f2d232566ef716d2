//! The configuration of Tideover.
