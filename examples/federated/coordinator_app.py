"""What runs at the coordinator: federated averaging in which every step is logged."""

import sys
from collections.abc import Iterable
from importlib.metadata import version

import model
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from ledgers import COORDINATOR, open_project
from quark_trace import Project
from sites import SITES, holdout_cases

ROUNDS = 5

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """The whole experiment, from its first record to its last."""
    with open_project(COORDINATOR) as project:
        initial = model.untrained()
        project.log("experiment_start", framework=f"flwr {version('flwr')}",
                    python=sys.version.split()[0], strategy="FedAvg", rounds=ROUNDS,
                    sites=[site.name for site in SITES], epochs=model.EPOCHS,
                    batch_size=model.BATCH_SIZE, learning_rate=model.LEARNING_RATE,
                    global_digest=model.digest(initial))
        strategy = LoggedFedAvg(project)
        result = strategy.start(grid, ArrayRecord(initial), num_rounds=ROUNDS,
                                evaluate_fn=strategy.evaluate)
        final = result.evaluate_metrics_serverapp[ROUNDS]
        project.log("experiment_end", rounds=ROUNDS, accuracy=final["accuracy"],
                    loss=final["loss"],
                    global_digest=model.digest(result.arrays.to_numpy_ndarrays()))


class LoggedFedAvg(FedAvg):
    """Federated averaging over all sites, with a record for every reply, average and evaluation."""

    def __init__(self, project: Project) -> None:
        super().__init__(fraction_evaluate=0.0, min_train_nodes=len(SITES),
                         min_available_nodes=len(SITES))
        self.project = project
        self.holdout = holdout_cases()
        self.digest_out = ""

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord,
                        grid: Grid) -> Iterable[Message]:
        self.digest_out = model.digest(arrays.to_numpy_ndarrays())
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]
                        ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        arrived = list(replies)
        for position, reply in enumerate(arrived):
            self.log_reply(server_round, position, reply)
        # Floating-point sums depend on their order. A fixed order can be replayed.
        ordered = sorted(arrived, key=lambda reply: reply.metadata.src_node_id)
        arrays, metrics = super().aggregate_train(server_round, ordered)
        answered = [reply for reply in ordered if not reply.has_error()]
        self.project.log(
            "aggregation_round", round=server_round, function="mean weighted by num_examples",
            arrived=[str(reply.metadata.src_node_id) for reply in arrived],
            averaged=[site_name(reply) for reply in answered],
            num_examples=sum(reply.content["metrics"]["num-examples"] for reply in answered),
            loss=metrics["loss"] if metrics else None,
            global_digest=model.digest(arrays.to_numpy_ndarrays()) if arrays else None)
        return arrays, metrics

    def log_reply(self, server_round: int, position: int, reply: Message) -> None:
        """One record for one site's answer, in the order of arrival; a failure is an answer too."""
        node = str(reply.metadata.src_node_id)
        if reply.has_error():
            self.project.log("client_refusal", round=server_round, node=node, position=position,
                             code=reply.error.code, reason=reply.error.reason or "")
            return
        metrics = reply.content["metrics"]
        self.project.log(
            "client_round", round=server_round, site=site_name(reply), node=node,
            position=position, global_digest_in=self.digest_out,
            update_digest=model.digest(reply.content["arrays"].to_numpy_ndarrays()),
            num_examples=metrics["num-examples"], loss=metrics["loss"],
            accuracy=metrics["accuracy"])

    def evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        """Evaluates the global model on the cases that no site has."""
        weights = arrays.to_numpy_ndarrays()
        loss, accuracy = model.evaluate(weights, self.holdout)
        self.project.log("evaluation", round=server_round, dataset="holdout",
                         num_examples=len(self.holdout), loss=loss, accuracy=accuracy,
                         global_digest=model.digest(weights))
        return MetricRecord({"loss": loss, "accuracy": accuracy})


def site_name(reply: Message) -> str:
    return str(reply.content["site"]["name"])
