import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

NEWS = (
    'N1\tsports\tgolf\tA "great" day\tThey won.\thttps://x\t[]\t[{"L": 1}]\n'
    "N2\tnews\tworld\t\t\thttps://x\t[]\t[]\n"
    "N3\tnews\tlocal\tFog\tIt came.\thttps://x\t[]\t[]\n"
)
# The first line is later than the second one.
BEHAVIORS = (
    "1\tU1\t11/15/2019 10:22:32 AM\tN3 N1 N3\tN1-0 N2-1\n"
    "2\tU2\t11/15/2019 9:00:00 AM\t\tN3-1\n"
)


def prepare(tmp_path, news=NEWS, behaviors=BEHAVIORS):
    for name, data in (("news", news), ("behaviors", behaviors)):
        if isinstance(data, str):
            data = data.encode()
        if data is not None:
            (tmp_path / f"{name}.tsv").write_bytes(data)
    return sources.prepare_mind(
        tmp_path / "news.tsv", tmp_path / "behaviors.tsv", tmp_path / "out"
    )


def counts(summary):
    for count in summary.counts:
        assert count.read == count.kept + count.rejected
    return {c.unit: (c.read, c.kept, c.rejected) for c in summary.counts}


def rejects(tmp_path):
    table = pq.read_table(tmp_path / "out" / "rejects.parquet")
    return [(r["line"], r["reason"], r["row"]) for r in table.to_pylist()]


def test_a_published_pair(tmp_path):
    summary = prepare(tmp_path)
    out = tmp_path / "out"
    ads = pq.read_table(out / "ads.parquet").to_pylist()
    schema = Schema.from_json((out / "schema.json").read_text())
    column = {f.name: f.column for f in schema.of("ad")}
    assert ads[0] == {
        "ad_id": "N1",
        "title": 'A "great" day',
        "description": "They won.",
        "tags": [],
        column["category"]: "sports",
        column["subcategory"]: "golf",
    }
    assert [ad["ad_id"] for ad in ads] == ["N1", "N2", "N3"]
    assert (ads[1]["title"], ads[1]["description"]) == ("", "")
    assert any("neither title nor description" in n for n in summary.notes)
    names = (
        "request_id",
        "user_id",
        "ad_id",
        "timestamp",
        "clicked",
        "history",
    )
    rows = pq.read_table(out / "impressions.parquet").to_pylist()
    assert rows == [
        dict(zip(names, row, strict=True))
        for row in (
            ("2", "U2", "N3", 1573808400, 1, 1),
            ("1", "U1", "N1", 1573813352, 0, 0),
            ("1", "U1", "N2", 1573813352, 1, 0),
        )
    ]
    histories = pq.read_table(out / "histories.parquet")["ads"].to_pylist()
    assert histories == [["N3", "N1", "N3"], []]
    assert counts(summary) == {
        "news": (3, 3, 0),
        "behaviors": (2, 2, 0),
        "candidates": (3, 3, 0),
        "history entries": (3, 3, 0),
    }
    schema = Schema.from_json((out / "schema.json").read_text())
    assert schema.event_types == ("click",)
    assert [f.vocabulary for f in schema.of("ad")] == [
        ("news", "sports"),
        ("golf", "local", "world"),
    ]


def test_the_reader_finds_each_history(tmp_path):
    prepare(tmp_path)
    dataset = open_dataset(tmp_path / "out")
    impressions = dataset.impressions
    spans = zip(
        impressions.history_starts, impressions.history_ends, strict=True
    )
    # Catalogue rows: N1 is 1, N2 is 2, N3 is 3.
    assert [dataset.events.ads[a:b].tolist() for a, b in spans] == [
        [],
        [3, 1, 3],
        [3, 1, 3],
    ]


def test_refused_lines_do_not_shift_histories(tmp_path):
    time = "11/15/2019 9:00:00 AM"
    prepare(
        tmp_path,
        behaviors=f"1\tU\t{time}\tN1 N1\tN9-1\n"
        f"2\tU\t{time}\tN9 N2 N3\tN1-0\n"
        f"3\tU\tsoon\tN1 N2\tN1-0\n"
        f"4\tU\t{time}\tN3 N9 N1\tN2-1\n",
    )
    rows = pq.read_table(tmp_path / "out" / "impressions.parquet").to_pylist()
    histories = pq.read_table(tmp_path / "out" / "histories.parquet")["ads"]
    assert {r["request_id"]: histories[r["history"]].as_py() for r in rows} == {
        "2": ["N2", "N3"],
        "4": ["N3", "N1"],
    }


