//! The wattle server.

#[allow(dead_code, reason = "the server that opens the socket is still to come")]
mod admin;
mod cli;
mod configuration;
#[allow(dead_code, reason = "the server that rolls most of them is still to come")]
mod dice;
mod fault;
#[allow(dead_code, reason = "the server that writes it is still to come")]
mod log;
#[allow(dead_code, unused_imports, reason = "the shards that ask it are still to come")]
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
