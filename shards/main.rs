//! The wattle server.

#[allow(dead_code, unused_imports, reason = "the program that asks it is still to come")]
mod store;

fn main() {}
