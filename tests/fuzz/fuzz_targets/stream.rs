//! libFuzzer's entry to the target `stream`.
#![no_main]

#[path = "../targets/oracle.rs"]
mod oracle;
#[path = "../targets/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stream::run(data));
