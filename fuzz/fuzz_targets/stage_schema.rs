//! See `bodies::stage_schema`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_trace_fuzz::stage_schema(data));
