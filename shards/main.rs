//! The wattle server.

#[allow(dead_code, reason = "the server that opens the socket is still to come")]
mod admin;
#[allow(dead_code, reason = "the shards that ring it are still to come")]
mod bell;
#[allow(dead_code, reason = "the shards that show them are still to come")]
mod certificates;
mod cli;
#[allow(dead_code, reason = "the shards that read it are still to come")]
mod clock;
mod configuration;
#[allow(dead_code, reason = "the server that rolls most of them is still to come")]
mod dice;
#[allow(dead_code, reason = "the shards that run on it are still to come")]
mod engine;
mod fault;
#[allow(dead_code, reason = "the shards that ask it are still to come")]
mod hash;
#[allow(dead_code, reason = "the server that writes it is still to come")]
mod log;
#[allow(dead_code, reason = "the shards that read them are still to come")]
mod mailbox;
#[allow(dead_code, unused_imports, reason = "the shards that ask it are still to come")]
mod store;
#[allow(dead_code, reason = "the connections that speak it are still to come")]
mod tls;
#[allow(dead_code, reason = "the shards that read it are still to come")]
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
