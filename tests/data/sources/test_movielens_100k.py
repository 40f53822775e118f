import io
import zipfile

import pyarrow.parquet as pq
import pytest

from tfadrec.core import fetch
from tfadrec.core.errors import TfadrecError
from tfadrec.core.schema import Schema
from tfadrec.data import sources
from tfadrec.data.sources import movielens_100k as module


def _item(ad_id, title, *genres):
    flags = ["1" if g in genres else "0" for g in ("", *module._GENRES)]
    return f"{ad_id}|{title}|01-Jan-1995||http://x|{'|'.join(flags)}\n"


PUBLISHED = {
    "u.item": _item(1, "Toy Story (1995)", "Animation", "Children's")
    + _item(2, "Usual Suspects, The (1995)", "Crime")
    + "267|unknown||||1|"
    + "|".join("0" * 18)
    + "\n"
    + _item(4, "Misérables, Les (1995)")
    + _item(5, "Land Before Time III (1995) (V)"),
    "u.user": "10|24|M|technician|85711\n20|53|F|other|94043\n",
    "u.data": "10\t1\t5\t100\n20\t2\t3\t50\n10\t2\t4\t100\n10\t267\t1\t90\n"
    "20\t9\t5\t60\n20\t1\t6\t70\n",
}
ATOMIC = {
    "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\t"
    "class:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's\n"
    "2\tUsual Suspects, The\t1995\tCrime\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
    "4\tMisérables, Les\t1995\t\n"
    "5\tLand Before Time III (1995)\tV\t\n",
    "user": "user_id:token\tage:token\tgender:token\toccupation:token\t"
    "zip_code:token\n10\t24\tM\ttechnician\t85711\n20\t53\tF\tother\t94043\n",
    "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    + PUBLISHED["u.data"],
}


def fail(*_):
    raise TfadrecError("no network")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Only the archive can be had."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in PUBLISHED.items():
            archive.writestr(f"ml-100k/{name}", text.encode("latin-1"))
    path = tmp_path / "ml-100k.zip"
    path.write_bytes(data.getvalue())
    monkeypatch.setattr(fetch, "download", lambda url, sha256: path)
    monkeypatch.setattr(fetch, "from_wheel", fail)


@pytest.fixture
def atomic(tmp_path, monkeypatch):
    """Only the wheel can be had."""
    for name, text in ATOMIC.items():
        (tmp_path / f"ml-100k.{name}").write_text(text, encoding="utf-8")
    monkeypatch.setattr(fetch, "download", fail)
    monkeypatch.setattr(
        fetch, "from_wheel", lambda project, version, members: tmp_path
    )


