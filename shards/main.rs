//! The wattle server.

mod admin;
mod boot;
mod certificates;
mod cli;
mod clock;
mod configuration;
mod connections;
mod core;
mod cores;
mod dice;
mod doorbell;
mod engine;
mod fault;
mod hash;
mod listen;
mod log;
mod mailbox;
mod perform;
mod poller;
mod signals;
mod store;
mod supervisor;
mod sync;
mod system;
mod tls;
mod wire;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Among the first code of the process, before anything allocates: memory that was touched as a huge page stays one.
#[used]
// SAFETY: the loader calls what stands in this section once, without a fixed order; the function depends on nothing.
#[unsafe(link_section = ".init_array")]
static EARLY: extern "C" fn() = system::refuse_huge_pages;

fn main() -> ExitCode {
    cli::main()
}
