"""Logistic regression by stochastic gradient descent, in numpy. Weights are two arrays."""

import hashlib

import numpy as np
from sites import Cases

FEATURES = 30
EPOCHS = 2
BATCH_SIZE = 16
LEARNING_RATE = 0.05
L2_PENALTY = 1e-3

Weights = list[np.ndarray]  # the coefficients, shape (30,), and the intercept, shape (1,)


def untrained() -> Weights:
    return [np.zeros(FEATURES), np.zeros(1)]


def train(weights: Weights, cases: Cases, seed: int) -> Weights:
    """Some epochs over the cases in shuffled batches; the same seed gives the same weights."""
    coefficients, intercept = (array.copy() for array in weights)
    shuffle = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = shuffle.permutation(len(cases))
        for start in range(0, len(cases), BATCH_SIZE):
            batch = order[start:start + BATCH_SIZE]
            features = cases.features[batch]
            error = _probabilities([coefficients, intercept], features) - cases.labels[batch]
            gradient = features.T @ error / len(batch) + L2_PENALTY * coefficients
            coefficients -= LEARNING_RATE * gradient
            intercept -= LEARNING_RATE * error.mean()
    return [coefficients, intercept]


def evaluate(weights: Weights, cases: Cases) -> tuple[float, float]:
    """The mean log loss and the accuracy on these cases."""
    malignant = _probabilities(weights, cases.features)
    certain = np.clip(malignant, 1e-12, 1 - 1e-12)
    loss = -np.mean(np.where(cases.labels == 1, np.log(certain), np.log(1 - certain)))
    return float(loss), float(np.mean((malignant > 0.5) == (cases.labels == 1)))


def digest(weights: Weights) -> str:
    """SHA-256 of the weights as little-endian float64: what both sides of a round write down."""
    total = hashlib.sha256()
    for array in weights:
        total.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return total.hexdigest()


def _probabilities(weights: Weights, features: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(features @ weights[0] + weights[1])))
