//! Every chore of this repository: install, build, run, test, size.
fn main() {}
