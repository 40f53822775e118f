"""How much a request, and all of them together, may ask for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a request, a client, and all of them together may ask for.

    Attributes:
      rows: of a request, as a server's largest batch.
      values: of one input; they bound the memory of an answer.
      items: brackets, braces, commas and colons in a body of JSON, also in its
        texts. While it is parsed nothing else runs in Python: half a second
        for so many.
      body: bytes, as they come and as they are once unpacked.
      bodies: bytes that all requests together may hold.
      connections: to REST, and as many to gRPC.
      seconds: from the first byte to the answer.
      client_seconds: in which a client has to send the headers of a request,
        the first or the next one, and in which it has to read an answer.
      waiting: requests that may wait for a thread.
      warm_up_seconds: in which a version may answer its warm-up requests,
        before it is there without the rest of them.
    """

    rows: int = 256
    values: int = 65_536
    items: int = 2**20
    body: int = 16 * 2**20
    bodies: int = 256 * 2**20
    connections: int = 512
    seconds: float = 30.0
    client_seconds: float = 10.0
    waiting: int = 256
    warm_up_seconds: float = 60.0

    @property
    def message(self) -> int:
        """Bytes of a message of gRPC, in which numbers take less than in JSON.

        As many messages of this size as `bodies` has room for are taken at a
        time, and this is to be a number that many clients can live with.
        """
        return self.body // 4

    @property
    def calls(self) -> int:
        """Calls of gRPC that are taken at a time."""
        return max(1, self.bodies // self.message)
