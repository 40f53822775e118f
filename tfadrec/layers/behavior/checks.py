"""What several encoders want, and refuse."""

EVENTS = {"events": "float [B, T, D]", "mask": "bool [B, T]"}
AGES = {"ages": "int [B, T]"}
EVENTS_AND_AGES = {**EVENTS, **AGES}
EVENTS_AND_TARGET = {**EVENTS, "target": "float [B, C, D]"}


def check_sizes(**sizes: int) -> None:
    """Raises a ValueError where an argument is below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"`{name}` must be >= 1. Received: {name}={size}.")


def check_dropout(dropout: float) -> None:
    """Raises a ValueError where a rate lies outside [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(
            f"`dropout` must lie in [0, 1). Received: dropout={dropout}."
        )


def check_heads(num_heads: int, width: int) -> None:
    """Raises a ValueError where heads do not share out the width evenly."""
    if width % num_heads:
        raise ValueError(
            "`num_heads` must divide the width of the events. Received: "
            f"num_heads={num_heads}, width={width}."
        )
