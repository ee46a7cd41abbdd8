"""Kills servers under 64 clients, and compares what was acknowledged with what the log holds."""

import hashlib
import http.client
import json
import random
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from served import Served, command
from writers import Fault

CLIENTS = 64
PROJECTS = ["one", "two", "three", "four"]
# What a server may take to go down; `Limits::drain` is 10 s, and then it seals.
DRAIN_S = 20
# Without an acknowledgement for so long something is broken.
PATIENCE_S = 120


@dataclass
class Kept:
    """What clients keep: what they sent, and the places that were acknowledged."""

    sent: dict[str, list[list[str]]] = field(default_factory=lambda: {it: [] for it in PROJECTS})
    places: dict[tuple[str, str], tuple[int, str | None]] = field(default_factory=dict)
    acknowledged: int = 0
    retries: int = 0
    existing: int = 0
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, project: str, rows: list[dict], is_first_try: bool) -> None:
        """Takes down an acknowledgement; a second one for the same record must say the same."""
        with self.lock:
            for row in rows:
                self.acknowledged += 1
                self.existing += row["existing"]
                if row["existing"] and is_first_try:
                    self.faults.append(f"new to its client, called existing: {row}")
                known = self.places.get((project, row["record_id"]))
                if known and known[0] != row["index"]:
                    self.faults.append(f"acknowledged at {known[0]} and again as {row}")
                leaf = row.get("leaf_hash") or (known[1] if known else None)
                self.places[project, row["record_id"]] = (row["index"], leaf)

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)


