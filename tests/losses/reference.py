"""What rows cost, in float64 loops over SciPy and scikit-learn.

Each function takes the labels, the outputs and the mask of one slate and gives
the loss of its rows, 0 in padding.
"""

import itertools

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics


def by_row(cost):
    """Of a function of the label and the outputs of one row."""

    def losses(labels, outputs, mask):
        found = np.zeros(len(labels))
        for i in np.flatnonzero(mask):
            found[i] = cost(labels[i], outputs[i])
        return found

    return losses


def by_slate(cost):
    """Of a function of the labels and the outputs of the real rows."""

    def losses(labels, outputs, mask):
        return np.where(mask, cost(labels[mask], outputs[mask]), 0.0)

    return losses


def binary_row(y, z):
    return -y * scipy.special.log_expit(z) - (1 - y) * scipy.special.log_expit(
        -z
    )


def ziln_row(y, outputs):
    logit, mu, raw = outputs
    sigma = np.logaddexp(0, raw) + 1e-3
    if y <= 0:
        return binary_row(0, logit)
    density = scipy.stats.lognorm(s=sigma, scale=np.exp(mu)).logpdf(y)
    return binary_row(1, logit) - density


def softmax_slate(y, z):
    if not y.sum() > 0:
        return 0.0
    return -(y / y.sum()) @ scipy.special.log_softmax(z)


def pairs(y):
    return [
        (i, j)
        for i, j in itertools.product(range(len(y)), repeat=2)
        if y[i] > y[j]
    ]


def ranknet_slate(y, z):
    costs = [np.logaddexp(0, z[j] - z[i]) for i, j in pairs(y)]
    return np.mean(costs) if costs else 0.0


def lambda_slate(k):
    """Exchanges each pair, and lets scikit-learn say what NDCG becomes."""

    def cost(y, z):
        total = 0.0
        for i, j in pairs(y):
            exchanged = z.copy()
            exchanged[[i, j]] = z[[j, i]]
            before, after = (
                sklearn.metrics.ndcg_score([y], [scores], k=k)
                for scores in (z, exchanged)
            )
            total += abs(before - after) * np.logaddexp(0, z[j] - z[i])
        return total

    return cost


def jrc(alpha):
    def losses(labels, outputs, mask):
        found = np.zeros(len(labels))
        if not mask.any():
            return found
        among = scipy.special.log_softmax(outputs[mask], axis=0)
        own = scipy.special.log_softmax(outputs[mask], axis=1)
        for place, i in enumerate(np.flatnonzero(mask)):
            shares = np.array([1 - labels[i], labels[i]])
            found[i] = -alpha * shares @ own[place]
            found[i] -= (1 - alpha) * shares @ among[place]
        return found

    return losses


binary = by_row(binary_row)
squared = by_row(lambda y, o: (y - o) ** 2)
ziln = by_row(ziln_row)
softmax = by_slate(softmax_slate)
ranknet = by_slate(ranknet_slate)


def huber(delta):
    return by_row(lambda y, o: scipy.special.huber(delta, y - o))


def lambda_loss(k):
    return by_slate(lambda_slate(k))
