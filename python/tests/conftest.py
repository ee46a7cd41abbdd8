"""What all tests of the package share."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

REPOSITORY = Path(__file__).resolve().parents[2]

SHEET = """\
project_id: "demo"
purpose: "find fraud"
domain: "finance"
ml_type: "supervised"
algorithm:
  - name: "XGBoost"
input:
  - name: "features"
    type: "tabular"
output:
  - name: "fraud"
    type: "label"
performance_metrics:
  - "accuracy"
bias:
  type: "historical"
  affected_group: "some"
  severity: "medium"
stakeholders:
  - name: "Jane Doe"
    role: "engineer"
"""


@pytest.fixture(scope="session", autouse=True)
def keys(tmp_path_factory: pytest.TempPathFactory):
    """Signing keys of the tests alone, also for the processes that they start."""
    folder = tmp_path_factory.mktemp("keys")
    os.environ["QUARK_TRACE_KEYS"] = str(folder)
    os.environ["QUARK_TRACE_SPOOL"] = str(tmp_path_factory.mktemp("spool"))
    for name in ("SERVER_URL", "NODE_ID", "API_KEY"):
        os.environ.pop(f"QUARK_TRACE_{name}", None)
    return folder


@pytest.fixture(scope="session")
def seed_python() -> str:
    """An interpreter with quark-trace 0.1.0."""
    made = REPOSITORY / ".venv-seed" / "bin" / "python"
    found = os.environ.get("QUARK_TRACE_SEED_PYTHON") or str(made)
    if not Path(found).exists():
        pytest.skip("quark-trace 0.1.0 is not installed; make seed does it")
    return found


@pytest.fixture
def fork_server_of_this_test():
    """A fork server keeps the environment that it was started with; each test starts its own."""
    from multiprocessing import forkserver

    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A good fact sheet of the project `demo`."""
    path = tmp_path / "sheet.yaml"
    path.write_text(SHEET, encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path, sheet: Path):
    """An open project in a fresh folder."""
    from quark_trace import JsonBackend, Project

    with Project.open(sheet, JsonBackend(tmp_path / "data")) as opened:
        yield opened
