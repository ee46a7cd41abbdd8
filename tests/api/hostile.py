"""Calls that no client makes by mistake: bytes that are no text, depths, sizes, heads that lie.

Every call of the document gets each of them. The answer must be one that the document names for the
call, errors as problem details, and never one from 500 on.
"""

import http.client
import json
import socket
from urllib.parse import quote, urlsplit

from server import PROJECT, SHEET, Server

SEGMENTS = [
    "%00", "%ff%fe", "%C3%28", "%ED%A0%80", "..", "%2e%2e", "%2F", "..%2f..%2fetc", ".hidden", "%20",
    "%0d%0aX-Evil: 1", "%E2%80%AE", "%F0%9F%94%A5", "quark-trace.server", "'%20OR%201=1--", "%22",
    "%25", "%zz", "*", "-1", "0", "18446744073709551616", "1e3", "NaN", "x" * 300, "é" * 150,
    "%5C", "a:b", "con", "%7B%7D",
]
# A signed note in form, of a log that is another: it proves nothing against this one.
FOREIGN = quote("example.org/other\n1000000\n" + "A" * 43 + "=\n\n\u2014 example.org/other AAAAAAAA\n")
VALUES = [
    FOREIGN, FOREIGN.replace("1000000", "1"),
    "", "%00", "%ff", "%zz", "-1", "0", "1001", "18446744073709551615", "18446744073709551616", "1.5",
    "NaN", "null", "true", "[]", "{}", "'", "%27%20OR%201=1", "payload.x%20~%20'(((('", "(" * 500,
    "NOT%20" * 400 + "stage='a'", "stage='" + "x" * 9000 + "'", "99999999999999-01-01", "%0d%0a",
    "payload.a%5B99999999999999999999%5D=1", "payload.x%20~%20'(a%7B1000%7D)%7B1000%7D'",
]
BODIES = [
    b"", b" ", b"null", b"true", b"0", b'"text"', b"[]", b"{}", b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}",
    b'{"a": 1} {"a": 2}', b'{"a": 1, "a": 2}', b"[" * 200_000, b'{"a":' * 100_000, b'{"\\ud800": 1}',
    b'"\\ud800"', b'{"\x00": 1}', b"NaN", b"1e999", b"-" + b"9" * 100_000, b'{"status": "active\\u0000"}',
    b'{"record_id": null, "project_id": 1, "stage": [], "timestamp": {}, "payload": 0}',
    b'{"$schema": "x", "$ref": "#", "x-quark-mode": "strict"}', b'{"$ref": "http://localhost/"}',
    b'{"pattern": "(a+)+$", "x-quark-mode": "strict"}', b'{"pattern": "((("}', b"\n" * 5000, b"\r\n",
    b'{"overlap_s": -9223372036854775808}', b'{"overlap_s": 1e300}', b"a" * (1 << 20) + b"a",
    b'{"open": "records", "open": "nobody"}', json.dumps(SHEET | {"project_id": "../x"}).encode(),
    json.dumps(SHEET | {"project_id": "\u202e\ud800"}).encode(),
    json.dumps(SHEET | {"bias": [[]] * 1000}).encode(),
]
HEADS = [
    {"Content-Type": ""}, {"Content-Type": "application/json; charset=\xff"}, {"Accept": "\xff\xfe"},
    {"Content-Encoding": "gzip"}, {"Last-Event-ID": "\xff"}, {"Last-Event-ID": "-1"},
    {"Last-Event-ID": "18446744073709551615"}, {"Origin": "null"}, {"Origin": "http://evil.example"},
    {"X-API-Key": "qt_\xff"}, {"X-API-Key": ""}, {"Authorization": "Bearer"},
    {"Authorization": "Bearer \xff"}, {"Cookie": "session=\xff; " * 50}, {"Host": "evil.example"},
    {"Host": ""}, {"Host": "[::1"}, {"Range": "bytes=0-"}, {"If-None-Match": "*"},
    {"Content-Length": "-1"}, {"Content-Length": "99999999999999999999"}, {"Expect": "200-ok"},
    {"X-Long": "x" * 15_000}, {"X-Longer": "x" * 100_000},
]


