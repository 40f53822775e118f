"""Tables of all kinds, made with a known number of rows of each fate.

A table is written as CSV, JSON Lines or Parquet, with odd names, ids, texts,
encodings, times and lists. Some rows are made bad, some are not wanted; what
`prepare` does with each is known before.
"""

import dataclasses
import datetime
import json
import pathlib
import random
import re
import tempfile
import zoneinfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources.table_spec import MAX_REJECTED

LATIN = "abcXYZ019 _-.()/%éüßñ"
WIDE = LATIN + "日本語用户Ωжم😀\u200d&<>"
MARKS = ",;|:'\"[]{}\\"
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "gb18030", "latin-1", "cp1252")
DELIMITERS = (",", ";", "\t", "|", "::", "§")
ZONES = (None, "Europe/Berlin", "America/New_York", "Asia/Kolkata")
#: A format of times, and to how many seconds it is exact; None for none.
FORMATS = (
    ("%d/%m/%Y %H:%M:%S", 1),
    ("%m-%d-%y %I:%M %p", 60),
    ("%Y%m%d", 86_400),
    ("%y%m%d%H", 3600),
    ("%b %d, %Y %H:%M:%S.%f", 1),
    ("%A %d. %B %Y, %H Uhr", 3600),
    ("%Y-%j %H%M", 60),
)
BAD = ("user", "ad", "time", "label", "short")


@dataclasses.dataclass
class Made:
    """A table, and what is known of it."""

    config: dict
    read: int
    rejected: int
    left_out: int
    users: list
    times: list
    tags: dict
    entries: int
    unknown_entries: int