@pytest.mark.parametrize(
    ("line", "unit", "expected", "refused"),
    [
        # An unknown news: the candidate, and the entry of a history.
        (
            "3\tU\t11/15/2019 9:00:00 AM\tN9 N1\tN8-1 N2-0",
            "candidates",
            (5, 4, 1),
            [
                (3, "ad id is not in the catalogue", "N8-1"),
                (3, "ad id is not in the catalogue", "N9"),
            ],
        ),
        # A line of the test set, which has no labels.
        (
            "3\tU\t11/15/2019 9:00:00 AM\tN1\tN2 N1",
            "behaviors",
            (3, 2, 1),
            [
                (
                    3,
                    "candidates without labels",
                    "3\tU\t11/15/2019 9:00:00 AM\tN1\tN2 N1",
                )
            ],
        ),
        (
            "3\tU\t11/15/2019 9:00:00 AM\tN1\tN2-2 N1-1 N3",
            "candidates",
            (6, 4, 2),
            [
                (3, "label is neither 0 nor 1", "N2-2"),
                (3, "label is neither 0 nor 1", "N3"),
            ],
        ),
        (
            "3\tU\t11/15/2019 9:00:00 AM\tN1\tN9-0",
            "behaviors",
            (3, 2, 1),
            [
                (
                    3,
                    "no candidate is left",
                    "3\tU\t11/15/2019 9:00:00 AM\tN1\tN9-0",
                ),
                (3, "ad id is not in the catalogue", "N9-0"),
            ],
        ),
        (
            "3\tU\t2019-11-15\tN1\tN1-0",
            "behaviors",
            (3, 2, 1),
            [
                (
                    3,
                    "time is no time that can be read as "
                    "'%m/%d/%Y %I:%M:%S %p'",
                    "3\tU\t2019-11-15\tN1\tN1-0",
                )
            ],
        ),
        (
            "3\t\t11/15/2019 9:00:00 AM\tN1\tN1-0",
            "behaviors",
            (3, 2, 1),
            [(3, "user is missing", "3\t\t11/15/2019 9:00:00 AM\tN1\tN1-0")],
        ),
        (
            "3\tU\t11/15/2019 9:00:00 AM\tN1\t",
            "behaviors",
            (3, 2, 1),
            [(3, "no candidates", "3\tU\t11/15/2019 9:00:00 AM\tN1\t")],
        ),
        (
            "3\tU\tN1-0",
            "behaviors",
            (3, 2, 1),
            [(3, "3 fields instead of 5", "3\tU\tN1-0")],
        ),
    ],
)
def test_refused_behaviors(tmp_path, line, unit, expected, refused):
    summary = prepare(tmp_path, behaviors=BEHAVIORS + line + "\n")
    assert counts(summary)[unit] == expected
    assert sorted(rejects(tmp_path)) == sorted(refused)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"N1\tx\ty\tagain\t\t\t\t", "ad id repeats an earlier one"),
        (b"\tx\ty\tno id\t\t\t\t", "id is missing"),
        (b"N4\tx\ty\t\xff\t\t\t\t", "not UTF-8"),
        (b"N4\tx\ty\tshort\t\t", "6 fields instead of 8"),
    ],
)
def test_refused_news(tmp_path, line, reason):
    summary = prepare(tmp_path, news=NEWS.encode() + line + b"\n")
    assert counts(summary)["news"] == (4, 3, 1)
    ((number, received, _),) = rejects(tmp_path)
    assert (number, received) == (4, reason)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"news": None}, "a file of news must exist. Received: .*news.tsv"),
        ({"behaviors": ""}, "a file of behaviors must hold rows"),
        ({"news": "N1\tx\n"}, "all refused; line 1: 2 fields instead of 8"),
        (
            {"behaviors": "1\tU1\t11/15/2019 9:00:00 AM\tN3\tN1 N2\n"},
            "all refused; line 1: candidates without labels",
        ),
    ],
)
def test_unusable_files(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **files)
    assert not (tmp_path / "out").exists()
