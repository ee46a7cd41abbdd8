"""Runs the federation: one coordinator and three sites, each in a process of its own.

    FEDERATED_DEMO_FOLDER=somewhere python train.py

Nothing here reaches for a network: the data set is a part of scikit-learn, and Flower and Ray are
told to report to nobody.
"""

import os

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def main() -> None:
    os.environ.update(QUIET)
    # Imported once the variables are set, which both read when they are imported.
    from coordinator_app import app as coordinator
    from flwr.simulation import run_simulation
    from site_app import app as site
    from sites import SITES

    run_simulation(server_app=coordinator, client_app=site, num_supernodes=len(SITES),
                   backend_config={
                       "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
                       "init_args": {"include_dashboard": False},
                   })


if __name__ == "__main__":
    main()
