"""What a server refuses to begin with, TLS, and keys that end on every instance."""

import json
import os
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from served import Served, command
from wire import begin, connect, exchange, head, read

REVOKED_WITHIN_S = 5


def refused(folder: Path, *arguments: str) -> str:
    """What a server says that does not start."""
    environment = os.environ | {"QUARK_TRACE_KEYS": str(folder / "keys")}
    done = subprocess.run([command(), "serve", f"sqlite:{folder}/server.db", *arguments],
                          capture_output=True, text=True, timeout=30, env=environment, check=False)
    assert done.returncode not in (0, 101, -6, -9), done.stderr
    assert "panicked" not in done.stderr
    return done.stderr


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for `localhost` of one's own, and its private key."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key), "-out",
                    str(chain), "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                    "basicConstraints=critical,CA:FALSE"],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return chain, key


@pytest.fixture
def encrypted(tmp_path: Path, certificate):
    chain, key = certificate
    made = Served(tmp_path, None, "--certificate", str(chain), "--private-key", str(key))
    made.populate()
    made.node_key = made.key("--node", "site-1")
    made.start()
    yield made
    made.close()


def test_nobody_else_is_served_in_the_clear(tmp_path: Path) -> None:
    for address in ["0.0.0.0:0", "[::]:0"]:
        assert "in the clear" in refused(tmp_path, "--listen", address)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path, certificate) -> None:
    chain, key = certificate
    for mode in (0o644, 0o640, 0o604, 0o660):
        key.chmod(mode)
        said = refused(tmp_path, "--certificate", str(chain), "--private-key", str(key))
        assert "chmod 600" in said, said


def test_files_that_do_not_fit_are_refused(tmp_path: Path, certificate) -> None:
    chain, key = certificate
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out",
                    str(other)], check=True, capture_output=True)
    other.chmod(0o600)
    empty = tmp_path / "empty.pem"
    empty.touch(0o600)
    for arguments in [(chain, other), (empty, key), (chain, empty), (key, key),
                      (tmp_path / "absent", key), (chain, tmp_path / "absent")]:
        said = refused(tmp_path, "--certificate", str(arguments[0]), "--private-key",
                       str(arguments[1]))
        assert "PRIVATE KEY" not in said
    refused(tmp_path, "--certificate", str(chain))
    refused(tmp_path, "--private-key", str(key))


def trusting(chain: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(chain))
    return context


def test_tls_with_a_certificate_of_ones_own(encrypted: Served, certificate) -> None:
    assert encrypted.url.startswith("https://")
    context = trusting(certificate[0])
    with connect(encrypted) as plain, context.wrap_socket(plain, server_hostname="localhost") as made:
        assert made.version() in ("TLSv1.2", "TLSv1.3")
        made.sendall(head("GET", "/registry/nodes/site-1", f"X-API-Key: {encrypted.node_key}"))
        answer = read(made)
    assert answer.status == 200 and json.loads(answer.body)["institution_id"] == "hospital"
    assert "max-age" in answer.headers["strict-transport-security"]
    # A client that trusts the usual roots does not talk to it.
    with connect(encrypted) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(encrypted: Served, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with connect(encrypted) as plain, pytest.raises((ssl.SSLError, OSError)) as raised:
        context.wrap_socket(plain, server_hostname="localhost")
    # The server's own words, or else this machine's library would not have asked at all.
    assert "NO_PROTOCOLS_AVAILABLE" not in str(raised.value)


def test_plain_http_on_the_port_of_tls_gets_nothing(encrypted: Served) -> None:
    answer = exchange(encrypted, head("GET", "/about"), wait_s=15)
    assert answer.status == 0 and b"quark" not in answer.raw and b"HTTP" not in answer.raw
    # Who begins no handshake is closed.
    started = time.monotonic()
    with connect(encrypted, wait_s=20) as silent:
        assert silent.recv(1) == b""
    assert time.monotonic() - started < 15


def test_a_revoked_key_ends_on_every_instance(tmp_path: Path) -> None:
    first = Served(tmp_path)
    first.populate()
    operator, key = first.key("--operator"), first.key("--node", "site-1")
    second = Served(tmp_path)
    second.log = tmp_path / "second.log"
    first.start()
    second.start()
    try:
        begin(first, "demo", key)
        limit = time.monotonic() + REVOKED_WITHIN_S
        while second.request("GET", "/projects/demo", key)[0] != 200:
            assert time.monotonic() < limit, "the second instance knows nothing of the project"
            time.sleep(0.1)
        key_id = key.split("_")[1]
        with connect(second) as kept:
            kept.sendall(head("GET", "/projects/demo", f"X-API-Key: {key}"))
            assert read(kept).status == 200
            assert first.request("POST", f"/registry/keys/{key_id}/revoke", operator, b"{}")[0] == 200
            revoked = time.monotonic()
            assert first.request("GET", "/projects/demo", key)[0] == 401
            while True:
                # On a connection that was there before: it is asked at each request.
                kept.sendall(head("GET", "/projects/demo", f"X-API-Key: {key}"))
                if read(kept).status == 401:
                    break
                assert time.monotonic() - revoked < REVOKED_WITHIN_S
                time.sleep(0.1)
        print(f"revoked on the second instance after {time.monotonic() - revoked:.1f} s")
    finally:
        first.close()
        second.close()


def test_a_stream_ends_with_its_key(served: Served) -> None:
    """Who follows a project is not told more when the key was taken away."""
    operator, key = served.key("--operator"), served.key("--node", "site-1")
    writer = served.key("--node", "site-1")
    time.sleep(1.5)
    begin(served, "demo", writer)
    with connect(served, wait_s=REVOKED_WITHIN_S + 5) as stream:
        stream.sendall(head("GET", "/projects/demo/stream", f"X-API-Key: {key}"))
        said = b""
        while b"event: begin" not in said:
            said += stream.recv(4096)
        key_id = key.split("_")[1]
        assert served.request("POST", f"/registry/keys/{key_id}/revoke", operator, b"{}")[0] == 200
        started = time.monotonic()
        try:
            while not said.endswith(b"0\r\n\r\n"):
                said += stream.recv(4096)
        except socket.timeout:
            pytest.fail("the stream goes on")
        assert time.monotonic() - started < REVOKED_WITHIN_S
