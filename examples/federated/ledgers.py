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


def open_project(party: str) -> Project:
    """Begins the log of this party, or goes on with it: any process may have the next message."""
    return Project.open(str(FACT_SHEET), JsonBackend(str(log_folder(party))))
