//! What is written is read back, for inputs nobody thought of; and no reader panics.

use proptest::prelude::*;
use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::proof::TlogProof;
use quark_trace_core::ledger::{
    Checkpoint, Digest, Entry, Kind, Note, Origin, SignerKey, VerifierKey, entry,
};
use quark_trace_core::payload::Payload;
use quark_trace_core::record::View;
use quark_trace_core::sheet::FactSheet;

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn checkpoint() -> impl Strategy<Value = (SignerKey, Checkpoint)> {
    let parts = ("[a-z0-9.-]{1,60}", "[^./\\\\\\pC][^/\\\\\\pC]{0,40}", any::<[u8; 32]>());
    (parts, 1..u64::MAX, digest()).prop_filter_map("an id of blanks", |(parts, size, root)| {
        let (authority, project, seed) = parts;
        let origin = Origin::new(&authority, &project.parse::<ProjectId>().ok()?);
        let key = SignerKey::new(origin.as_str(), seed).ok()?;
        Some((key, Checkpoint { origin, size, root }))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn entries(
        kind in "[a-z0-9-]{1,20}",
        object in digest(),
        attributes in prop::collection::vec(("[a-z]{1,8}", "[!-~]{1,40}"), 0..8),
    ) {
        let mut line = Vec::new();
        entry::write(&mut line, Kind::Other(&kind), object);
        for (name, value) in &attributes {
            line.extend_from_slice(format!(" {name}={value}").as_bytes());
        }
        let read = Entry::parse(&line).unwrap();
        prop_assert_eq!((read.kind.as_str(), read.object), (kind.as_str(), object));
        let found: Vec<_> = read.attributes().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        prop_assert_eq!(found, attributes);
    }

    #[test]
    fn checkpoints_and_notes((key, checkpoint) in checkpoint()) {
        let note = checkpoint.sign(&key);
        prop_assert_eq!(Checkpoint::open(&note, key.verifier()).unwrap(), checkpoint.clone());
        prop_assert_eq!(VerifierKey::parse(&key.verifier().to_string()).unwrap(),
            key.verifier().clone());
        let parsed = Note::parse(&note).unwrap();
        prop_assert_eq!(parsed.text(), checkpoint.text());
        prop_assert_eq!(parsed.signatures().count(), 1);
    }

    #[test]
    fn proofs(
        (key, checkpoint) in checkpoint(),
        index in any::<u64>(),
        path in prop::collection::vec(digest(), 0..=64),
    ) {
        let proof = TlogProof { index, path, checkpoint: checkpoint.sign(&key) };
        let read = TlogProof::parse(&proof.to_string()).unwrap();
        prop_assert_eq!(&read, &proof);
        prop_assert_eq!(read.checkpoint_unverified().unwrap(), checkpoint);
    }

    #[test]
    fn no_reader_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_with_everything(&bytes);
    }

    /// Bytes that look like what is expected reach further into the readers.
    #[test]
    fn no_reader_panics_on_what_is_nearly_right(
        (key, checkpoint) in checkpoint(),
        index in any::<u64>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let note = checkpoint.sign(&key);
        let proof = TlogProof { index, path: vec![checkpoint.root; 3], checkpoint: note.clone() };
        let line = br#"{"record_id": "1", "project_id": "p", "stage": "s", "timestamp": "t",
            "payload": {"a": [1e5, -0.0, NaN, "\ud800"], "b": {"$numberDouble": "NaN"}}}"#;
        let vkey = key.verifier().to_string();
        for good in [note.as_bytes(), proof.to_string().as_bytes(), line, vkey.as_bytes()] {
            let mut bytes = good.to_vec();
            *at.get_mut(&mut bytes) = byte;
            read_with_everything(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            read_with_everything(&bytes);
        }
    }
}

fn read_with_everything(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Entry::parse(bytes);
    let _ = View::parse(bytes);
    let _ = Payload::from_json(bytes);
    let _ = FactSheet::from_json(bytes);
    let _ = FactSheet::from_yaml(bytes, "2026-01-02T03:04:05+00:00");
    let _ = Digest::from_hex(bytes);
    let _ = Note::parse(&text).map(|note| note.signatures().count());
    let _ = Checkpoint::parse(&text);
    let _ = VerifierKey::parse(&text);
    let _ = Origin::parse(&text);
    let _ = text.parse::<ProjectId>();
    if let Ok(proof) = TlogProof::parse(&text) {
        let key = SignerKey::new("x", [1; 32]).unwrap();
        let _ = proof.verify(Digest::of(bytes), key.verifier());
        let _ = proof.checkpoint_unverified();
    }
}
