"""Logistic regression by Newton's method with conjugate gradients."""

import numpy as np

from tfadrec.evaluation.baselines.design import Design
from tfadrec.evaluation.baselines.logits import Floats
from tfadrec.metrics import ranking

#: Newton steps at most, and conjugate gradients in each.
_STEPS, _CONJUGATE = 30, 50
#: A step that lowers the loss of a row by less than this is the last.
_TOLERANCE = 1e-7
#: Of the residual, where the conjugate gradients end.
_RESIDUAL = 0.1


def fit_logistic(
    design: Design, labels: Floats, counts: Floats, l2: float
) -> tuple[float, Floats]:
    """Minimises sum_i c_i loss(b + x_i w, y_i) + l2 / 2 |w|^2.

    The intercept b is not drawn towards 0. Every step solves Newton's equation
    by conjugate gradients, scaled by the diagonal (Nocedal and Wright,
    "Numerical Optimization", 2006, section 7.1), and is halved until the loss
    falls. A product with the design costs what its rows and fields do.

    Args:
      design: X [n, M].
      labels: [n] of 0 and 1, both present.
      counts: [n], c, how many rows each stands for.
      l2: the penalty, > 0.

    Returns:
      b, and w [M].
    """
    rate = np.average(labels, weights=counts)
    signs = np.where(labels == 1, -1.0, 1.0)
    penalty = np.append(0.0, np.full(design.size, l2))

    def logits(parameters: Floats) -> Floats:
        return parameters[0] + design.dot(parameters[1:])

    def gathered(values: Floats) -> Floats:
        return np.append(values.sum(), design.transposed(values))

    def loss(parameters: Floats, z: Floats) -> float:
        losses = counts @ np.logaddexp(0.0, signs * z)
        return float(losses + penalty @ np.square(parameters) / 2)

    found = np.zeros(design.size + 1)
    found[0] = np.log(rate) - np.log1p(-rate)
    z = logits(found)
    now = loss(found, z)
    for _ in range(_STEPS):
        p = ranking.sigmoid(z)
        gradient = gathered(counts * (p - labels)) + penalty * found
        curvature = counts * p * (1 - p)
        diagonal = np.append(curvature.sum(), design.squares(curvature))

        def hessian(v: Floats, curvature: Floats = curvature) -> Floats:
            return gathered(curvature * logits(v)) + penalty * v

        step = _solved(hessian, -gradient, diagonal + penalty)
        change, size = logits(step), 1.0
        after = loss(found + step, z + change)
        while after > now and size > 1e-6:
            size /= 2
            after = loss(found + size * step, z + size * change)
        if after > now:
            break
        found, z = found + size * step, z + size * change
        gain, now = now - after, after
        if gain < _TOLERANCE * counts.sum():
            break
    return float(found[0]), found[1:]


def _solved(hessian, right: Floats, diagonal: Floats) -> Floats:
    """X of H x = right, by conjugate gradients scaled by the diagonal."""
    scale = 1 / np.maximum(diagonal, 1e-12)
    x = np.zeros_like(right)
    residual = right
    direction = scaled = scale * residual
    fit = residual @ scaled
    enough = _RESIDUAL**2 * fit
    for _ in range(_CONJUGATE):
        product = hessian(direction)
        bent = direction @ product
        if bent <= 0:
            break
        length = fit / bent
        x = x + length * direction
        residual = residual - length * product
        scaled = scale * residual
        before, fit = fit, residual @ scaled
        if fit <= enough:
            break
        direction = scaled + fit / before * direction
    return x
