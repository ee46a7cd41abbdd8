//! The published vectors of the format, `spec/vectors/ledger-v1.json`: a byte that changes here is
//! a change of the format.

use quark_trace_core::ids::ProjectId;
use quark_trace_core::ledger::merkle::{Levels, leaf_hash};
use quark_trace_core::ledger::proof::TlogProof;
use quark_trace_core::ledger::{
    Checkpoint, CompactRange, Digest, Entry, Kind, Origin, SignerKey, VerifierKey, dsse, entry,
};
use quark_trace_core::record::View;
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/ledger-v1.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(vectors: &'a Value, pointer: &str) -> &'a str {
    vectors.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

fn objects(vectors: &Value) -> Vec<Vec<u8>> {
    let lines = vectors["record_lines"].as_array().unwrap().iter();
    let lines = lines.map(|line| line.as_str().unwrap().as_bytes().to_vec());
    std::iter::once(text(vectors, "/header_object").as_bytes().to_vec()).chain(lines).collect()
}

fn entries(vectors: &Value) -> Vec<String> {
    let entries = vectors["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["line"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn objects_entries_and_leaves() {
    let vectors = vectors();
    let kinds = [Kind::Log, Kind::RecordAdopted, Kind::RecordAdopted, Kind::Record];
    for (index, object) in objects(&vectors).iter().enumerate() {
        let digest = Digest::of(object);
        assert_eq!(digest.to_string(), text(&vectors, &format!("/objects_sha256/{index}")));
        let mut line = Vec::new();
        entry::write(&mut line, kinds[index], digest);
        if index == 3 {
            let signature = dsse::sign([9; 32], Kind::Record, digest, "demo");
            line.extend_from_slice(format!(" sig={signature}").as_bytes());
        }
        assert_eq!(String::from_utf8(line.clone()).unwrap(), entries(&vectors)[index]);
        let leaf = leaf_hash(&line).to_string();
        assert_eq!(leaf, text(&vectors, &format!("/entries/{index}/leaf_hash")));
    }
}

#[test]
fn roots_of_every_size() {
    let vectors = vectors();
    let mut range = CompactRange::new();
    for (index, entry) in entries(&vectors).iter().enumerate() {
        range.push(leaf_hash(entry.as_bytes()));
        assert_eq!(range.root().to_string(), text(&vectors, &format!("/roots/{index}/hex")));
        let base64 = range.root().to_base64();
        assert_eq!(base64, text(&vectors, &format!("/roots/{index}/base64")));
    }
}

#[test]
fn origin_key_and_checkpoint() {
    let vectors = vectors();
    let project: ProjectId = "demo".parse().unwrap();
    let origin = Origin::new("trace.example.org", &project);
    assert_eq!(origin.as_str(), text(&vectors, "/origin"));
    assert_eq!(origin.log_id().to_string(), text(&vectors, "/log_id"));
    let signer = SignerKey::new(origin.as_str(), [7; 32]).unwrap();
    assert_eq!(signer.verifier().to_string(), text(&vectors, "/vkey"));
    let mut range = CompactRange::new();
    entries(&vectors).iter().for_each(|entry| range.push(leaf_hash(entry.as_bytes())));
    let checkpoint = Checkpoint::of(&origin, &range).unwrap();
    let note = checkpoint.sign(&signer);
    assert_eq!(note, text(&vectors, "/checkpoint"));
    let key = VerifierKey::parse(text(&vectors, "/vkey")).unwrap();
    assert_eq!(Checkpoint::open(&note, &key), Ok(checkpoint));
}

#[test]
fn proof_of_one_entry() {
    let vectors = vectors();
    let mut levels = Levels::new();
    entries(&vectors).iter().for_each(|entry| levels.push(leaf_hash(entry.as_bytes())));
    let proof = TlogProof {
        index: 2,
        path: levels.inclusion_proof(2, 4).unwrap(),
        checkpoint: text(&vectors, "/checkpoint").to_owned(),
    };
    let expected = text(&vectors, "/proof_of_entry_2");
    assert_eq!(proof.to_string(), expected);
    let proof = TlogProof::parse(expected).unwrap();
    let key = VerifierKey::parse(text(&vectors, "/vkey")).unwrap();
    assert_eq!(proof.verify(levels.leaf(2).unwrap(), &key).unwrap().size, 4);
    assert!(proof.verify(levels.leaf(1).unwrap(), &key).is_err());
}

#[test]
fn node_signature() {
    let vectors = vectors();
    let key = SignerKey::new("node", [9; 32]).unwrap().verifier().public_key();
    assert_eq!(dsse::key_digest(key).to_string(), text(&vectors, "/node_spki_sha256"));
    let line = entries(&vectors).remove(3);
    let entry = Entry::parse(line.as_bytes()).unwrap();
    let signed = dsse::signed_bytes(entry.kind, entry.object, "demo");
    assert_eq!(String::from_utf8(signed).unwrap(), text(&vectors, "/signed_bytes_of_entry_3"));
    let signature = entry.attribute("sig").unwrap();
    assert!(dsse::verify(signature, key, entry.kind, entry.object, "demo"));
    assert!(!dsse::verify(signature, key, entry.kind, entry.object, "other"));
    assert!(!dsse::verify(signature, key, Kind::RecordAdopted, entry.object, "demo"));
    assert!(!dsse::verify(&signature[1..], key, entry.kind, entry.object, "demo"));
}

#[test]
fn the_lines_read_as_records() {
    for line in &objects(&vectors())[1..] {
        let view = View::parse(line).unwrap();
        assert_eq!(view.project_id.to_str(), "demo");
        assert!(view.payload.starts_with(b"{"));
    }
}