class Caller:
    """Sends what it is told, byte for byte, and holds the answers against the document."""

    def __init__(self, server: Server) -> None:
        self.address = urlsplit(server.url).netloc
        self.server = server
        self.document = json.loads(server.call("GET", "/openapi.json", "node"))
        self.made = self.answered = 0
        self.faults: list[str] = []

    def send(self, role: str, method: str, template: str, target: str, body: bytes | None = None,
             head: dict[str, str] | None = None) -> None:
        given = {"Host": self.address, "X-API-Key": self.server.keys[role]["key"]}
        if body is not None:
            given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        given |= head or {}
        lines = [f"{method} {target} HTTP/1.1".encode()]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in given.items()]
        message = b"\r\n".join([*lines, b"", body or b""])
        what = f"{method} {target[:200]} {body if body is None else body[:80]} {head}"
        self.made += 1
        try:
            answer, content = self.exchange(method, message)
        except (ConnectionError, http.client.HTTPException):
            # A body that is longer than is taken may be cut off while it is sent.
            return
        self.answered += 1
        self.judge(what, method, template, answer, content)

    def exchange(self, method: str, message: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(message)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            streams = (answer.getheader("Content-Type") or "").startswith("text/event-stream")
            return answer, b"" if streams else answer.read()

    def judge(self, what: str, method: str, template: str, answer: http.client.HTTPResponse,
              content: bytes) -> None:
        status = answer.status
        call = self.document["paths"][template][method.lower()]
        # A segment that is empty or dots leads to another path, and so to other answers.
        known = set(call["responses"]) | {"404", "405"}
        if str(status) not in known:
            self.faults.append(f"{what}: {status} is not in the document: {content[:200]}")
        if status >= 500:
            self.faults.append(f"{what}: {status}: {content[:200]}")
        if status >= 400 and content:
            kind = answer.getheader("Content-Type")
            if kind != "application/problem+json" or json.loads(content)["status"] != status:
                self.faults.append(f"{what}: {status} is no problem: {kind} {content[:200]}")
        if status >= 400 and not content and status not in (400, 431):
            self.faults.append(f"{what}: {status} says nothing")


def attack(server: Server) -> Caller:
    """Makes all of these calls, each with the role that gets furthest."""
    caller = Caller(server)
    for template, methods in caller.document["paths"].items():
        for method, call in methods.items():
            own = call["operationId"]
            role = role_of(template, own)
            good = template.replace("{project}", PROJECT).replace("{record}", server.records[0])
            good = good.replace("{version}", "1").replace("{", "").replace("}", "")
            query = "stage=x" if own == "appendSchema" else ""
            for segment in SEGMENTS if "{" in template else []:
                for name in [part for part in template.split("/") if part.startswith("{")]:
                    target = template.replace(name, quote(segment, safe="%*:'-."))
                    target = target.replace("{project}", PROJECT).replace("{record}", server.records[0])
                    body = b"{}" if "requestBody" in call else None
                    caller.send(role, method.upper(), template, f"{target}?{query}", body)
            for parameter in call["parameters"]:
                for value in VALUES if parameter.get("in") == "query" else []:
                    target = f"{good}?{parameter['name']}={value.replace(' ', '%20')}"
                    body = b"{}" if "requestBody" in call else None
                    caller.send(role, method.upper(), template, target, body)
            for body in BODIES if "requestBody" in call else []:
                for kind in call["requestBody"]["content"]:
                    caller.send(role, method.upper(), template, f"{good}?{query}", body,
                                {"Content-Type": kind})
            for head in HEADS:
                body = b"{}" if "requestBody" in call else None
                caller.send(role, method.upper(), template, f"{good}?{query}", body, head)
    return caller


def role_of(template: str, call: str) -> str:
    if template.startswith("/registry"):
        return "operator"
    return "admin" if call == "openProject" else "node"