class Maker:
    """Makes the files of one shop out of a seed."""

    def __init__(self, seed, folder):
        self.rng = random.Random(seed)
        self.folder = folder
        self.kind = self.rng.choice(("csv", "csv", "jsonl", "parquet"))
        self.encoding = "utf-8"
        if self.kind != "parquet":
            self.encoding = self.rng.choice(ENCODINGS)
        letters = LATIN if self.encoding in ENCODINGS[-2:] else WIDE
        self.letters = letters + MARKS
        self.delimiter = self.rng.choice(DELIMITERS)

    def text(self, least=0, most=12):
        length = self.rng.randint(least, most)
        return "".join(self.rng.choices(self.letters, k=length)).strip()

    def distinct(self, number, make):
        found = {}
        while len(found) < number:
            found.setdefault(make())
        return list(found)

    def id_of(self, integers):
        if integers:
            ends = (2**63 - 1, -(2**63), 0)
            return self.rng.choice((self.rng.randint(-99, 10**12), *ends))
        # Brackets would make a list of it, and dots a number.
        return "i" + self.text(0, 8).translate(
            dict.fromkeys(map(ord, "[](){}|"))
        )

    def listed(self, values, style):
        """A list as text, or as it is for files that have lists."""
        if style == "list":
            return values
        if style == "json":
            return json.dumps(values)
        if style == "python":
            return repr(values)
        if style == "tuple":
            return repr(tuple(values))
        if style == "set":
            return "{" + repr(values)[1:-1] + "}" if values else "set()"
        if style == "array":
            escaped = (re.sub(r'(["\\])', r"\\\1", str(v)) for v in values)
            return "{" + ",".join(f'"{v}"' for v in escaped) + "}"
        return "|".join(map(str, values))

    def time(self):
        """What is written, its column's settings, and UTC seconds by text."""
        style = self.rng.choice(("epoch", "float", "iso", "zoned", "format"))
        if self.kind == "parquet" and self.rng.random() < 0.3:
            style = "arrow"
        zone = self.rng.choice(ZONES)
        local = zoneinfo.ZoneInfo(zone or "UTC")
        time_format, exact = self.rng.choice(FORMATS)
        settings = {"timezone": zone} if zone else {}
        if style == "format":
            settings["format"] = time_format

        def write():
            seconds = self.rng.randint(10**9, 17 * 10**8)
            utc = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
            clock = utc.astimezone(local).replace(tzinfo=None, fold=0)
            if style == "format":
                since = clock - datetime.datetime(1970, 1, 1)
                rest = int(since.total_seconds()) % exact
                clock -= datetime.timedelta(seconds=rest)
            # Of an hour that comes twice the first one is read.
            known = int(clock.replace(tzinfo=local).timestamp())
            if style in ("epoch", "float"):
                known = seconds
            return {
                "epoch": seconds if self.kind != "csv" else str(seconds),
                "float": seconds + 0.5
                if self.kind != "csv"
                else f"{seconds}.5",
                "iso": clock.isoformat(self.rng.choice("T ")),
                "zoned": clock.replace(tzinfo=local).isoformat(),
                "format": clock.strftime(time_format),
                "arrow": clock,
            }[style], known

        return write, settings

    def make(self):
        rng = self.rng
        integers = rng.random() < 0.4
        names = self.distinct(11, lambda: self.text(1) or "x")
        ads = self.distinct(rng.randint(3, 8), lambda: self.id_of(integers))
        users = self.distinct(rng.randint(2, 9), lambda: self.id_of(integers))
        styles = ["json", "python", "split", "tuple", "set", "array"]
        style = "list" if self.kind != "csv" else rng.choice(styles)
        words = self.distinct(4, lambda: "w" + self.text(0, 5).strip("[](){}|"))
        words = [w.replace("|", "") for w in words]
        tags = {ad: rng.sample(words, rng.randint(0, 3)) for ad in ads}
        columns = dict(
            zip(
                (
                    "ad_id",
                    "title",
                    "tags",
                    "user_id",
                    "ad",
                    "timestamp",
                    "clicked",
                    "history",
                    "number",
                    "keep",
                    "other",
                ),
                names,
                strict=True,
            )
        )
        catalogue = [
            {
                columns["ad_id"]: ad,
                columns["title"]: rng.choice((None, self.text())),
                columns["tags"]: self.listed(tags[ad], style),
                columns["number"]: rng.choice((None, rng.randint(-9, 9) / 4)),
            }
            for ad in ads
        ]
        write_time, settings = self.time()
        labels = rng.choice(((0, 1), (False, True), ("FALSE", "True")))
        number = rng.randint(20, 60)
        share = rng.choice((0, 0, 0, 0.03, 0.05, 0.2))
        wanted = rng.random() < 0.5
        bad_entries = rng.choice((0, 0, 0, 0.02, 0.3))
        unknown = 123_456_789 if integers else "nowhere"
        assert unknown not in ads
        rows, made = [], Made({}, number, 0, 0, [], [], tags, 0, 0)
        for place in range(number):
            written, seconds = write_time()
            past = [
                unknown if rng.random() < bad_entries else rng.choice(ads)
                for _ in range(rng.randint(0, 4))
            ]
            row = {
                columns["user_id"]: rng.choice(users),
                columns["ad"]: rng.choice(ads),
                columns["timestamp"]: written,
                columns["clicked"]: rng.choice(labels),
                columns["history"]: self.listed(past, style),
                columns["number"]: rng.choice((None, rng.random())),
                columns["keep"]: "yes",
                columns["other"]: rng.choice((None, self.text())),
            }
            left = wanted and place > 5 and rng.random() < 0.3
            bad = place > 5 and rng.random() < share
            fault = rng.choice(BAD) if bad else None
            if left:
                row[columns["keep"]] = rng.choice((None, "no", "yes!"))
            if fault == "short" and not (self.kind == "csv" and not left):
                fault = "user"
            if fault == "time" and self.kind == "parquet":
                row[columns["timestamp"]] = None
            elif fault == "time":
                row[columns["timestamp"]] = "soon"
            elif fault == "user":
                row[columns["user_id"]] = None
            elif fault == "ad":
                row[columns["ad"]] = unknown
            elif fault == "label":
                row[columns["clicked"]] = None
            rows.append(["short"] if fault == "short" else row)
            if left:
                made.left_out += 1
            elif fault:
                made.rejected += 1
            else:
                made.users.append(row[columns["user_id"]])
                made.times.append(seconds)
                made.entries += len(past)
                made.unknown_entries += past.count(unknown)
        list_of = {"column": columns["history"], "separator": "|"}
        made.config = {
            "user_id_type": "int64" if integers else "string",
            "ad_id_type": "int64" if integers else "string",
            "ads": {
                "file": self.write("ads", catalogue),
                "ad_id": columns["ad_id"],
                "title": columns["title"],
                "tags": {"column": columns["tags"], "separator": "|"},
                "features": {columns["number"]: "number", "tags": "categories"},
            },
            "impressions": {
                "file": self.write("log", rows),
                "user_id": columns["user_id"],
                "ad_id": columns["ad"],
                "timestamp": {"column": columns["timestamp"], **settings},
                "clicked": columns["clicked"],
                "history": list_of,
                "features": {
                    columns["number"]: "number",
                    columns["other"]: "category",
                },
            },
        }
        if wanted:
            condition = rng.choice(
                ("yes", ["yes", "maybe"], {"not": ["", "no", "yes!"]})
            )
            made.config["impressions"]["where"] = {columns["keep"]: condition}
        for section in ("ads", "impressions"):
            if self.kind == "csv":
                made.config[section]["delimiter"] = self.delimiter
            if self.encoding != "utf-8":
                made.config[section]["encoding"] = self.encoding
        return made

    def write(self, name, rows):
        path = self.folder / f"{name}.{self.kind}"
        plain = [row for row in rows if isinstance(row, dict)]
        if self.kind == "parquet":
            keys = plain[0]
            pq.write_table(
                pa.table({k: [row[k] for row in plain] for k in keys}), path
            )
            return path.name
        if self.kind == "jsonl":
            # A missing value is null, or its key is not there; each is once.
            lines = [
                json.dumps(
                    {
                        k: v
                        for k, v in row.items()
                        if v is not None
                        or row is plain[0]
                        or self.rng.random() < 0.5
                    },
                    ensure_ascii=self.rng.random() < 0.3,
                )
                for row in plain
            ]
        else:
            lines = [self.line(list(plain[0]))]
            lines += [
                self.line(row.values()) if isinstance(row, dict) else row[0]
                for row in rows
            ]
        end = self.rng.choice(("\n", "\r\n"))
        text = end.join(lines) + self.rng.choice(("", end))
        path.write_bytes(text.encode(self.encoding))
        return path.name

    def line(self, values):
        cells = ["" if value is None else str(value) for value in values]
        return self.delimiter.join(
            '"' + cell.replace('"', '""') + '"'
            if self.rng.random() < 0.3
            or any(mark in cell for mark in ('"', "\n", self.delimiter))
            or (len(self.delimiter) > 1 and ":" in cell)
            else cell
            for cell in cells
        )


