"""Attention and Transformer blocks in NumPy, one row at a time."""

import numpy as np


def fill(layer, seed=0):
    """Draws a layer's trainable weights, and gives them by name."""
    random = np.random.default_rng(seed)
    weights = {}
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
        name = variable.name.removesuffix(":0").partition("/")[2]
        weights[name] = variable.numpy().astype(np.float64)
    return weights


def under(weights, name):
    """The weights of one sublayer."""
    return {
        key.removeprefix(f"{name}/"): value
        for key, value in weights.items()
        if key.startswith(f"{name}/")
    }


def softmax(x):
    shares = np.exp(x - np.max(x))
    return shares / shares.sum()


def attend(query, context, weights, num_heads):
    """One query over the rows that it sees."""
    if not len(context):
        return np.zeros(len(query))
    size = len(query) // num_heads
    heads = []
    for h in range(num_heads):
        part = slice(h * size, (h + 1) * size)
        q = query @ weights["query/kernel"][:, part]
        logits = [
            q @ (row @ weights["key/kernel"][:, part]) / np.sqrt(size)
            for row in context
        ]
        shares = softmax(np.array(logits))
        heads.append(
            sum(
                share * (row @ weights["value/kernel"][:, part])
                for share, row in zip(shares, context, strict=True)
            )
        )
    return np.concatenate(heads) @ weights["output/kernel"]


def norm(row):
    return (row - row.mean()) / np.sqrt(row.var() + 1e-6)


def affine_norm(row, weights):
    """A layer norm, or the row where a layer has none."""
    if not weights:
        return row
    return norm(row) * weights["gamma"] + weights["beta"]


def block(row, context, weights, num_heads):
    """One row of a Transformer block over the rows that it sees."""
    first = under(weights, "attention_norm")
    row = row + attend(
        affine_norm(row, first),
        [affine_norm(other, first) for other in context],
        under(weights, "attention"),
        num_heads,
    )
    hidden = affine_norm(row, under(weights, "ffn_norm"))
    hidden = hidden @ weights["hidden/kernel"] + weights["hidden/bias"]
    hidden = np.maximum(hidden, 0)
    return row + hidden @ weights["output/kernel"] + weights["output/bias"]
