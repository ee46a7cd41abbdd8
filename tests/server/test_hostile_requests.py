"""Requests that nobody sends by mistake: each gets its status, and costs nobody else anything."""

import gzip
import json
import random
import socket
import time

import pytest
from served import Served
from wire import begin, connect, exchange, head, memory, read, record

MEBIBYTE = 1024 * 1024
MAY_GROW = 32 * MEBIBYTE


@pytest.fixture
def opened(served: Served):
    """A server with project `demo` of `hospital` and `other` of `clinic`, and the node's key."""
    key, foreign = served.key("--node", "site-1"), served.key("--node", "site-2")
    time.sleep(1.5)  # A server takes up what the command line changed within a second.
    begin(served, "demo", key)
    begin(served, "other", foreign)
    return served, key


def post(key: str, *lines: str, path: str = "/projects/demo/records") -> bytes:
    return head("POST", path, f"X-API-Key: {key}", "Content-Type: application/json", *lines)


def test_a_gigabyte_that_is_announced_is_refused_before_it_is_read(opened) -> None:
    served, key = opened
    before = memory(served)
    for path in ["/projects/demo/records", "/projects/", "/projects/demo/sheets?expected=1"]:
        kind = "application/vnd.quark-trace.sheet+json" if "sheets" in path else "application/json"
        answer = exchange(served, head("POST", path, f"X-API-Key: {key}", f"Content-Type: {kind}",
                                       f"Content-Length: {1024 * MEBIBYTE}"))
        assert (answer.status, answer.code()) == (413, "too_large"), answer.raw
    assert memory(served) - before < MAY_GROW


