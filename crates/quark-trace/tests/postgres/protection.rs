//! `sslmode`, against a server whose certificate is for `localhost` alone.

use quark_trace::store::{PostgresStore, Store};
use quark_trace::{ErrorKind, Result};

use crate::server::{self, Schema};

fn open(schema: &Schema, host: &str, parameters: &str) -> Result<bool> {
    let url = schema.url.replace("127.0.0.1", host);
    let name = format!("protection-{}", uuid::Uuid::new_v4().simple());
    let store = PostgresStore::new(&format!("{url}&application_name={name}&{parameters}"))?;
    store.projects()?;
    let query = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = $1";
    Ok(schema.client().query_one(query, &[&name]).unwrap().get(0))
}

#[test]
fn each_mode_asks_what_it_should() {
    let schema = Schema::new();
    let file = |name: &str| format!("&sslrootcert={}", server::folder().join(name).display());
    let (root, other) = (file("root.crt"), file("other.crt"));
    let address = "127.0.0.1";
    let encrypted = |host: &str, parameters: String| open(&schema, host, &parameters);
    assert!(!encrypted(address, "sslmode=disable".into()).unwrap());
    assert!(encrypted(address, "sslmode=prefer".into()).unwrap());
    assert!(encrypted(address, "sslmode=require".into()).unwrap());
    assert!(encrypted(address, format!("sslmode=verify-ca{root}")).unwrap());
    assert!(encrypted("localhost", format!("sslmode=verify-full{root}")).unwrap());
    assert!(encrypted("localhost", format!("sslmode=require{root}")).unwrap());
    // Not for this name, of another root, or of no root that is trusted.
    for (host, parameters) in [
        (address, format!("sslmode=verify-full{root}")),
        ("localhost", format!("sslmode=verify-full{other}")),
        ("localhost", format!("sslmode=verify-ca{other}")),
        ("localhost", format!("sslmode=require{other}")),
        ("localhost", "sslmode=verify-full&sslrootcert=system".to_owned()),
    ] {
        let error = encrypted(host, parameters.clone()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io | ErrorKind::InvalidInput),
            "{parameters}: {error}"
        );
        assert!(!error.to_string().contains("only-for-tests"));
    }
    for parameters in
        ["sslmode=verify-full".to_owned(), format!("sslmode=verify-ca{}", file("none"))]
    {
        let error = encrypted("localhost", parameters).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}
