//! See `bodies::ledger_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::ledger_file(data));
