"""A real PostgreSQL on loopback, in a folder of its own: initdb, start, kill, standby, promote."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

USER = "quark"
# Not a secret: the servers listen on loopback and live as long as a test.
PASSWORD = "only-for-tests"
CLUSTER_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
wal_level = replica
max_wal_senders = 8
max_replication_slots = 8
wal_log_hints = on
hot_standby = on
shared_buffers = 64MB
max_connections = 60
logging_collector = off
log_line_prefix = '%m [%p] '
password_encryption = 'scram-sha-256'
"""
START_LIMIT_S = 60


class Unavailable(Exception):
    """There is no PostgreSQL to be had on this machine."""


def programs() -> Path:
    """The folder of `initdb` and `postgres`: Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise Unavailable("there is no initdb; install Debian's package postgresql")
    return max(folders, key=lambda folder: int(folder.parent.name))


def owner() -> str | None:
    """The user that runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Unavailable("this is root, and there is no other user to run the server as")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One server and its data."""

    def __init__(self, folder: Path, name: str, port: int | None = None) -> None:
        self.folder, self.name = folder, name
        self.port = port or free_port()
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen | None = None

    def url(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        return f"postgres://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, settings: str = "") -> None:
        """Makes a new cluster whose users need a password."""
        password = self.folder / f"{self.name}.password"
        password.write_text(PASSWORD + "\n", encoding="utf-8")
        hand_over(password)
        self.tool("initdb", "-D", str(self.data), "-U", USER, f"--pwfile={password}",
                  "--auth=scram-sha-256", "--data-checksums", "-E", "UTF8", "--no-locale",
                  "--no-sync")
        self.add(CLUSTER_SETTINGS.format(port=self.port) + settings)
        access = self.data / "pg_hba.conf"
        access.write_text(access.read_text(encoding="utf-8")
                          + "host replication all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")

    def add(self, settings: str) -> None:
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as out:
            out.write(settings + "\n")

    def start(self) -> None:
        """Starts the server and waits until it answers; crash recovery may take a moment."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                as_owner([str(programs() / "postgres"), "-D", str(self.data)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                cwd=self.folder)
        limit = time.monotonic() + START_LIMIT_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise Unavailable(f"the server did not start:\n{self.last_words()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        ready = subprocess.run([str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                                str(self.port), "-t", "5"], check=False)
        return ready.returncode == 0

    def last_words(self) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def postmaster(self) -> int:
        """The process id of the server itself, which is not that of `runuser`."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """kill -9 of the server; returns when its children are gone, too."""
        postmaster = self.postmaster()
        children = child_processes(postmaster)
        os.kill(postmaster, signal.SIGKILL)
        self.process.wait()
        limit = time.monotonic() + START_LIMIT_S
        # They notice that the postmaster is gone and leave; only then may a new one start.
        while any(is_alive(child) for child in children):
            if time.monotonic() > limit:
                raise Unavailable("children of a killed server do not leave")
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        try:
            os.kill(self.postmaster(), signal.SIGQUIT)
            self.process.wait(timeout=30)
        except (FileNotFoundError, ProcessLookupError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def standby(self, name: str, synchronous: bool) -> "Cluster":
        """A streaming standby of this server; one that commits wait for, where it is asked."""
        other = Cluster(self.folder, name)
        self.tool("pg_basebackup", "-D", str(other.data), "-X", "stream", "-c", "fast",
                  "--no-sync", "-d", self.url())
        source = (f"user={USER} password={PASSWORD} host=127.0.0.1 port={self.port} "
                  f"application_name={name}")
        other.add(f"port = {other.port}\nprimary_conninfo = '{source}'\n"
                  "synchronous_standby_names = ''\n")
        signal_file = other.data / "standby.signal"
        signal_file.touch()
        hand_over(signal_file)
        other.start()
        if synchronous:
            self.sql(f"ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 ({name})'")
            self.sql("SELECT pg_reload_conf()")
            self.wait_for("SELECT count(*) FROM pg_stat_replication "
                          "WHERE sync_state = 'sync' AND state = 'streaming'", "1")
        return other

    def promote(self) -> None:
        self.tool("pg_ctl", "-D", str(self.data), "-w", "promote")
        self.wait_for("SELECT pg_is_in_recovery()", "f")

    def wait_for(self, query: str, answer: str) -> None:
        limit = time.monotonic() + START_LIMIT_S
        while self.sql(query) != answer:
            if time.monotonic() > limit:
                raise Unavailable(f"{query} did not become {answer}")
            time.sleep(0.02)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement, without ornament."""
        run = subprocess.run(
            [str(programs() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
             self.url(database), "-c", statement],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{statement}: {run.stderr.strip()}")
        return run.stdout.strip()

    def tool(self, program: str, *arguments: str) -> None:
        run = subprocess.run(as_owner([str(programs() / program), *arguments]),
                             capture_output=True, text=True, check=False, cwd=self.folder)
        if run.returncode != 0:
            raise Unavailable(f"{program}: {run.stderr.strip()}")


def new_folder() -> Path:
    """A folder for clusters, with a short path, that the server's user owns."""
    folder = Path(tempfile.mkdtemp(prefix="quark-pg-"))
    folder.chmod(0o755)
    hand_over(folder)
    return folder


def hand_over(path: Path) -> None:
    """Gives a file to the user that runs the server."""
    user = owner()
    if user:
        shutil.chown(path, user)


def as_owner(command: list[str]) -> list[str]:
    user = owner()
    return ["runuser", "-u", user, "--", *command] if user else command


def child_processes(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(word) for word in children.read_text().split()]


def is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def new_name() -> str:
    """A name for a database or schema that nobody has."""
    return f"qt_{secrets.token_hex(6)}"
