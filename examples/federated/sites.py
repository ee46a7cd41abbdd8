"""The data of the federation: the breast-cancer set that comes with scikit-learn, divided.

Three hospitals hold very different shares of malignant cases, and differ in size. A fourth part is
kept back, and only the coordinator evaluates on it.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_breast_cancer

HOLDOUT_SIZE = 114
SEED = 20260102


@dataclass(frozen=True)
class Site:
    """A hospital: its share of the malignant and of the benign cases."""

    name: str
    malignant_share: float
    benign_share: float


SITES = (
    Site("north-clinic", malignant_share=0.60, benign_share=0.15),
    Site("city-hospital", malignant_share=0.30, benign_share=0.35),
    Site("screening-centre", malignant_share=0.10, benign_share=0.50),
)


@dataclass(frozen=True)
class Cases:
    """Scaled measurements, one row a case and 30 columns, and the labels (1 is malignant)."""

    features: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def site_cases(index: int) -> Cases:
    """The cases of the site with this index; the sites have no case in common."""
    features, labels, training, _ = _divided()
    chosen = np.concatenate([
        _slice_of(training[labels[training] == 1], [s.malignant_share for s in SITES], index),
        _slice_of(training[labels[training] == 0], [s.benign_share for s in SITES], index),
    ])
    return Cases(features[chosen], labels[chosen])


def holdout_cases() -> Cases:
    """The cases that no site trains on."""
    features, labels, _, holdout = _divided()
    return Cases(features[holdout], labels[holdout])


def _divided() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    data = load_breast_cancer()
    labels = (data.target == 0).astype(np.int64)  # scikit-learn counts benign as 1
    order = np.random.default_rng(SEED).permutation(len(labels))
    holdout, training = order[:HOLDOUT_SIZE], order[HOLDOUT_SIZE:]
    # The scale that the sites agreed on before training: each one gave its sums, not its cases.
    mean, deviation = data.data[training].mean(axis=0), data.data[training].std(axis=0)
    return (data.data - mean) / deviation, labels, training, holdout


def _slice_of(cases: np.ndarray, shares: list[float], index: int) -> np.ndarray:
    ends = np.rint(np.cumsum(shares) * len(cases)).astype(int)
    return cases[0 if index == 0 else ends[index - 1]:ends[index]]