@pytest.mark.parametrize("form", ["published", "atomic"])
def test_both_forms_give_the_same_dataset(form, tmp_path, request):
    request.getfixturevalue(form)
    out = tmp_path / "out"
    summary = sources.prepare_movielens_100k(out)

    ads = pq.read_table(out / "ads.parquet")
    assert ads.to_pylist() == [
        {
            "ad_id": i,
            "title": t,
            "description": "",
            "tags": g,
            "year": y,
            "genres": g,
        }
        for i, t, g, y in (
            (1, "Toy Story", ["Animation", "Children's"], 1995.0),
            (2, "The Usual Suspects", ["Crime"], 1995.0),
            (267, "", [], None),
            (4, "Les Misérables", [], 1995.0),
            (5, "Land Before Time III", [], 1995.0),
        )
    ]
    names = ("user_id", "ad_id", "event_type", "timestamp")
    assert pq.read_table(out / "events.parquet").to_pylist() == [
        dict(zip(names, row, strict=True))
        for row in (
            (10, 267, "rating_1", 90),
            (10, 1, "rating_5", 100),
            (10, 2, "rating_4", 100),
            (20, 2, "rating_3", 50),
        )
    ]
    names = ("request_id", "user_id", "ad_id", "timestamp", "clicked")
    assert pq.read_table(out / "impressions.parquet").to_pylist() == [
        dict(zip(names, row, strict=True))
        for row in (
            ("20-50", 20, 2, 50, 0),
            ("10-90", 10, 267, 90, 0),
            ("10-100", 10, 1, 100, 1),
            ("10-100", 10, 2, 100, 1),
        )
    ]
    names = ("user_id", "gender", "occupation", "age")
    assert pq.read_table(out / "users.parquet").to_pylist() == [
        dict(zip(names, row, strict=True))
        for row in ((10, "M", "technician", 24.0), (20, "F", "other", 53.0))
    ]
    schema = Schema.from_json((out / "schema.json").read_text("utf-8"))
    assert (schema.user_id_type, schema.ad_id_type) == ("int64", "int64")
    assert schema.event_types == tuple(f"rating_{n}" for n in range(1, 6))
    assert [(f.entity, f.name, f.kind) for f in schema.features] == [
        ("user", "age", "number"),
        ("user", "gender", "category"),
        ("ad", "genres", "categories"),
        ("user", "occupation", "category"),
        ("ad", "year", "number"),
    ]
    assert schema.of("ad")[0].vocabulary == ("Animation", "Children's", "Crime")
    # The six ratings: one on film 9, which is unknown, and one of 6 stars.
    ratings = summary.counts[2]
    assert (ratings.read, ratings.kept, ratings.rejected) == (6, 4, 2)
    first = 6 if form == "atomic" else 5
    rejects = pq.read_table(out / "rejects.parquet").to_pylist()
    assert [(r["line"], r["reason"]) for r in rejects] == [
        (first, "ad id is not in the catalogue"),
        (first + 1, "rating is not 1 to 5"),
    ]


def test_everything_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path))
    monkeypatch.setattr(fetch, "download", fail)
    monkeypatch.setattr(fetch, "from_wheel", fail)
    with pytest.raises(
        TfadrecError,
        match=r"must come from https.* or from the wheel recbole==1\.2\.1\. "
        r"Received: no network \| no network",
    ):
        sources.prepare_movielens_100k(tmp_path / "out")


def test_a_cached_wheel_is_not_left_for_the_network(
    tmp_path, monkeypatch, atomic
):
    cached = tmp_path / "recbole-1.2.1"
    cached.mkdir()
    for name in ATOMIC:
        (cached / f"ml-100k.{name}").touch()
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path))

    def refuse(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(fetch, "download", refuse)
    sources.prepare_movielens_100k(tmp_path / "out")


@pytest.mark.parametrize(
    ("published", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Fish Called Wanda, A (1988)", "A Fish Called Wanda", 1988),
        ("Enfer, L' (1994)", "L'Enfer", 1994),
        (
            "Horseman on the Roof, The (Hussard sur le toit, Le) (1995)",
            "The Horseman on the Roof (Le Hussard sur le toit)",
            1995,
        ),
        (
            "Good, The Bad and The Ugly, The (1966)",
            "The Good, The Bad and The Ugly",
            1966,
        ),
        ("Bye Bye, Love (1995)", "Bye Bye, Love", 1995),
        ("Metisse (Café au Lait)", "Metisse (Café au Lait)", None),
        ("Time III (1995) (V)", "Time III", 1995),
        ("Undated ()", "Undated", None),
        ("unknown", "", None),
        ("unkonwn (unkonwn)", "", None),
    ],
)
def test_titles(published, title, year):
    assert module.split_title(published) == (title, year)


@pytest.mark.network
def test_the_real_ratings(tmp_path):
    summary = sources.prepare_movielens_100k(tmp_path / "out")
    assert summary.sizes == {
        "ads": 1682,
        "users": 943,
        "events": 100_000,
        "requests": 49_439,
        "impressions": 100_000,
        "clicked": 55_375,
    }
    assert all(count.rejected == 0 for count in summary.counts)
