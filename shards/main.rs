//! The wattle server.
fn main() {}
