"""Commands that write are ended at any moment, and find their disk full.

Afterwards what is there is the old or the new, whole; the same command then
completes, with the files that it would have written anyhow; and nothing hidden
is left. Commands are ended up to three times in a row before they complete.

    TFADREC_CRASHES=200 python -m pytest tests/test_crash.py -m slow -n0 -s

With 200 it takes some 17 minutes of a processor, and says how far it is.
"""

import collections
import os
import random
import shutil
import signal

import pytest

from tests.crash.commands import FURNITURE, WEIGHTS
from tests.crash.disk import Disk
from tests.crash.world import World, left_behind, sums

#: Moments at which commands are ended; a disk is full for a fourth of them.
MOMENTS = int(os.environ.get("TFADREC_CRASHES", "40"))
FULL_DISKS = -(-MOMENTS // 4)
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: Times that a command is ended before it may complete.
ROW = 3
DISK = 64 * 2**20


def crash(world, moments, chance):
    """Ends commands at so many moments; counts by command and what it was."""
    counts, moment, names = collections.Counter(), 0, drawn(chance)
    while moment < moments:
        name = next(names)
        home = world.folder / f"moment-{moment}"
        world.begin(name, home, chance)
        is_done = False
        for _ in range(min(ROW, moments - moment)):
            way = WAYS[moment % len(WAYS)]
            ended = world.run(
                name, home, way=way, **when(world.ended[name], chance)
            )
            moment += 1
            is_done = world.is_done(name, ended)
            counts[name, "done" if is_done else way.name] += 1
            if is_done:
                break
            world.check(name, home)
            counts["all", "of them writing"] += bool(left_behind(home))
        if not is_done:
            complete(world, name, home)
        world.check_new(name, home)
        shutil.rmtree(home)
        world.tell(name, moment, moments)
    return counts


def drawn(chance):
    """Every command once, and then the cheap ones more often."""
    yield from chance.sample(list(WEIGHTS), len(WEIGHTS))
    while True:
        yield from chance.choices(list(WEIGHTS), WEIGHTS.values())


def when(whole, chance):
    """A moment of a command: by its time, or by what it changes."""
    if chance.randrange(2):
        return {"after": chance.uniform(0, whole.seconds)}
    return {"change": chance.randint(1, whole.changes)}


def complete(world, name, home):
    """The same command ends well."""
    ended = world.run(name, home)
    assert world.is_done(name, ended), (name, ended)


def fill(world, times, chance, disk):
    """Has commands find no room: on a small disk, or by a limit on files."""
    counts = collections.Counter()
    names = list(WEIGHTS)
    for time in range(times):
        name = names[time % len(names)]
        # Every other round of all commands.
        is_disk = disk is not None and time // len(names) % 2 == 0
        home = (disk.folder if is_disk else world.folder) / f"full-{time}"
        world.begin(name, home, chance)
        if is_disk:
            disk.leave(int(chance.uniform(0, 1) * _written(world, name)))
            ended = world.run(name, home)
            disk.empty()
        else:
            most = int(10 ** chance.uniform(0, 5))
            ended = world.run(name, home, most=most)
        is_done = world.is_done(name, ended)
        # 2 where a run cannot be read: temporary files are limited, too.
        assert (
            is_done or ended.code == 1 or (ended.code == 2 and not is_disk)
        ), (name, ended)
        assert "Traceback" not in ended.said, ended.said
        if not is_done:
            lines = ended.said.splitlines()
            told = [line for line in lines if line.startswith("tfadrec: ")]
            assert len(told) == 1, ended.said
        where = "on a disk" if is_disk else "by a limit"
        counts[where, "done" if is_done else "refused"] += 1
        world.check(name, home)
        if not is_done:
            complete(world, name, home)
        world.check_new(name, home)
        shutil.rmtree(home)
        world.tell(name, time + 1, times)
    return counts


def _written(world, name):
    """Bytes of the disk that a command fills."""
    furniture = FURNITURE.get(name, {}).values()
    there = sum(_size(world.whole / source) for source in furniture)
    return max(0, _size(world.whole / name) - there)


def _size(folder):
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*"))


def shown(counts):
    return ", ".join(
        f"{n} {how}: {c}" for (n, how), c in sorted(counts.items())
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.forks.close()


@pytest.fixture
def disk(tmp_path):
    """A small disk, None where none may be mounted."""
    try:
        mounted = Disk(tmp_path, DISK)
    except OSError:
        yield None
    else:
        yield mounted
        mounted.close()


@pytest.mark.slow
def test_old_or_new_at_any_moment(world):
    counts = crash(world, MOMENTS, random.Random(0))
    print(shown(counts))
    # Most were ended while they worked, or this has tested nothing.
    ended = sum(c for (_, how), c in counts.items() if how.startswith("SIG"))
    assert ended > MOMENTS / 2


@pytest.mark.slow
def test_old_or_new_on_a_full_disk(world, disk):
    counts = fill(world, FULL_DISKS, random.Random(1), disk)
    print(shown(counts))
    refused = sum(c for (_, how), c in counts.items() if how == "refused")
    assert refused > FULL_DISKS / 4


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_link_stays_a_link(world, name):
    """Every command writes through a link to where it leads."""
    home = world.folder / f"link-{name}"
    world.furnish(name, home)
    is_run = name in ("evaluate", "calibrate")
    place = home / ("run" if is_run else "out")
    before = {each.name for each in home.iterdir()}
    # A bundle is called as its folder is.
    real = home / "real" / place.name
    real.parent.mkdir()
    if place.exists():
        place.rename(real)
    place.symlink_to(f"real/{place.name}")
    complete(world, name, home)
    assert os.readlink(place) == f"real/{place.name}"
    made = {each.name for each in home.iterdir()} - {"cache"}
    pages = {"m.prom", "m.html"} if name == "monitor" else set()
    assert made == before | pages | {place.name, "real"}
    expected = sums(world.whole / name / place.name)
    assert expected
    assert expected.keys() <= sums(real).keys()