class Client(threading.Thread):
    """Sends records of its own, the same bytes until they are acknowledged."""

    def __init__(self, number: int, ports: list[int], key: str, kept: Kept, seed: int,
                 ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.ports, self.key, self.kept = number, ports, key, kept
        self.dice, self.ending = random.Random(f"{seed} {number}"), ending
        self.project = PROJECTS[number % len(PROJECTS)]
        self.place = number % len(ports)
        self.connection: http.client.HTTPConnection | None = None
        self.last: tuple[bytes, str] | None = None

    def run(self) -> None:
        number = 0
        try:
            while not self.ending.is_set():
                if self.last and self.dice.random() < 0.05:
                    # Whoever is not sure sends again what was acknowledged long ago.
                    self.deliver(*self.last, tries_before=1)
                count = self.dice.choice([1, 1, 1, 2, 10, 50])
                ids = [f"c{self.number}-{number + place}" for place in range(count)]
                number += count
                self.last = body(self.project, ids, self.dice)
                with self.kept.lock:
                    self.kept.sent[self.project].append(ids)
                self.deliver(*self.last)
        except Exception as error:
            self.kept.fault(f"client {self.number}: {error!r}")

    def deliver(self, content: bytes, kind: str, tries_before: int = 0) -> None:
        tries = tries_before
        # What is under way when the test ends is delivered all the same.
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            answer = self.post(content, kind)
            if answer and answer[0] in (200, 201):
                rows = answer[1].get("records") or [answer[1]]
                self.kept.keep(self.project, rows, tries == 0)
                return
            if answer and answer[0] not in (429, 503):
                raise Fault(f"answered {answer}")
            tries += 1
            with self.kept.lock:
                self.kept.retries += 1
            time.sleep(self.dice.uniform(0.01, 0.1))
        raise Fault("nothing was acknowledged for too long")

    def post(self, content: bytes, kind: str) -> tuple[int, dict] | None:
        """Status and body, or nothing when the server went away."""
        try:
            if self.connection is None:
                port = self.ports[self.place]
                self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            self.connection.request("POST", f"/projects/{self.project}/records", content,
                                    {"X-API-Key": self.key, "Content-Type": kind})
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            if self.connection is not None:
                self.connection.close()
            # Another instance may be up.
            self.connection, self.place = None, (self.place + 1) % len(self.ports)
            return None


def body(project: str, ids: list[str], dice: random.Random) -> tuple[bytes, str]:
    """One record as JSON, several as lines; the bytes are made once."""
    lines = [json.dumps({"record_id": one, "project_id": project, "stage": "round",
                         "timestamp": "2026-01-01T00:00:00+00:00",
                         "payload": {"loss": dice.random(), "note": "x" * dice.randrange(400)}})
             for one in ids]
    kind = "application/json" if len(ids) == 1 else "application/x-ndjson"
    return "\n".join(lines).encode(), kind


class Load:
    """Servers on one store, and clients that write to them."""

    def __init__(self, folder: Path, store: str | None, instances: int, seed: int) -> None:
        self.kept, self.ending, self.seed = Kept(), threading.Event(), seed
        first = Served(folder, store)
        first.populate()
        key = first.key("--node", "site-1")
        self.servers = [first] + [Served(folder, first.store) for _ in range(instances - 1)]
        for number, server in enumerate(self.servers):
            server.log = folder / f"server-{number}.log"
            server.start()
        for project in PROJECTS:
            sheet = json.dumps({**SHEET, "project_id": project}).encode()
            status, _, answer = first.request("POST", "/projects/", key, sheet)
            if status != 201:
                raise Fault(f"no project: {status} {answer!r}")
        self.key = key
        ports = [int(server.url.rsplit(":", 1)[1]) for server in self.servers]
        self.clients = [Client(number, ports, key, self.kept, seed, self.ending)
                        for number in range(CLIENTS)]
        # Another instance takes up within five seconds that there are projects.
        limit = time.monotonic() + 10
        while any(server.request("GET", f"/projects/{PROJECTS[-1]}", key)[0] != 200
                  for server in self.servers):
            if time.monotonic() > limit:
                raise Fault("an instance does not see what another one wrote")
            time.sleep(0.1)
        for client in self.clients:
            client.start()

    def wait_for_more(self, more: int) -> None:
        goal, limit = self.kept.acknowledged + more, time.monotonic() + PATIENCE_S
        while self.kept.acknowledged < goal:
            if self.kept.faults:
                raise Fault(f"{self.kept.faults[:3]}")
            if time.monotonic() > limit:
                raise Fault("nothing is acknowledged any more")
            time.sleep(0.002)

    def finish(self) -> int:
        """Ends the clients, compares, ends the servers, verifies; gives the number of records."""
        self.ending.set()
        for client in self.clients:
            client.join(PATIENCE_S + 60)
            if client.is_alive():
                raise Fault(f"client {client.number} does not come to an end")
        if self.kept.faults:
            raise Fault(f"{len(self.kept.faults)} faults: {self.kept.faults[:3]}")
        count = sum(compare(project, rows(self.servers[0], project, self.key), self.kept)
                    for project in PROJECTS)
        for server in self.servers:
            end(server)
        for project in PROJECTS:
            verify(self.servers[0], project)
        return count

    def close(self) -> None:
        self.ending.set()
        for server in self.servers:
            server.close()


SHEET = {"purpose": "count", "domain": "tests", "ml_type": "supervised",
         "algorithm": [{"name": "A"}], "input": [{"name": "i", "type": "tabular"}],
         "output": [{"name": "o", "type": "label"}], "performance_metrics": ["accuracy"],
         "bias": {"type": "none", "affected_group": "none", "severity": "low"},
         "stakeholders": [{"name": "J", "role": "r"}]}


def rows(server: Served, project: str, key: str) -> list[dict]:
    """All entries of a project with their objects."""
    status, _, answer = server.request("GET", f"/projects/{project}/entries", key)
    lines = [json.loads(line) for line in answer.splitlines()]
    if status != 200 or lines[-1] != {"end": True}:
        raise Fault(f"the entries of {project} are not whole: {status}")
    return lines[:-1]


def compare(project: str, found: list[dict], kept: Kept) -> int:
    """Everything acknowledged is there once, where it was said to be, and batches are whole."""
    there: dict[str, int] = {}
    leaves = []
    for place, row in enumerate(found):
        if row["index"] != place:
            raise Fault(f"{project}: entry {row['index']} stands at {place}")
        leaves.append(hashlib.sha256(b"\0" + row["entry"].encode()).hexdigest())
        if row["entry"].startswith("record "):
            record_id = json.loads(row["object"])["record_id"]
            if record_id in there:
                raise Fault(f"{project}: {record_id} is there twice")
            there[record_id] = place
    for (of, record_id), (index, leaf) in kept.places.items():
        if of != project:
            continue
        if there.get(record_id) != index:
            raise Fault(f"{project}: {record_id} was acknowledged at {index}, is at "
                        f"{there.get(record_id)}")
        if leaf is not None and leaves[index] != leaf:
            raise Fault(f"{project}: the leaf {index} is not the one of its receipt")
    tried = {one for batch in kept.sent[project] for one in batch}
    if there.keys() - tried:
        raise Fault(f"{project}: records nobody sent: {sorted(there.keys() - tried)[:3]}")
    for batch in kept.sent[project]:
        if sum(one in there for one in batch) not in (0, len(batch)):
            raise Fault(f"{project}: a batch is there in part: {batch}")
    return len(there)


def end(server: Served) -> None:
    """SIGTERM; the server must go by itself, in time and content."""
    started = time.monotonic()
    code = server.stop()
    took = time.monotonic() - started
    if code != 0 or took > DRAIN_S:
        raise Fault(f"SIGTERM: exit {code} after {took:.1f} s: {server.log.read_text()[-500:]}")


def verify(server: Served, project: str) -> dict:
    """`quark-trace verify` of what a server left behind, which has sealed all of it."""
    run = subprocess.run([command(), "--json", "verify", server.store, project, "--level", "L2"],
                         capture_output=True, text=True, env=server.environment, timeout=600,
                         check=False)
    if run.returncode != 0:
        raise Fault(f"verify {project} exits {run.returncode}: {run.stdout} {run.stderr}")
    checked = json.loads(run.stdout)
    if checked["sealed"] != checked["size"]:
        raise Fault(f"{project}: not all of it is sealed: {checked}")
    return checked


def play(title: str, times: int, seed: int, step, store: str | None = None,
         instances: int = 1) -> str:
    """So many times `step` under the load of 64 clients, and what came of it."""
    dice, started = random.Random(seed), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="quark-server-"))
    load = None
    try:
        load = Load(folder, store, instances, seed)
        for number in range(times):
            load.wait_for_more(CLIENTS)
            time.sleep(dice.uniform(0, 0.3))
            step(load, dice, number)
        load.wait_for_more(CLIENTS)
        count = load.finish()
    except Fault as fault:
        logs = folder.with_name(f"{folder.name}-logs")
        shutil.copytree(folder, logs, dirs_exist_ok=True)
        raise Fault(f"{title}, seed {seed}: {fault}; its files are in {logs}") from None
    finally:
        if load is not None:
            load.close()
        shutil.rmtree(folder, ignore_errors=True)
    kept = load.kept
    return (f"{title}: {times}, {CLIENTS} clients, {len(PROJECTS)} projects, {count} records, "
            f"{len(kept.places)} acknowledged, 0 lost, 0 twice, 0 batches in part, every index and "
            f"leaf as acknowledged, every log verified; {kept.retries} retries, {kept.existing} "
            f"answered as existing; seed {seed}, {time.monotonic() - started:.0f} s")


def kill(load: Load, dice: random.Random, _number: int) -> None:
    """kill -9 of one server, which is started again where it was."""
    server = dice.choice(load.servers)
    server.kill()
    server.restart()


def terminate(load: Load, dice: random.Random, _number: int) -> None:
    """SIGTERM while batches are under way."""
    server = dice.choice(load.servers)
    end(server)
    if len(load.servers) == 1:
        with load.kept.lock:
            acknowledged = dict(load.kept.places)
        for project in PROJECTS:
            most = max((index for (of, _), (index, _) in acknowledged.items() if of == project),
                       default=-1)
            checked = verify(server, project)
            if checked["sealed"] <= most:
                raise Fault(f"{project}: {most} was acknowledged and is not sealed: {checked}")
    server.restart()
