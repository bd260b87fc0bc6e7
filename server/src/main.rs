//! One axum server: keys, sessions, transcripts, and every door to the outside.
fn main() {}
