"""How fast and how well a bundle of a large catalogue recommends.

    python benchmarks/catalogue_answers.py FOLDER FOUND_BY [USERS] [CALLS]

FOLDER is what `serving_catalogue.py` keeps; the newest bundle in its FOUND_BY
is read. This process has TensorFlow alone.
With CALLS > 0 the signatures are timed. For the first USERS users of the
requests the ten best ads are compared with a sort of the whole catalogue's
scores from `score_slate`, and the 100 ads that `retrieve` gives with those of
all lists of the index. What the sort has found is kept in FOLDER, so more users
can be compared later; it is kept for one ranker, whatever finds its ads.
"""

import json
import pathlib
import re
import sys
import time

import numpy as np
import tensorflow as tf
from machine import spread

_USERS, _CALLS = 200, 200
_BEST, _BLOCK, _NEW = 10, 20_000, 10_000


def main() -> None:
    arguments = dict(enumerate(sys.argv))
    folder = pathlib.Path(arguments[1])
    versions = (folder / arguments[2]).glob("[0-9]*")
    newest = max(versions, key=lambda path: int(path.name))
    count = int(arguments.get(3, _USERS))
    calls = int(arguments.get(4, _CALLS))
    base = _memory("VmRSS")
    with np.load(folder / "request.npz") as file:
        users = dict(file)
    ids = users.pop("all_ads")
    begun = time.perf_counter()
    bundle = tf.saved_model.load(newest)
    print(
        f"load {time.perf_counter() - begun:.1f} s; "
        f"{_memory('VmRSS') - base:.2f} GB more memory",
        flush=True,
    )
    asked = _Asked(bundle, users, ids)
    if calls:
        for name, more in asked.requests().items():
            asked.time(name, more, calls)
        print(f"peak {_memory('VmHWM'):.1f} GB, TensorFlow included")
    if "retrieve" in bundle.signatures and count:
        print(f"recall@100 of the index: {asked.recall(count):.4f}")
    if count:
        asked.compare(count, folder / "best.json")
    if calls and hasattr(bundle, "put_ads"):
        asked.add(_NEW)


class _Asked:
    """A bundle, and users to ask it for."""

    def __init__(self, bundle, users, ids) -> None:
        self._bundle, self._users, self._ids = bundle, users, ids
        self._total = len(users["user_id"])

    def requests(self):
        """What is asked for beside a user, by signature."""
        slate = dict(candidate_ads=self._ids[None, :500])
        bids = dict(bids=np.ones([1, 500]))
        told = {
            "recommend": _choice(10),
            "retrieve": _choice(100),
            "recommend_from": slate | bids | _choice(10),
            "score_slate": slate,
        }
        return {k: v for k, v in told.items() if k in self._bundle.signatures}

    def time(self, name, more, calls) -> None:
        """Prints what calls for one user after the other take."""
        requests = [self._tensors(name, n, more) for n in range(calls)]
        ask = self._bundle.signatures[name]
        ask(**requests[0])
        wall, used = [], []
        for request in requests:
            begun = time.perf_counter(), time.process_time()
            ask(**request)
            wall.append(time.perf_counter() - begun[0])
            used.append(time.process_time() - begun[1])
        wall, used = (np.percentile(v, (50, 99)) * 1000 for v in (wall, used))
        print(
            f"{name}, {calls} calls: p50 {wall[0]:.1f} ms, p99 {wall[1]:.1f} "
            f"ms; of processor time {used[0]:.1f} and {used[1]:.1f} ms",
            flush=True,
        )

    def recall(self, count) -> float:
        """The share of the 100 best inner products that `retrieve` gives."""
        probes = self._bundle.finder.index._probes
        learned = probes.numpy()
        print(f"lists read: {learned}")
        found = self._answers("retrieve", count, 100)
        probes.assign(10**6)
        best = self._answers("retrieve", count, 100)
        probes.assign(learned)
        pairs = zip(best, found, strict=True)
        return float(np.mean([np.isin(b, f).mean() for b, f in pairs]))

    def compare(self, count, path) -> None:
        """Prints the share of the best ads that `recommend` gives."""
        best = json.loads(path.read_text()) if path.exists() else []
        parts = np.array_split(self._ids, -(-len(self._ids) // _BLOCK))
        parts = [
            _as_specs(self._specs("score_slate"), dict(candidate_ads=p[None]))
            for p in parts
        ]
        shares = []
        for number in range(count):
            if number == len(best):
                best.append(self._best(number, parts))
                path.write_text(json.dumps(best))
            found = self._answer("recommend", number, _BEST)
            shares.append(float(np.isin(found, best[number]).mean()))
            if number % 20 == 19 or number == count - 1:
                error = np.std(shares) / len(shares) ** 0.5
                print(
                    f"the share of the ten best of a sort that `recommend` "
                    f"has: mean {np.mean(shares):.4f}, standard error "
                    f"{error:.4f}; {spread(shares)}",
                    flush=True,
                )

    def add(self, count) -> None:
        """Prints what it takes to add ads that are like those there."""
        (function,) = self._bundle.put_ads.concrete_functions
        specs = function.structured_input_signature[1]
        random = np.random.default_rng(0)
        new = {
            name: random.normal(size=[count, *spec.shape[1:]])
            for name, spec in specs.items()
            if spec.dtype.is_floating
        }
        new["new_ads"] = np.array([f"new-{n:09}" for n in range(count)])
        for name in set(specs) - set(new):
            new[name] = np.full([count, *specs[name].shape[1:]], "brand-1")
        new = _as_specs(specs, new)
        begun = time.perf_counter(), time.process_time()
        self._bundle.put_ads(**new)
        print(
            f"{count:,} new ads: {time.perf_counter() - begun[0]:.2f} s, "
            f"processor {time.process_time() - begun[1]:.2f} s"
        )

    def _best(self, number, parts):
        """Ids of the best ads of all, and of those that are as good."""
        user = self._tensors("score_slate", number, {})
        score = self._bundle.signatures["score_slate"]
        logits = [score(**user, **part)["logits"].numpy()[0] for part in parts]
        logits = np.concatenate(logits)
        least = np.partition(logits, -_BEST)[-_BEST]
        least -= 1e-5 * max(1, abs(least))
        return self._ids[logits >= least].tolist()

    def _answers(self, name, count, k):
        return [self._answer(name, number, k) for number in range(count)]

    def _answer(self, name, number, k):
        request = self._tensors(name, number, _choice(k))
        found = self._bundle.signatures[name](**request)["ad_ids"].numpy()[0]
        return [ad.decode() for ad in found]

    def _tensors(self, name, number, more):
        number %= self._total
        user = {k: v[number : number + 1] for k, v in self._users.items()}
        return _as_specs(self._specs(name), user | more)

    def _specs(self, name):
        return self._bundle.signatures[name].structured_input_signature[1]


def _choice(k):
    return dict(
        exclude_ads=np.zeros([1, 0], str),
        exclude_history=np.array([False]),
        k=np.array([k]),
    )


def _as_specs(specs, request):
    return {
        k: tf.constant(v.tolist(), specs[k].dtype, v.shape)
        for k, v in request.items()
    }


def _memory(what):  # GB, of this process; rusage would have its parent's
    status = pathlib.Path("/proc/self/status").read_text()
    found = re.search(what + r":\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1e6


if __name__ == "__main__":
    main()
