//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::Digest;

/// Algorithm byte of plain Ed25519 signatures.
const ED25519: u8 = 0x01;
const DASH: &str = "\u{2014} ";

/// Why a note, key or signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteFault {
    /// Not in the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// Not in the form of a verifier key.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// No signature by the key.
    #[error("the note is not signed by the key")]
    Unsigned,
    /// A signature by the key does not fit the text.
    #[error("the signature does not fit the text")]
    Signature,
}

fn check_name(name: &str) -> Result<(), NoteFault> {
    let bad = |c: char| c.is_whitespace() || c == '+' || c.is_control();
    if name.is_empty() || name.chars().any(bad) {
        return Err(NoteFault::Key("the name is empty or holds white space or +"));
    }
    Ok(())
}

/// A public key with its name: `name+<hash>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Names a raw Ed25519 public key.
    pub fn new(name: &str, public_key: [u8; 32]) -> Result<Self, NoteFault> {
        check_name(name)?;
        let key = VerifyingKey::from_bytes(&public_key)
            .map_err(|_| NoteFault::Key("the bytes are no Ed25519 public key"))?;
        if key.is_weak() {
            return Err(NoteFault::Key("the Ed25519 public key is of small order"));
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// Reads `name+<hash>+<base64>` and checks that the hash belongs to the name and key.
    pub fn parse(text: &str) -> Result<Self, NoteFault> {
        let (name, rest) = text.split_once('+').ok_or(NoteFault::Key("no + after the name"))?;
        let (hash, key) = rest.split_once('+').ok_or(NoteFault::Key("no + after the hash"))?;
        let bytes = STANDARD.decode(key).map_err(|_| NoteFault::Key("the key is not base64"))?;
        let [ED25519, key @ ..] = bytes.as_slice() else {
            return Err(NoteFault::Key("not an Ed25519 key"));
        };
        let key = key.try_into().map_err(|_| NoteFault::Key("the key is not 32 bytes"))?;
        let key = Self::new(name, key)?;
        if hash != format!("{:08x}", key.id()) {
            return Err(NoteFault::Key("the hash does not belong to the name and key"));
        }
        Ok(key)
    }

    /// The name: for a log its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The raw public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The four-byte key id: SHA-256(name || LF || 0x01 || key), its first bytes.
    pub fn id(&self) -> u32 {
        let digest =
            Digest::of_parts(&[self.name.as_bytes(), b"\n", &[ED25519], self.key.as_bytes()]);
        u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]])
    }

    /// Checks that the note carries a valid signature by this key.
    pub fn verify(&self, note: &Note<'_>) -> Result<(), NoteFault> {
        let id = self.id();
        let line = note
            .signatures()
            .find(|line| line.name == self.name && line.id == id)
            .ok_or(NoteFault::Unsigned)?;
        let signature = Signature::from_slice(&line.signature).map_err(|_| NoteFault::Signature)?;
        self.key.verify_strict(note.text().as_bytes(), &signature).map_err(|_| NoteFault::Signature)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        write!(formatter, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(key))
    }
}

/// A private key with its name. It is never shown: `Debug` prints the name alone.
#[derive(Clone)]
pub struct SignerKey {
    verifier: VerifierKey,
    id: u32,
    key: SigningKey,
}

impl SignerKey {
    /// Names a private key given as its 32-byte seed.
    pub fn new(name: &str, seed: [u8; 32]) -> Result<Self, NoteFault> {
        let key = SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::new(name, key.verifying_key().to_bytes())?;
        Ok(Self { id: verifier.id(), verifier, key })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text that ends with a line feed; returns the whole note.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let blob = [&self.id.to_be_bytes(), signature.as_slice()].concat();
        format!("{text}\n{DASH}{} {}\n", self.verifier.name, STANDARD.encode(blob))
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignerKey")
            .field("name", &self.verifier.name)
            .finish_non_exhaustive()
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine<'a> {
    /// Who signed.
    pub name: &'a str,
    /// The key id.
    pub id: u32,
    /// What follows the key id: 64 bytes for Ed25519.
    pub signature: Vec<u8>,
}

/// A signed note, split into its text and signature lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: &'a str,
}

impl<'a> Note<'a> {
    /// Splits a note and checks the form of every line.
    pub fn parse(note: &'a str) -> Result<Self, NoteFault> {
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteFault::Form("a control character"));
        }
        let at =
            note.rfind("\n\n").ok_or(NoteFault::Form("no blank line before the signatures"))?;
        let (text, signatures) = (&note[..at + 1], &note[at + 2..]);
        if signatures.is_empty() || !signatures.ends_with('\n') {
            return Err(NoteFault::Form("no signature line, or the last has no line feed"));
        }
        let parsed = Self { text, signatures };
        if signatures.lines().any(|line| signature_line(line).is_none()) {
            return Err(NoteFault::Form("a malformed signature line"));
        }
        Ok(parsed)
    }

    /// The signed text, its last line feed included.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> impl Iterator<Item = SignatureLine<'a>> + use<'a> {
        self.signatures.lines().filter_map(signature_line)
    }
}

fn signature_line(line: &str) -> Option<SignatureLine<'_>> {
    let (name, blob) = line.strip_prefix(DASH)?.split_once(' ')?;
    check_name(name).ok()?;
    let blob = STANDARD.decode(blob).ok()?;
    let (id, signature) = blob.split_first_chunk::<4>()?;
    Some(SignatureLine { name, id: u32::from_be_bytes(*id), signature: signature.to_vec() })
}

/// The seed of an Ed25519 private key in PEM (PKCS #8), as `openssl genpkey` writes it.
pub fn seed_from_pem(text: &str) -> Option<[u8; 32]> {
    SigningKey::from_pkcs8_pem(text).ok().map(|key| key.to_bytes())
}

/// The PEM (PKCS #8 version 1, which every OpenSSL reads) of the private key with this seed.
pub fn seed_to_pem(seed: &[u8; 32]) -> String {
    // RFC 8410: SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING } }
    const PREFIX: [u8; 16] =
        [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = STANDARD.encode([PREFIX.as_slice(), seed.as_slice()].concat());
    format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")
}
