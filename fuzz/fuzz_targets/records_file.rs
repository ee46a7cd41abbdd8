//! See `bodies::records_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::records_file(data));
