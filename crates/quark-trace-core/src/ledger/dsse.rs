//! Node signatures: a node signs the digest of what it reports (DSSE envelope, Ed25519).
//!
//! The project and the kind are bound, so that a signature cannot be replayed elsewhere; the
//! content is not needed to check it, so that it can still be checked after erasure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::{Digest, Kind};

const TYPE: &str = "application/vnd.quark-trace.entry.v1";
/// DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The bytes that are signed: the DSSE pre-authentication encoding of the two-line body.
pub fn signed_bytes(kind: Kind<'_>, object: Digest, project_id: &str) -> Vec<u8> {
    let project = Digest::of(project_id.as_bytes());
    let body = format!("{kind} sha256:{object}\nproject sha256:{project}\n");
    format!("DSSEv1 {} {TYPE} {} {body}", TYPE.len(), body.len()).into_bytes()
}

/// SHA-256 of the key's SubjectPublicKeyInfo: what names a node key.
pub fn key_digest(public_key: [u8; 32]) -> Digest {
    Digest::of_parts(&[&SPKI_PREFIX, &public_key])
}

/// Makes the value of the attribute `sig=` for an entry.
pub fn sign(seed: [u8; 32], kind: Kind<'_>, object: Digest, project_id: &str) -> String {
    let key = SigningKey::from_bytes(&seed);
    let signature = key.sign(&signed_bytes(kind, object, project_id)).to_bytes();
    let name = key_digest(key.verifying_key().to_bytes()).to_string();
    format!("{}:{}", &name[..16], URL_SAFE_NO_PAD.encode(signature))
}

/// Checks the value of an attribute `sig=` against a node's public key.
pub fn verify(
    value: &str,
    public_key: [u8; 32],
    kind: Kind<'_>,
    object: Digest,
    project_id: &str,
) -> bool {
    let Some((name, signature)) = value.split_once(':') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let Ok(signature) = Signature::from_slice(&signature) else { return false };
    let Ok(key) = VerifyingKey::from_bytes(&public_key) else { return false };
    key_digest(public_key).to_string().starts_with(name)
        && name.len() == 16
        && key.verify_strict(&signed_bytes(kind, object, project_id), &signature).is_ok()
}
