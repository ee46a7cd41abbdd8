"""Kills around PostgreSQL: the writers, the server itself, and a primary whose standby takes over."""

import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

from postgres_cluster import Cluster, new_name
from writers import Fault, Told, Writer, check, compare

PROCESSES = 8
FOR_EVER = "1000000000"
# A database for so many kills; what it holds is checked after them.
KILLS_PER_LOG = 25
SERVER_WRITERS = 4


class Load:
    """Processes that append to one database until they are killed."""

    def __init__(self, url: str, keys: Path, dice: random.Random, mode: str, count: int) -> None:
        self.url, self.keys, self.dice, self.mode = url, keys, dice, mode
        self.told, self.lock = Told(), threading.Lock()
        self.writers = [self.start() for _ in range(count)]

    def start(self) -> Writer:
        seed = str(self.dice.randrange(1 << 48))
        return Writer(self.told, self.lock, [self.url, str(self.keys), seed, FOR_EVER, self.mode])

    def acknowledged(self) -> int:
        with self.lock:
            return len(self.told.acknowledged)

    def wait_for_more(self, more: int) -> None:
        """Waits until so many more records are acknowledged, so that each kill meets a load."""
        goal, limit = self.acknowledged() + more, time.monotonic() + 120
        while self.acknowledged() < goal:
            for writer in self.writers:
                if writer.process.poll() is not None:
                    raise Fault(f"a writer gave up: {writer.end()}")
            if time.monotonic() > limit:
                raise Fault("nothing is acknowledged any more")
            time.sleep(0.005)

    def wait_for_more_of_others(self, more: int, paused) -> None:
        """As `wait_for_more`, while one process is stopped."""
        self.wait_for_more(more)
        if paused.poll() is not None:
            raise Fault("the paused writer ended")

    def kill(self) -> None:
        for writer in self.writers:
            writer.kill()


def writers(cluster: Cluster, kills: int, seed: int) -> str:
    """kill -9 of writers: whatever they were doing, their transaction counts whole or not at all."""
    dice = random.Random(seed)
    totals = Totals("kill -9 of writers", seed)
    while totals.done < kills:
        several = min(KILLS_PER_LOG, kills - totals.done)
        with totals.log() as keys:
            url = new_database(cluster)
            load = Load(url, keys, dice, "os,os,sync,large", PROCESSES)
            try:
                for _ in range(several):
                    load.wait_for_more(1)
                    time.sleep(dice.uniform(0, 0.2))
                    place = dice.randrange(PROCESSES)
                    load.writers[place].kill()
                    load.writers[place] = load.start()
            finally:
                load.kill()
            if load.told.errors:
                raise Fault(f"writers met errors: {load.told.errors[:3]}")
            totals.add(several, load.told, check(url, keys))
    return totals.line(f"{PROCESSES} processes")


def servers(cluster: Cluster, kills: int, seed: int) -> str:
    """kill -9 of the server: its writers try again with the same ids until it is back."""
    dice = random.Random(seed)
    totals = Totals("kill -9 of the server", seed)
    while totals.done < kills:
        several = min(KILLS_PER_LOG, kills - totals.done)
        with totals.log() as keys:
            url = new_database(cluster)
            load = Load(url, keys, dice, "os,sync,large,patient", SERVER_WRITERS)
            try:
                for _ in range(several):
                    load.wait_for_more(20)
                    time.sleep(dice.uniform(0, 0.2))
                    cluster.kill()
                    cluster.start()
                load.wait_for_more(20)
            finally:
                load.kill()
            totals.add(several, load.told, check(url, keys))
    return totals.line(f"{SERVER_WRITERS} processes")


def failovers(folder: Path, count: int, seed: int) -> str:
    """kill -9 of a primary with a synchronous standby; the standby is promoted and takes over."""
    dice = random.Random(seed)
    totals = Totals("failovers", seed)
    cancelled = 0
    while totals.done < count:
        primary = Cluster(folder, new_name())
        standby = None
        with totals.log() as keys:
            try:
                primary.create()
                primary.start()
                standby = primary.standby(new_name(), synchronous=True)
                # Both are named: the one that takes writes is found by the writers themselves.
                hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
                url = primary.url().replace(f"127.0.0.1:{primary.port}", hosts)
                url += "?target_session_attrs=read-write"
                load = Load(url, keys, dice, "os,sync,patient", SERVER_WRITERS)
                try:
                    load.wait_for_more(50)
                    cancelled += cancel_waits(primary, dice)
                    load.wait_for_more(20)
                    time.sleep(dice.uniform(0, 0.3))
                    primary.kill()
                    standby.promote()
                    load.wait_for_more(50)
                finally:
                    load.kill()
                totals.add(1, load.told, check(url, keys))
            finally:
                for cluster in filter(None, (standby, primary)):
                    cluster.stop()
                    shutil.rmtree(cluster.data, ignore_errors=True)
    return totals.line(f"{SERVER_WRITERS} processes, {cancelled} waits cancelled before")


