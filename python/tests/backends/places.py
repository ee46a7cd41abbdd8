"""The stores that every backend test runs over, each in an empty place of its own."""

import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from quark_trace import StorageBackend, open_backend

TOOLS = Path(__file__).resolve().parents[3] / "tools"
KINDS = ("file", "sqlite", "postgres")


class Absent(Exception):
    """A store that cannot be had on this machine."""


@dataclass
class Place:
    """An empty store; opening it again gives another handle on the same one."""

    kind: str
    url: str
    keys: Path
    """Where its signing key is: two logs of one name under one key would contradict each other."""

    def open(self, **options: object) -> StorageBackend:
        return open_backend(self.url, **{"keys": self.keys, **options})


def make_place(kind: str, folder: Path, server: "Server") -> Place:
    keys = folder.with_name(f"{folder.name}-keys")
    if kind == "file":
        return Place(kind, f"file:{folder / 'traces'}", keys)
    if kind == "sqlite":
        return Place(kind, f"sqlite:{folder / 'trace.db'}", keys)
    return Place(kind, server.new_database(), keys)


class Server:
    """The PostgreSQL of the tests: one that is given, or one that is started when it is needed."""

    def __init__(self) -> None:
        self._url = os.environ.get("QUARK_TRACE_TEST_POSTGRES")
        self._absent: str | None = None
        self._cluster = None
        self._folder: Path | None = None

    def url(self) -> str:
        if self._absent:
            raise Absent(self._absent)
        if self._url is None:
            try:
                self._url = self._start()
            except Absent as reason:
                self._absent = str(reason)
                raise
        return self._url

    def new_database(self) -> str:
        """The URL of a database that nobody has used."""
        name = f"qt_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(self.url())._replace(path=f"/{name}"))

    def sql(self, statement: str, url: str | None = None) -> str:
        """What psql prints for a statement, without ornament."""
        command = [str(_programs() / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d",
                   url or self.url(), "-c", statement]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def stop(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> str:
        tools = _tools()
        try:
            subprocess.run([str(TOOLS / "system-parts"), "postgresql"], check=False,
                           capture_output=True)
            tools.programs()
            self._folder = tools.new_folder()
            self._cluster = tools.Cluster(self._folder, "primary")
            self._cluster.create()
            self._cluster.start()
        except tools.Unavailable as reason:
            raise Absent(str(reason)) from reason
        return self._cluster.url()


def _tools():
    """The part of tools/ that starts servers."""
    if not (TOOLS / "postgres_cluster.py").exists():
        raise Absent("this checkout has no tools/postgres_cluster.py")
    if str(TOOLS) not in sys.path:
        sys.path.insert(0, str(TOOLS))
    import postgres_cluster

    return postgres_cluster


def _programs() -> Path:
    return _tools().programs()
