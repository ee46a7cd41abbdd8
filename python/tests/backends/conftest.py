"""A store of every kind for each test of the backends."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from places import KINDS, Absent, Place, Server, make_place  # noqa: E402


@pytest.fixture(scope="session")
def server():
    """The PostgreSQL of the tests, started when the first of them asks for it."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signing key of this test alone."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("QUARK_TRACE_KEYS", str(folder))
    return folder


@pytest.fixture
def make(tmp_path: Path, server: Server):
    """Makes an empty store of a kind."""
    made = 0

    def one(kind: str) -> Place:
        nonlocal made
        made += 1
        folder = tmp_path / f"place-{made}"
        folder.mkdir()
        try:
            return make_place(kind, folder, server)
        except Absent as reason:
            pytest.skip(f"{kind}: {reason}")

    return one


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, make) -> Place:
    return make(request.param)
