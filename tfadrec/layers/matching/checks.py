"""What the matching layers want, and refuse."""

from tfadrec.ops import masking

VECTORS = {
    "user": "float [B, T, D]",
    "user_mask": "bool [B, T]",
    "ad": "float [B, C, N, D]",
}
AD_MASK = {"ad_mask": "bool [B, C, N]"}


def check_pooling(pooling: str) -> None:
    """Raises a ValueError where the pooling is unknown."""
    if pooling not in masking.POOLINGS:
        raise ValueError(
            f"`pooling` must be one of {', '.join(masking.POOLINGS)}. "
            f"Received: pooling={pooling!r}."
        )
