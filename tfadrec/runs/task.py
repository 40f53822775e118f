"""Which of several processes this one is, as `TF_CONFIG` says."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import parse_json

_VARIABLE = "TF_CONFIG"
#: What processes may be called, in the order of their numbers.
JOBS = ("chief", "worker", "ps")
#: What a text that holds anything else raises.
_WRONG = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclasses.dataclass(frozen=True)
class Task:
    """One of the processes that train a model together.

    Args:
      index: its number, from 0; the first is the chief.
      count: how many take each step together.
      servers: how many keep the weights for the others; where some do, the
        chief hands out the steps, and each is taken by one worker.
    """

    index: int = 0
    count: int = 1
    servers: int = 0

    @classmethod
    def of_cluster(
        cls, sizes: Mapping[str, int], job: str, index: int
    ) -> "Task":
        """Task `index` of a job, in a cluster of so many of each job."""
        before = 0
        for other in JOBS[: JOBS.index(job)]:
            before += sizes.get(other, 0)
        servers = sizes.get("ps", 0)
        count = 1 if servers else sum(sizes.values())
        return cls(before + index, count, servers)

    @property
    def is_one_of_several(self) -> bool:
        """Whether there is another process."""
        return self.count > 1 or self.servers > 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is kept."""
        return self.index == 0


def read_task() -> Task:
    """What `TF_CONFIG` makes of this process; one alone where it is not set.

    Raises:
      InputError: where it is no JSON of a cluster, this process is not one of
        it, or the cluster has other tasks than workers.
    """
    text = os.environ.get(_VARIABLE, "")
    if not text.strip():
        return Task()
    try:
        found: Any = parse_json(text)
        sizes = {job: len(at) for job, at in found.get("cluster", {}).items()}
        if not sizes:
            return Task()
        job, index = found["task"]["type"], int(found["task"]["index"])
        if not 0 <= index < sizes[job]:
            raise IndexError(index)
    except _WRONG as error:
        raise InputError(
            f"{_VARIABLE} must be JSON with a `cluster` and with the `task` in "
            f"it that this process is. Received: {text[:200]!r}. Correct it, "
            "or unset it to train with one process."
        ) from error
    others = set(sizes) - set(JOBS)
    if others:
        raise InputError(
            "processes that train together are workers, of which one may be "
            "called chief, and parameter servers, called ps. Received: "
            f"{_VARIABLE} with {min(others)!r}. Leave it out."
        )
    if sizes.get("ps") and (sizes.get("chief") != 1 or not sizes.get("worker")):
        raise InputError(
            "parameter servers are of one chief and its workers. Received: "
            f"{_VARIABLE} with {json.dumps(sizes)}. Name a chief and a worker."
        )
    return Task.of_cluster(sizes, job, index)