def check(seed):
    """Prepares one shop; whether it was written."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = Maker(seed, folder).make()
        path = folder / "c.yaml"
        path.write_text(
            yaml.safe_dump(made.config, allow_unicode=True), "utf-8"
        )
        few = made.rejected <= MAX_REJECTED * (made.read - made.left_out)
        few &= made.unknown_entries <= MAX_REJECTED * made.entries

        def prepare():
            return sources.prepare_table(path, folder / "out")

        if not few:
            with pytest.raises(InputError, match="may be refused") as caught:
                prepare()
            assert "\n" not in str(caught.value)
            assert not (folder / "out").exists()
            return False
        summary = prepare()
        counts = {count.unit: count for count in summary.counts}
        for count in summary.counts:
            parts = count.kept + count.rejected + count.left_out
            assert count.read == parts
        rows, past = counts["impressions"], counts["history entries"]
        assert (rows.read, rows.rejected, rows.left_out) == (
            made.read,
            made.rejected,
            made.left_out,
        )
        assert (past.read, past.rejected) == (
            made.entries,
            made.unknown_entries,
        )
        out = folder / "out"
        log = pq.read_table(out / "impressions.parquet")
        ads = pq.read_table(out / "ads.parquet")
        assert sorted(log["timestamp"].to_pylist()) == sorted(made.times)
        assert sorted(log["user_id"].to_pylist()) == sorted(made.users)
        assert {
            ad: tags
            for ad, tags in zip(
                ads["ad_id"].to_pylist(), ads["tags"].to_pylist(), strict=True
            )
        } == made.tags
        assert len(open_dataset(out)) == rows.kept
        return True


def check_all(seeds):
    faults = []
    written = 0
    for seed in seeds:
        try:
            written += check(seed)
        except Exception as error:
            faults.append((seed, repr(error)[:500]))
    assert not faults, (len(faults), faults[:3])
    # Most tables are fit to be read, and many are not.
    assert 0.4 < written / len(seeds) < 0.9


@pytest.mark.parametrize(
    "block",
    [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))],
)
def test_generated_tables(block):
    check_all(range(block * 50, block * 50 + 50))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_many_generated_tables(block):
    check_all(range(10_000 + block * 500, 10_500 + block * 500))
