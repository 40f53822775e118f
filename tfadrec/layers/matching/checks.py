"""What the matching layers refuse."""

from tfadrec.ops import masking


def check_pooling(pooling: str) -> None:
    """Raises a ValueError where the pooling is unknown."""
    if pooling not in masking.POOLINGS:
        raise ValueError(
            f"`pooling` must be one of {', '.join(masking.POOLINGS)}. "
            f"Received: pooling={pooling!r}."
        )
