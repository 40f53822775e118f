"""Logistic regression by Newton's method with conjugate gradients."""

from collections.abc import Callable, Iterable

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

#: Some rows at a time: X, their labels, and how many rows each stands for.
Blocks = Callable[[], Iterable[tuple[Design, Floats, Floats]]]


def fit_logistic(blocks: Blocks, l2: float) -> tuple[float, Floats]:
    """Minimises sum_i c_i loss(b + x_i w, y_i) + l2 / 2 |w|^2.

    The intercept b is not drawn towards 0. Every step solves Newton's equation
    by conjugate gradients, scaled by the diagonal (Nocedal and Wright,
    "Numerical Optimization", 2006, section 7.1), and is halved until the loss
    falls. A product with the design costs what its rows and fields do. Of all
    rows 8 bytes each are held.

    Args:
      blocks: gives all rows at each call: X [n, M], labels [n] of 0 and 1, both
        of them present, and c [n].
      l2: the penalty, > 0.

    Returns:
      b, and w [M].
    """
    clicks = total = 0.0
    size = 0
    for design, labels, counts in blocks():
        clicks += float(counts @ labels)
        total += float(counts.sum())
        size = design.size
    rate = clicks / total
    penalty = np.append(0.0, np.full(size, l2))

    def loss(parameters: Floats) -> float:
        found = float(penalty @ np.square(parameters)) / 2
        for design, labels, counts in blocks():
            z = _logits(design, parameters)
            signed = np.where(labels == 1, -z, z)
            found += float(counts @ np.logaddexp(0.0, signed))
        return found

    found = np.zeros(size + 1)
    found[0] = np.log(rate) - np.log1p(-rate)
    now = loss(found)
    for _ in range(_STEPS):
        step, length = _newton_step(blocks, found, penalty), 1.0
        after = loss(found + step)
        while after > now and length > 1e-6:
            length /= 2
            after = loss(found + length * step)
        if after > now:
            break
        found = found + length * step
        gain, now = now - after, after
        if gain < _TOLERANCE * total:
            break
    return float(found[0]), found[1:]


def _newton_step(blocks: Blocks, found: Floats, penalty: Floats) -> Floats:
    """What Newton's method adds to the parameters."""
    gradient, diagonal = penalty * found, penalty.copy()
    curvatures = []
    for design, labels, counts in blocks():
        p = ranking.sigmoid(_logits(design, found))
        gradient += _gathered(design, counts * (p - labels))
        curvature = counts * p * (1 - p)
        diagonal += np.append(curvature.sum(), design.squares(curvature))
        curvatures.append(curvature)

    def hessian(v: Floats) -> Floats:
        product = penalty * v
        for (design, *_), curvature in zip(blocks(), curvatures, strict=True):
            product += _gathered(design, curvature * _logits(design, v))
        return product

    return _solved(hessian, -gradient, diagonal)


def _logits(design: Design, parameters: Floats) -> Floats:
    return parameters[0] + design.dot(parameters[1:])


def _gathered(design: Design, values: Floats) -> Floats:
    return np.append(values.sum(), design.transposed(values))


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
