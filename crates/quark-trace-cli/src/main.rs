//! The command `quark-trace`.
fn main() {}
