//! The wattle server.

mod admin;
mod bell;
mod boot;
mod certificates;
mod cli;
mod clock;
mod configuration;
mod core;
mod dice;
mod engine;
mod fault;
mod hash;
mod listen;
mod log;
mod mailbox;
mod perform;
mod signals;
mod store;
mod system;
mod tls;
mod wire;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    system::refuse_huge_pages();
    cli::main()
}