def test_a_gigabyte_without_a_length_is_cut_off(opened) -> None:
    served, key = opened
    before = memory(served)
    chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    most = before
    with connect(served) as stream:
        stream.sendall(post(key, "Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 1024:
                stream.sendall(chunk)
                sent += 1
                most = max(most, memory(served))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 64, "it went on reading"
        answer = read(stream)
    # A client that sends on may lose the answer to the reset; one that listens gets it.
    assert answer.status in (0, 413)
    assert max(most, memory(served)) - before < MAY_GROW
    with connect(served) as stream:
        stream.sendall(post(key, "Transfer-Encoding: chunked") + chunk + b"2\r\n  \r\n")
        answer = read(stream)
    assert (answer.status, answer.code()) == (413, "too_large")


def test_a_batch_may_not_hold_a_gigabyte(opened) -> None:
    served, key = opened
    before = memory(served)
    lines = ("X-API-Key: " + key, "Content-Type: application/x-ndjson")
    answer = exchange(served, head("POST", "/projects/demo/records", *lines,
                                   f"Content-Length: {17 * MEBIBYTE}"))
    assert (answer.status, answer.code()) == (413, "too_large")
    body = b"\n".join(record("demo", str(number)) for number in range(1001))
    answer = exchange(served, head("POST", "/projects/demo/records", *lines,
                                   f"Content-Length: {len(body)}") + body)
    assert (answer.status, answer.code()) == (413, "too_large")
    assert served.request("GET", "/projects/demo/records", key)[2] == b"[]"
    assert memory(served) - before < MAY_GROW


def test_a_length_that_lies(opened) -> None:
    served, key = opened
    body = record("demo", "short")
    with connect(served) as stream:
        stream.sendall(post(key, f"Content-Length: {len(body) + 10}") + body)
        stream.shutdown(socket.SHUT_WR)
        answer = read(stream)
    assert answer.status in (0, 400), answer.raw
    # What is behind the announced length is another request, and none of it is taken for one.
    answer = exchange(served, post(key, f"Content-Length: {len(body) - 10}") + body)
    assert answer.status == 400
    for length in ["-1", "0x10", "1e3", "+5", "5, 5", "99999999999999999999999"]:
        assert exchange(served, post(key, f"Content-Length: {length}") + body).status == 400, length
    assert served.request("GET", "/projects/demo/records", key)[2] == b"[]"


def test_a_gzip_bomb_is_not_opened(opened) -> None:
    served, key = opened
    before = memory(served)
    bomb = gzip.compress(b" " * (256 * MEBIBYTE), 9)
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-gzip"]:
        answer = exchange(served, post(key, f"Content-Length: {len(bomb)}",
                                       f"Content-Encoding: {coding}") + bomb)
        assert (answer.status, answer.code()) == (415, "unsupported_media_type"), coding
    assert memory(served) - before < MAY_GROW


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_as_deep_as_a_million(opened, opening: bytes) -> None:
    served, key = opened
    before = memory(served)
    deep = opening * (1_000_000 // len(opening))
    whole = json.dumps({"record_id": "deep", "project_id": "demo", "stage": "s", "timestamp": "t"})
    closing = {b"[": b"]", b'{"a":': b"1}"}[opening]
    nested = opening * 100_000 + (b"1" if opening != b"[" else b"") + closing[-1:] * 100_000
    for sent in [deep, whole[:-1].encode() + b', "payload": ' + nested + b"}"]:
        for path in ["/projects/demo/records", "/projects/", "/projects/demo/amendments"]:
            answer = exchange(served, post(key, f"Content-Length: {len(sent)}", path=path) + sent)
            assert (answer.status, answer.code()) == (400, "invalid_input"), (path, answer.raw)
    filters = "(" * 5000 + "a = 1" + ")" * 5000
    path = "/projects/demo/records?filter=" + filters.replace(" ", "%20")
    assert exchange(served, head("GET", path, f"X-API-Key: {key}")).status in (400, 413)
    assert served.request("GET", "/health")[0] == 200
    assert memory(served) - before < MAY_GROW


def test_headers_without_end(opened) -> None:
    served, key = opened
    before = memory(served)
    floods = {
        "one of 64 KiB": head("GET", "/health", "X-Long: " + "x" * 65536),
        "ten thousand": head("GET", "/health", *(f"X-{number}: 1" for number in range(10_000))),
        "a name without end": b"GET /health HTTP/1.1\r\n" + b"x" * 200_000,
        "a path without end": b"GET /" + b"x" * 200_000,
        "a method without end": b"G" * 200_000,
    }
    for name, flood in floods.items():
        assert exchange(served, flood).status in (400, 414, 431), name
    for name in ["one of 64 KiB", "ten thousand"]:
        assert exchange(served, floods[name]).status == 431, name
    assert served.request("GET", "/health")[0] == 200
    assert memory(served) - before < MAY_GROW


@pytest.mark.parametrize("name,sent", [
    ("two hosts", b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    ("no host", b"GET /health HTTP/1.1\r\n\r\n"),
    ("two lengths", b"POST /projects/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                    b"Content-Length: 3\r\n\r\n{}"),
    ("chunks that are none", b"POST /projects/ HTTP/1.1\r\nHost: localhost\r\n"
                             b"Transfer-Encoding: gzip\r\n\r\n"),
    ("chunks in HTTP/1.0", b"POST /projects/ HTTP/1.0\r\nHost: localhost\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a folded header", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    ("a space before the colon", b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n"),
    ("a nul", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
    ("a space in the path", b"GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ("a version that is none", b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n"),
])
def test_two_readers_of_it_would_not_agree(served: Served, name: str, sent: bytes) -> None:
    answer = exchange(served, sent)
    assert answer.status == 400, (name, answer.raw)
    # Nothing behind it on the same connection is taken for a request.
    assert answer.raw.count(b"HTTP/1.1 ") == 1, answer.raw


@pytest.mark.parametrize("lines", [("Content-Length: 6", "Transfer-Encoding: chunked"),
                                   ("Transfer-Encoding: chunked", "Content-Length: 6"),
                                   ("Transfer-Encoding: chunked", "Content-Length: 5")])
def test_a_length_and_chunks_hide_no_request(opened, lines: tuple[str, ...]) -> None:
    """Whoever goes by the length sees another end than whoever goes by the chunks."""
    served, key = opened
    hidden = record("demo", "hidden")
    behind = post(key, f"Content-Length: {len(hidden)}") + hidden
    with connect(served) as stream:
        stream.sendall(post(key, *lines) + b"0\r\n\r\n" + behind)
        said = b""
        try:
            while part := stream.recv(65536):
                said += part
        except ConnectionResetError:
            pass
    assert said.count(b"HTTP/1.1 ") == 1 and said.startswith(b"HTTP/1.1 400"), said
    assert served.request("GET", "/projects/demo/records", key)[2] == b"[]"


def test_a_request_in_absolute_form(served: Served) -> None:
    for host, status in [("localhost", 200), ("127.0.0.1", 200), ("evil.example", 421)]:
        sent = f"GET http://{host}/about HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        assert exchange(served, sent).status == status, host
    for sent in [b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"TRACE /health HTTP/1.1\r\nHost: localhost\r\nX-API-Key: seen\r\n\r\n"]:
        answer = exchange(served, sent)
        assert 400 <= answer.status < 500 and b"seen" not in answer.raw, answer.raw


def encodings(count: int) -> list[str]:
    """Paths that would lead to the project `other` if somebody decoded or tidied them."""
    dice = random.Random(8)
    dots = ["..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "..;", "..%00", "%2e%2e%2f",
            "\u002e\u2024", "....", ". .", "..%20"]
    slashes = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "//", "/./", "%c0%af", "%ef%bc%8f"]
    names = ["other", "%6fther", "othe%72", "%256fther", "other%00", "%00other", "other%0a",
             "other%20", "%20other", "OTHER", "other.", "other%2e", "other;a=b", "other%3f",
             "other%23", "o%CC%88ther", "%EF%BD%8Fther", "other/", "other%2frecords", "o\u0301ther"]
    ends = ["", "/records", "/head", "/entries", "/summary", "/sheets", "%2frecords", "/records/"]
    before = ["/projects/", "/tlog/", "/projects/demo", "/projects/demo/", "//projects/",
              "/PROJECTS/", "/projects%2f", "/./projects/", "/health/../projects/"]
    made = {f"/projects/{name}{end}" for name in names for end in ends}
    while len(made) < count:
        steps = "".join(dice.choice(dots) + dice.choice(slashes) for _ in range(dice.randrange(4)))
        made.add(dice.choice(before) + steps + dice.choice(names) + dice.choice(ends))
    return sorted(made)


def test_two_thousand_encodings_lead_to_nothing_of_others(opened) -> None:
    served, key = opened
    foreign = served.key("--node", "site-2")
    time.sleep(1.5)
    status, _, _ = served.request("POST", "/projects/other/records", foreign,
                                  record("other", "canary-of-the-clinic"))
    assert status == 201
    paths = encodings(2000)
    statuses: dict[int, int] = {}
    with connect(served) as stream:
        for path in paths:
            sent = path.encode().replace(b"\\", b"%5c").replace(b" ", b"%20")
            stream.sendall(b"GET " + sent + b" HTTP/1.1\r\nHost: localhost\r\nX-API-Key: "
                           + key.encode() + b"\r\n\r\n")
            answer = read(stream)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert b"canary-of-the-clinic" not in answer.raw, path
            # Only what is the caller's own may be answered: `demo`, and never with these names.
            assert answer.status in (400, 404), (path, answer.raw)
            if answer.headers.get("connection") == "close":
                break
    assert sum(statuses.values()) == 2000, statuses
    print(f"2,000 encodings: {statuses}")


def test_foreign_hosts_and_origins(opened) -> None:
    served, key = opened
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil@localhost",
                 "[::1].evil.example", "10.0.0.1", "localhost:1@evil"]:
        answer = exchange(served, head("GET", "/about", host=host))
        assert answer.status in (400, 421), (host, answer.raw)
    answer = exchange(served, head("GET", "/about", host="evil.example"))
    assert (answer.status, answer.code()) == (421, "misdirected")
    body = record("demo", "from-elsewhere")
    for origin in ["https://evil.example", "null", "http://localhost.evil.example",
                   "http://localhost:1", "https://localhost"]:
        answer = exchange(served, post(key, f"Content-Length: {len(body)}", f"Origin: {origin}")
                          + body)
        expected = 201 if origin == "https://localhost" else 403
        assert answer.status == expected, (origin, answer.raw)
