"""A process that stands for a server, and imports no TensorFlow.

    python -m tfadrec.native.replay BUNDLE ANSWERS.npz CALLS SECONDS

It loads a bundle's version through TensorFlow's C library and answers every
request of its warm-up file. ANSWERS.npz holds the answers as `<request's
number>/<output>`, texts as bytes with a full stop behind, which keeps NULs at
their end. Standard output is a line before each request, which names it, and
then one JSON object: what loading took, the process's memory, and for every
request what its first answer took and, with 1, 2 and 4 threads, percentiles in
milliseconds and requests per second: of CALLS calls each, or of as many as
SECONDS allow. Of a request of one row there is also what 8 take that are
merged, as a server does. A time is that of `TF_SessionRun` alone.
"""

import json
import pathlib
import re
import sys
import threading
import time
from typing import Any

import numpy as np

from tfadrec.native.bundle_session import BundleSession
from tfadrec.native.library import library
from tfadrec.native.warm_up_file import Arrays, requests

#: Where TensorFlow Serving looks for requests in a version's folder.
WARM_UP = "assets.extra/tf_serving_warmup_requests"
_THREADS = (1, 2, 4)
_MERGED = 8


def main(bundle: str, answers: str, calls: str, seconds: str) -> None:
    """See the module."""
    folder = pathlib.Path(bundle)
    begun = time.perf_counter()
    session = BundleSession(folder)
    report: dict[str, Any] = {
        "tensorflow": library().TF_Version().decode(),
        "load_seconds": time.perf_counter() - begun,
        "requests": [],
    }
    found = {}
    asked = list(requests(folder / WARM_UP))
    for number, (signature, request) in enumerate(asked):
        print(f"{signature}, {1 + number} of {len(asked)}", flush=True)
        told, answer = _replay(
            session, signature, request, int(calls), float(seconds)
        )
        report["requests"].append(told)
        for name, values in answer.items():
            found[f"{number}/{name}"] = _plain(values)
    session.close()
    report["peak_megabytes"] = _peak()
    if "tensorflow" in sys.modules:
        raise AssertionError("TensorFlow's Python was imported.")
    np.savez(answers, allow_pickle=False, **found)
    print(json.dumps(report))


def _replay(
    session: BundleSession,
    signature: str,
    request: Arrays,
    calls: int,
    seconds: float,
) -> tuple[dict[str, Any], Arrays]:
    """What is reported of a request, and its answer."""
    call = session.call(signature, request)
    first = _milliseconds(call.run)
    answer = call.answer()
    call.close()

    def measured(request, threads):
        asked = [session.call(signature, request) for _ in range(threads)]
        return measure(asked, calls, seconds)

    told = {
        "signature": signature,
        "shapes": {name: values.shape for name, values in request.items()},
        "first_ms": first,
        "threads": {str(n): measured(request, n) for n in _THREADS},
    }
    if len(next(iter(request.values()))) == 1:
        merged = {k: np.repeat(v, _MERGED, axis=0) for k, v in request.items()}
        found = measured(merged, 1)
        found["per_second"] *= _MERGED
        told["merged"] = {"requests": _MERGED, **found}
    return told, answer


def measure(requests: list[Any], calls: int, seconds: float) -> dict[str, Any]:
    """Runs calls, each in a thread of its own, all at the same time.

    Args:
      requests: calls of a `BundleSession`; they are closed.
      calls: how often each is run, >= 1, after one run that is not counted.
      seconds: after which no thread begins another run, its first excepted.

    Returns:
      `p50_ms` and `p99_ms` of the runs of all threads, and `per_second`, how
      many were answered in a second.
    """
    took: list[float] = []
    begun: list[float] = []
    # The clock is read before any of the threads goes on.
    ready = threading.Barrier(
        len(requests) + 1, lambda: begun.append(time.perf_counter())
    )

    def work(call):
        call.run()
        ready.wait()
        end = time.perf_counter() + seconds
        times = [_milliseconds(call.run)]
        while len(times) < calls and time.perf_counter() < end:
            times.append(_milliseconds(call.run))
        took.extend(times)

    threads = [threading.Thread(target=work, args=(c,)) for c in requests]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - begun[0]
    for call in requests:
        call.close()
    p50, p99 = np.percentile(took, (50, 99))
    return {
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "per_second": len(took) / elapsed,
    }


def _milliseconds(run) -> float:
    begun = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begun)


def _plain(values: np.ndarray) -> np.ndarray:
    if values.dtype != object:
        return values
    return np.array([v + b"." for v in values.flat], "S").reshape(values.shape)


def _peak() -> float:
    """The most memory that this process ever had, in megabytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+)", status)
    return int(match[1]) / 1000 if match else 0.0


if __name__ == "__main__":
    main(*sys.argv[1:])