def pauses(cluster: Cluster, trials: int, seed: int) -> str:
    """Two writers, one of which is stopped at a random moment, overtaken, and goes on."""
    dice = random.Random(seed)
    totals = Totals("writers paused by SIGSTOP and resumed", seed)
    overtaken = 0
    while totals.done < trials:
        several = min(50, trials - totals.done)
        with totals.log() as keys:
            url = new_database(cluster)
            load = Load(url, keys, dice, "os,sync,patient", 2)
            try:
                load.wait_for_more(2)
                for _ in range(several):
                    paused = dice.choice(load.writers).process
                    time.sleep(dice.uniform(0, 0.02))
                    paused.send_signal(signal.SIGSTOP)
                    before, limit = load.acknowledged(), time.monotonic() + dice.uniform(0.02, 0.2)
                    while time.monotonic() < limit and load.acknowledged() < before + 5:
                        time.sleep(0.005)
                    overtaken += load.acknowledged() > before
                    paused.send_signal(signal.SIGCONT)
                load.wait_for_more(2)
                overtaken += pause_with_lock(cluster, url, load)
            finally:
                load.kill()
            totals.add(several, load.told, check(url, keys))
    return totals.line(f"2 processes, overtaken {overtaken} times")


def pause_with_lock(cluster: Cluster, url: str, load: Load) -> int:
    """A writer that is stopped while it holds the lock loses it after ten seconds."""
    name = url.rsplit("/", 1)[1]
    for _ in range(200):
        paused = load.writers[0].process
        paused.send_signal(signal.SIGSTOP)
        time.sleep(0.02)
        holds = cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE state = "
                            f"'idle in transaction' AND datname = '{name}'")
        if holds != "0":
            load.wait_for_more_of_others(1, paused)
            paused.send_signal(signal.SIGCONT)
            return 1
        paused.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    return 0


def cancelled_waits(cluster: Cluster, seed: int) -> str:
    """A commit that waits for a standby, and is cut short: told as unknown, never as success."""
    cases = 0
    with Totals("cancelled waits", seed).log() as keys:
        for how in ("pg_cancel_backend", "pg_terminate_backend"):
            for state in ("a new log", "a log with entries"):
                url = new_database(cluster)
                if state != "a new log":
                    append_one(url, keys, "1")
                told, lock = Told(), threading.Lock()
                cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (nobody)'")
                cluster.sql("SELECT pg_reload_conf()")
                try:
                    writer = Writer(told, lock, [url, str(keys), "2", "1", "sync"])
                    while writer.process.poll() is None:
                        # The making of the tables is cut short, too, where there are none yet.
                        cluster.sql(f"SELECT {how}(pid) FROM pg_stat_activity "
                                    "WHERE wait_event = 'SyncRep'")
                        time.sleep(0.02)
                    writer.end()
                finally:
                    cluster.sql("ALTER SYSTEM RESET synchronous_standby_names")
                    cluster.sql("SELECT pg_reload_conf()")
                if told.acknowledged or not told.errors:
                    raise Fault(f"{how}, {state}: a wait that was cut short is told as success")
                if [line.split()[2] for line in told.errors] != ["unknown"]:
                    raise Fault(f"{how}, {state}: not told as unknown: {told.errors}")
                append_one(url, keys, "2")
                checked = check(url, keys)
                if checked.exit_code != 0 or len(checked.ids) != len(set(checked.ids)):
                    raise Fault(f"{how}, {state}: after trying again: {checked}")
                cases += 1
    return f"cancelled waits: {cases} ways, each told as unknown, tried again and there once"


def append_one(url: str, keys: Path, seed: str) -> None:
    told = Told()
    writer = Writer(told, threading.Lock(), [url, str(keys), seed, "1", "sync"])
    words = writer.end()
    if not told.acknowledged:
        raise Fault(f"an append failed: {words}")


def cancel_waits(primary: Cluster, dice: random.Random) -> int:
    """Cancels commits that wait for the standby, which is stopped for a moment meanwhile."""
    primary.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    cancelled = 0
    for _ in range(40):
        answer = primary.sql("SELECT count(*) FROM (SELECT pg_cancel_backend(pid) FROM "
                             "pg_stat_activity WHERE wait_event = 'SyncRep') AS cancelled")
        cancelled += int(answer)
        time.sleep(dice.uniform(0, 0.01))
    return cancelled


def new_database(cluster: Cluster) -> str:
    name = new_name()
    cluster.sql(f"CREATE DATABASE {name}")
    return cluster.url(name)


class Totals:
    """What was counted over several logs."""

    def __init__(self, title: str, seed: int) -> None:
        self.title, self.seed, self.started = title, seed, time.monotonic()
        self.done = self.tried = self.acknowledged = self.errors = self.unknown = 0

    def log(self):
        return KeyFolder(self)

    def add(self, done: int, told: Told, checked) -> None:
        compare(told, checked)
        self.done += done
        self.tried += sum(map(len, told.tried))
        self.acknowledged += len(told.acknowledged)
        self.errors += len(told.errors)
        self.unknown += sum(line.split()[2] == "unknown" for line in told.errors)

    def line(self, who: str) -> str:
        return (f"{self.title}: {self.done}, {who}, {self.tried} records tried, "
                f"{self.acknowledged} acknowledged, 0 lost, 0 twice, 0 batches in part, every log "
                f"verified; {self.errors} errors met, {self.unknown} of them unknown; seed "
                f"{self.seed}, {time.monotonic() - self.started:.0f} s")


class KeyFolder:
    """A folder for keys that goes when all is well; a fault is told with the seed."""

    def __init__(self, totals: Totals) -> None:
        self.totals = totals
        self.folder = Path(tempfile.mkdtemp(prefix="quark-pg-keys-"))

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(self, kind, fault, trace) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(fault, Fault):
            totals = self.totals
            raise Fault(f"{totals.title}, seed {totals.seed}, after {totals.done}: {fault}") from None
