//! See `bodies::sheet_yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::sheet_yaml(data));
