//! See `bodies::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::query(data));
