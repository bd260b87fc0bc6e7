//! The line to our server: requests in [`api`], answers as they are written in [`stream`].

pub mod api;
pub mod stream;
