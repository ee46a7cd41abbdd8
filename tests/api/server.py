"""The real server for these tests: a store, keys, a project with records."""

import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")
COMMAND = os.environ.get("QUARK_TRACE_COMMAND", str(TARGET / "debug" / "quark-trace"))
INSTITUTION, NODE, PROJECT = "klinik-a", "node-1", "demo"
SHEET = {
    "project_id": PROJECT, "purpose": "Find fractures.", "domain": "Radiology",
    "ml_type": "supervised", "algorithm": [{"name": "FedAvg"}],
    "input": [{"name": "scan", "type": "image"}], "output": [{"name": "finding", "type": "label"}],
    "performance_metrics": ["accuracy"],
    "bias": {"type": "none", "affected_group": "none", "severity": "low"},
    "stakeholders": [{"name": "Jane Doe", "role": "lead"}],
}


class Server:
    """`quark-trace serve` over a database in a folder, with a key for each role."""

    def __init__(self, folder: Path) -> None:
        self.environment = dict(os.environ, QUARK_TRACE_KEYS=str(folder / "keys"))
        self.store = f"sqlite:{folder / 'server.db'}"
        self.log_path = folder / "server.log"
        self.keys: dict[str, dict] = {}
        self.project, self.records = PROJECT, []
        self.registry("add-institution", INSTITUTION)
        self.registry("add-node", NODE, "--institution", INSTITUTION)
        for role, holder in [("node", ["--node", NODE]), ("auditor", ["--auditor-of", INSTITUTION]),
                             ("admin", ["--admin-of", INSTITUTION]), ("operator", ["--operator"])]:
            self.keys[role] = self.registry("issue-key", *holder)
        self.process = subprocess.Popen(
            [COMMAND, "serve", self.store, "--listen", "127.0.0.1:0", "--key-rate", "0",
             "--address-rate", "0", "--json"],
            stdout=subprocess.PIPE, stderr=self.log_path.open("w"), env=self.environment, text=True)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def registry(self, *arguments: str) -> dict:
        done = subprocess.run([COMMAND, "registry", self.store, *arguments, "--json"], check=True,
                              capture_output=True, env=self.environment, text=True)
        return json.loads(done.stdout)

    def fill(self, project: str = PROJECT) -> str:
        """Begins a project and logs some records, which are those to call about from then on."""
        self.call("POST", "/projects/", "node", SHEET | {"project_id": project})
        self.project, self.records = project, []
        for number in range(20):
            record = {"record_id": str(uuid.uuid4()), "project_id": project, "stage": "client_round",
                      "timestamp": f"2026-01-02T03:04:{number:02}+00:00",
                      "payload": {"round": number, "loss": 1 / (number + 1)}}
            self.call("POST", f"/projects/{project}/records", "node", record)
            self.records.append(record["record_id"])
        self.call("POST", f"/projects/{project}/seal", "node")
        return project

    def call(self, method: str, path: str, role: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-API-Key": self.keys[role]["key"], "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def is_good(self, role: str) -> bool:
        """Whether the key of a role still opens something."""
        path = {"node": f"/registry/nodes/{NODE}", "auditor": f"/projects/{PROJECT}",
                "admin": "/registry/nodes", "operator": "/registry/institutions"}[role]
        try:
            self.call("GET", path, role)
        except urllib.error.HTTPError:
            return False
        return True

    def stop(self) -> int:
        """Ends the server as an operator does; gives its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)
