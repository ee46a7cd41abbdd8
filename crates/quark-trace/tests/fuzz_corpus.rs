//! Replays the corpus of every fuzz target, and short changes of it, in the normal tests.

use std::fs;
use std::path::PathBuf;

#[path = "../../../fuzz/src/bodies.rs"]
mod bodies;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|_| panic!("{target} has no corpus"));
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// The input, and cut off or with one byte changed at about `places` places.
fn variations(input: &[u8], places: usize) -> Vec<Vec<u8>> {
    let mut all = vec![input.to_vec()];
    let step = (input.len() / places).max(1);
    for at in (0..input.len()).step_by(step) {
        all.push(input[..at].to_vec());
        for byte in [b'\n', b'\r', b'"', 0x00, 0xFF] {
            let mut changed = input.to_vec();
            changed[at] = byte;
            all.push(changed);
        }
    }
    all
}

#[test]
fn every_target_holds_on_its_corpus() {
    for (target, body) in bodies::TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 3, "{target} has too small a corpus");
        // Those that write files flush them, too.
        let places = if target.ends_with("_file") { 3 } else { 40 };
        inputs.iter().flat_map(|input| variations(input, places)).for_each(|input| body(&input));
    }
}
