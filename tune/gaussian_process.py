"""A Gaussian process over hyperparameters, small enough to be fitted anew for every suggestion."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_JITTER = 1e-8
_ITERATIONS = 50
# Normal priors of the logarithms: mean, standard deviation, bounds.
_LENGTH = (0.0, 1.0, math.log(0.05), math.log(20.0))  # in units of a hyperparameter's whole range
_AMPLITUDE = (math.log(0.5), 1.0, -6.0, 3.0)
_NOISE = (math.log(0.01), 1.5, math.log(1e-5), math.log(0.5))


class GaussianProcess:
    """Regression with a product of correlations, one a hyperparameter.

    Matérn 5/2 for a number, exp(-1/length) between two different categories (Rasmussen and Williams 2006, eq. 4.17).
    Lengths, amplitude and noise are the maximum of the posterior.

    Args:
        points: Shape (points, hyperparameters); numbers from 0 to 1, categories by index.
        targets: One a point, of mean 0 and standard deviation 1.
        categorical: Which columns hold categories.
    """

    def __init__(self, points: Array, targets: Array, categorical: Mask) -> None:
        self._points, self._targets, self._categorical = points, targets, categorical
        self._distances = self._apart(points)
        count = points.shape[1]
        prior = np.array([_LENGTH] * count + [_AMPLITUDE, _NOISE])
        self._mean, self._deviation = prior[:, 0], prior[:, 1]
        found = minimize(
            self._loss,
            self._mean,
            jac=True,
            method="L-BFGS-B",
            bounds=prior[:, 2:],
            options={"maxiter": _ITERATIONS},
        )
        self._lengths = np.exp(found.x[:count])
        self._amplitude, self._noise = np.exp(found.x[count:])
        self._condition()

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value at each point."""
        kernel = self._kernel(self._apart(points))
        half = solve_triangular(self._factor, kernel.T, lower=True)
        variance = self._amplitude - np.square(half).sum(axis=0)
        return kernel @ self._weights, np.sqrt(np.maximum(variance, 1e-10))

    def believe(self, points: Array) -> None:
        """Takes its own means for observations: what runs now is not asked for again (Ginsbourger et al. 2010)."""
        self._targets = np.append(self._targets, self.predict(points)[0])
        self._points = np.vstack([self._points, points])
        self._distances = self._apart(self._points)
        self._condition()

    def _apart(self, points: Array) -> Array:
        """Shape (hyperparameters, points, own points)."""
        apart = np.abs(points.T[:, :, None] - self._points.T[:, None, :])
        apart[self._categorical] = apart[self._categorical] > 0
        return apart

    def _kernel(self, distances: Array) -> Array:
        each, _ = _correlations(distances, self._lengths, self._categorical)
        kernel: Array = self._amplitude * each.prod(axis=0)
        return kernel

    def _condition(self) -> None:
        kernel = self._kernel(self._distances)
        kernel[np.diag_indices_from(kernel)] += self._noise + _JITTER
        self._factor = np.linalg.cholesky(kernel)
        self._weights = cho_solve((self._factor, True), self._targets)

    def _loss(self, logarithms: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient (Rasmussen and Williams 2006, eq. 2.30 and 5.9)."""
        rows, count = len(self._targets), len(self._distances)
        amplitude, noise = np.exp(logarithms[count:])
        each, slopes = _correlations(self._distances, np.exp(logarithms[:count]), self._categorical)
        signal = amplitude * each.prod(axis=0)
        kernel = signal + (noise + _JITTER) * np.eye(rows)
        factor = np.linalg.cholesky(kernel)
        inverse = cho_solve((factor, True), np.eye(rows))
        weights = inverse @ self._targets
        pull = 0.5 * (inverse - np.outer(weights, weights))
        lengths = (slopes * (signal * pull)).sum(axis=(1, 2))
        scales = [(pull * signal).sum(), noise * np.trace(pull)]
        off = (logarithms - self._mean) / self._deviation
        loss = 0.5 * self._targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        return float(loss), np.append(lengths, scales) + off / self._deviation


def _correlations(distances: Array, lengths: Array, categorical: Mask) -> tuple[Array, Array]:
    """One correlation a hyperparameter, and the derivative of its logarithm by that of the length."""
    ratio = distances / lengths[:, None, None]
    scaled = math.sqrt(5) * ratio
    polynomial = 1 + scaled + np.square(scaled) / 3
    each, slopes = polynomial * np.exp(-scaled), np.square(scaled) * (1 + scaled) / (3 * polynomial)
    each[categorical], slopes[categorical] = np.exp(-ratio[categorical]), ratio[categorical]
    return each, slopes
