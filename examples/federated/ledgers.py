"""Where each party of the federation keeps its log."""

import os
from pathlib import Path

from quark_trace import JsonBackend, Project

COORDINATOR = "coordinator"
PROJECT = "breast-cancer-federation"
FACT_SHEET = Path(__file__).with_name("fact_sheet.yaml")
FOLDER_VARIABLE = "FEDERATED_DEMO_FOLDER"


def log_folder(party: str) -> Path:
    """The folder of the coordinator or of a site; nobody writes into another one's."""
    return Path(os.environ[FOLDER_VARIABLE]) / party


def backend(party: str) -> JsonBackend:
    """The party's log, signed with a key of its own, which is kept away from the log."""
    return JsonBackend(log_folder(party), keys=Path(os.environ[FOLDER_VARIABLE]) / "keys" / party)


def open_project(party: str) -> Project:
    """Begins the log of this party, or goes on with it: any process may have the next message."""
    return Project.open(str(FACT_SHEET), backend(party))


def read_project(party: str) -> Project:
    """The log of this party, to look at."""
    return Project.resume(PROJECT, backend(party))
