"""What runs at each site: it trains on its own cases and keeps its own log of what it did."""

import time

import model
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from ledgers import open_project
from sites import SITES, site_cases

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round at one site."""
    started = time.monotonic()
    partition = int(context.node_config["partition-id"])
    server_round = int(message.content["config"]["server-round"])
    received = message.content["arrays"].to_numpy_ndarrays()
    cases = site_cases(partition)

    trained = model.train(received, cases, seed=1000 * server_round + partition)
    loss, accuracy = model.evaluate(trained, cases)

    site = SITES[partition].name
    with open_project(site) as project:
        project.log("client_round", round=server_round, site=site,
                    global_digest_in=model.digest(received), update_digest=model.digest(trained),
                    num_examples=len(cases), loss=loss, accuracy=accuracy,
                    duration_ms=round(1000 * (time.monotonic() - started)))
    return Message(RecordDict({
        "arrays": ArrayRecord(trained),
        "metrics": MetricRecord({"num-examples": len(cases), "loss": loss, "accuracy": accuracy}),
        "site": ConfigRecord({"name": site}),
    }), reply_to=message)
