"""The way to a server is encrypted, and it is the server that was meant."""

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from quark_trace import HttpBackend, NodeVerificationError

ANSWER = b'{"status": "active", "institution_id": "hospital"}'


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, made = tmp_path / "key.pem", tmp_path / "made.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
             "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", str(key), "-out", str(made)]
    subprocess.run(words, check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_bytes(made.read_bytes() + key.read_bytes())
    return both


class Encrypted:
    """Answers each request with ANSWER; `seen` is what came in the clear inside."""

    def __init__(self, certificate: Path, newest: ssl.TLSVersion | None = None):
        self.seen: list[bytes] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if newest is not None:
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
            context.set_ciphers("ALL:@SECLEVEL=0")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, args=(context,), daemon=True).start()

    def _serve(self, context: ssl.SSLContext) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as stream:
                    self.seen.append(stream.recv(65536))
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
                    stream.sendall(head.encode() + ANSWER)
            except OSError:
                continue

    def close(self) -> None:
        self._listening.close()


def test_a_root_that_is_named_is_trusted(certificate: Path) -> None:
    server = Encrypted(certificate)
    backend = HttpBackend(server.url, "n1", "the-key", delivery="strict", roots=certificate)
    assert backend.institution_id == "hospital"
    assert b"the-key" in server.seen[0]
    server.close()


def test_nobody_else_gets_the_key(certificate: Path) -> None:
    server = Encrypted(certificate)
    with pytest.raises(NodeVerificationError) as caught:
        HttpBackend(server.url, "n1", "the-key", delivery="strict")
    assert "certificate" in str(caught.value.__cause__)
    other = server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(NodeVerificationError):
        HttpBackend(other, "n1", "the-key", delivery="strict", roots=certificate)
    assert server.seen == []
    server.close()


def test_old_versions_are_refused(certificate: Path) -> None:
    try:
        server = Encrypted(certificate, ssl.TLSVersion.TLSv1_1)
    except (ssl.SSLError, ValueError):
        pytest.skip("this Python cannot offer TLS 1.1")
    with pytest.raises(NodeVerificationError):
        HttpBackend(server.url, "n1", "the-key", delivery="strict", roots=certificate)
    assert server.seen == []
    server.close()
