"""The event that every candidate logs: one site's result of one round of federated learning.

One event in 160 has another stage, so that a filter by stage has 0.6 % hits.
"""

from collections.abc import Iterator

PROJECT = "bench"
COMMON_STAGE = "client_round"
RARE_STAGE = "aggregation_round"
RARE_EVERY = 160
FEW_EXAMPLES = 1006


def events(count: int, first: int = 0) -> Iterator[tuple[str, dict]]:
    """Stages and payloads; a record of one is about 275 bytes of JSON."""
    for number in range(first, first + count):
        stage = RARE_STAGE if number % RARE_EVERY == RARE_EVERY - 1 else COMMON_STAGE
        yield stage, {
            "round": number // RARE_EVERY,
            "client_id": f"hospital-{number % RARE_EVERY:03d}",
            "loss": 1.0 / (1.0 + number * 0.001),
            "accuracy": 0.5 + (number * 7919 % 10007) / 20014,
            "num_examples": 1000 + number % 997,
        }


def rare_events(count: int) -> int:
    """How many of the first `count` events have the rare stage."""
    return count // RARE_EVERY


def few_examples(count: int) -> int:
    """How many of the first `count` events have fewer than FEW_EXAMPLES: 0.6 % of all."""
    return sum(1000 + number % 997 < FEW_EXAMPLES for number in range(count))
