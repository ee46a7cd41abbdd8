"""A real server on this machine: the command as it is shipped, one process for each test."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def command() -> str:
    """The built command."""
    made = REPOSITORY / "target" / "debug" / "quark-trace"
    return os.environ.get("QUARK_TRACE_COMMAND") or str(made)


class Served:
    """A server over a store, with `hospital` (node `site-1`) and `clinic` (node `site-2`)."""

    def __init__(self, folder: Path, store: str | None = None, *arguments: str):
        self.folder = folder
        self.store = store or f"sqlite:{folder}/server.db"
        self.arguments = arguments
        self.environment = os.environ | {"QUARK_TRACE_KEYS": str(folder / "keys")}
        self.process: subprocess.Popen | None = None
        self.url = ""
        self.log = folder / "server.log"

    def registry(self, *words: str) -> dict:
        """What `quark-trace registry` answers."""
        done = subprocess.run([command(), "--json", "registry", self.store, *words],
                              capture_output=True, text=True, env=self.environment, check=False,
                              timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def populate(self) -> None:
        """Institutions and nodes."""
        for institution, node in [("hospital", "site-1"), ("clinic", "site-2")]:
            self.registry("add-institution", institution)
            self.registry("add-node", node, "--institution", institution)

    def key(self, *holder: str) -> str:
        """A new key: `--node site-1`, `--auditor-of hospital`, `--operator`."""
        return self.registry("issue-key", *holder)["key"]

    def start(self, listen: str = "127.0.0.1:0") -> "Served":
        """Starts it and waits until it listens."""
        words = [command(), "--json", "serve", self.store, "--listen", listen, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log,
                                            env=self.environment)
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["url"]
        return self

    def restart(self) -> "Served":
        """Starts it again where it listened before."""
        return self.start(self.url.split("//")[1])

    def kill(self) -> None:
        """Ends it as a power cut of the process would."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """Ends it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def request(self, method: str, path: str, key: str | None = None, body: bytes | None = None,
                kind: str = "application/json") -> tuple[int, dict, bytes]:
        """Status, headers and body of an answer."""
        headers = {"X-API-Key": key} if key else {}
        if body is not None:
            headers["Content-Type"] = kind
        asked = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()
