"""How much a request may ask for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a request may ask for.

    Attributes:
      rows: of a request, as a server's largest batch.
      values: of one input; they bound the memory of an answer.
      body: bytes.
      seconds: from the first byte to the answer.
      waiting: requests that may wait for a thread.
    """

    rows: int = 256
    values: int = 65_536
    body: int = 16 * 2**20
    seconds: float = 30.0
    waiting: int = 256
