"""The PostgreSQL that the benchmark runs against: a real server, with fsync, in a folder of its own."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))


class PostgresServer:
    """Started when a row needs it; `absent` where there is none to be had."""

    def __init__(self) -> None:
        self.absent = True
        self._cluster = None
        self._folder: Path | None = None

    def start(self) -> None:
        import postgres_cluster

        try:
            postgres_cluster.programs()
            self._folder = postgres_cluster.new_folder()
            self._cluster = postgres_cluster.Cluster(self._folder, "bench")
            self._cluster.create()
            self._cluster.start()
            self.absent = False
        except postgres_cluster.Unavailable as reason:
            print(f"SKIPPED: the rows of PostgreSQL: {reason}", file=sys.stderr)

    def create_database(self, name: str, template: str = "template0") -> None:
        """An empty database of this name, or a copy of another, in place of what there was."""
        self._cluster.sql(f'DROP DATABASE IF EXISTS "{name}"')
        self._cluster.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def url(self, name: str) -> str:
        return self._cluster.url(name)

    def stop(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
