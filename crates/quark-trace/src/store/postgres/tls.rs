//! How a connection is protected: libpq's `sslmode`, with rustls.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::malformed;
use super::fault::Fault;
use crate::error::{ErrorKind, Outcome, Result};

/// What is asked of the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Protection {
    /// Plain.
    Disable,
    /// Encrypted if the server can; nobody checks who it is.
    #[default]
    Prefer,
    /// Encrypted; nobody checks who it is, unless a root is named.
    Require,
    /// Encrypted, by a certificate of a root that is trusted.
    VerifyRoot,
    /// The same, and the certificate is for the host of the URL.
    VerifyHost,
}

impl Protection {
    pub fn parse(word: &str) -> Result<Self> {
        match word {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyRoot),
            "verify-full" => Ok(Self::VerifyHost),
            _ => Err(malformed(
                "sslmode is one of disable, prefer, require, verify-ca and verify-full",
            )),
        }
    }
}

/// How to protect connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Tls {
    pub protection: Protection,
    /// A file of certificates in PEM, or `system`.
    pub root: Option<String>,
}

impl Tls {
    /// What connects as this asks.
    pub fn connector(&self) -> Result<MakeRustlsConnect, Fault> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Fault> {
        let checks = match (self.protection, &self.root) {
            (Protection::Disable | Protection::Prefer, _) | (Protection::Require, None) => None,
            (Protection::Require | Protection::VerifyRoot, _) => Some(false),
            (Protection::VerifyHost, _) => Some(true),
        };
        let Some(host_matters) = checks else {
            return Ok(Arc::new(Unchecked(Arc::clone(provider))));
        };
        let roots = Arc::new(self.roots()?);
        let checked = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        Ok(if host_matters { checked } else { Arc::new(AnyHost(checked)) })
    }

    fn roots(&self) -> Result<RootCertStore, Fault> {
        let Some(path) = &self.root else {
            return Err(refuse(
                "sslmode asks for a check of the server's certificate; name a file of root \
                 certificates with sslrootcert=FILE, or sslrootcert=system",
            ));
        };
        let mut roots = RootCertStore::empty();
        if path == "system" {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        } else {
            let pem = CertificateDer::pem_file_iter(path);
            let certificates: Result<Vec<_>, _> = pem.and_then(Iterator::collect);
            let certificates =
                certificates.map_err(|error| refuse(format!("sslrootcert={path}: {error}")))?;
            roots.add_parsable_certificates(certificates);
        }
        if roots.is_empty() {
            return Err(refuse(format!("sslrootcert={path}: there is no certificate in it")));
        }
        Ok(roots)
    }
}

fn refuse(message: impl Into<String>) -> Fault {
    Fault::new(ErrorKind::InvalidInput, message, Outcome::NotWritten)
}

/// Encrypts, and believes any certificate whose key the server holds.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks the certificate, but not whether it is for this host.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let checked =
            self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        // The name is looked at last, when all else was found good.
        match checked {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
