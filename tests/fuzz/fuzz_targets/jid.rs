//! libFuzzer's entry to the target `jid`.
#![no_main]

#[path = "../targets/jid.rs"]
mod jid;

libfuzzer_sys::fuzz_target!(|data: &[u8]| jid::run(data));
