"""What the tests against a real server share."""

import os
from pathlib import Path

import pytest
from served import REPOSITORY, Served, command


@pytest.fixture(scope="session")
def seed_python() -> str:
    """An interpreter with quark-trace 0.1.0."""
    made = REPOSITORY / ".venv-seed" / "bin" / "python"
    found = os.environ.get("QUARK_TRACE_SEED_PYTHON") or str(made)
    if not Path(found).exists():
        pytest.skip("quark-trace 0.1.0 is not installed; make seed does it")
    return found


@pytest.fixture
def served(tmp_path: Path):
    """A running server on SQLite."""
    assert Path(command()).exists(), "build the command first: make command"
    made = Served(tmp_path)
    made.populate()
    made.start()
    yield made
    made.close()
