//! See `bodies::proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::proof(data));
