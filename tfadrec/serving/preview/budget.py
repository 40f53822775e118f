"""The memory that all requests together may hold."""

import threading

from tfadrec.serving.preview.request_error import RequestError


class Budget:
    """Bytes that are lent to requests, from any thread.

    Args:
      total: how many there are.
    """

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._lock = threading.Lock()

    def open(self) -> "_Loan":
        """A loan for one request, of nothing yet."""
        return _Loan(self)

    def _take(self, size: int) -> None:
        with self._lock:
            if size > self._left:
                raise RequestError(
                    "UNAVAILABLE",
                    f"all requests together have {self._total} bytes. "
                    "Received: one more. Try again later.",
                )
            self._left -= size

    def _give(self, size: int) -> None:
        with self._lock:
            self._left += size


class _Loan:
    def __init__(self, budget: Budget) -> None:
        self._budget, self._size = budget, 0

    def take(self, size: int) -> None:
        """Borrows more bytes.

        Raises:
          RequestError: where there are not so many.
        """
        self._budget._take(size)
        self._size += size

    def close(self) -> None:
        """Gives all of it back; a second time does nothing."""
        size, self._size = self._size, 0
        self._budget._give(size)
