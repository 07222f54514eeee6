//! libFuzzer's entry to the target `frame`.
#![no_main]

#[path = "../targets/frame.rs"]
mod frame;
#[path = "../targets/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| frame::run(data));
