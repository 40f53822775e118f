"""Two datasets as one: known values keep their codes, new ones come after."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import dataset_folder, rich_dataset
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data import open_dataset
from tfadrec.data.intake import join_datasets as joining
from tfadrec.data.intake import limits
from tfadrec.data.intake.join_datasets import check_grows, join_datasets


def changed(table, **columns):
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values))
    return table


def later(tables):
    """Rich tables of a later day: some ads are new, and so is a brand."""
    log, shown = tables["events"], tables["impressions"]
    ad_ids = [f"a{i + 4}" for i in range(len(tables["ads"]))]

    def renamed(table):
        return [f"a{int(i[1:]) + 4}" for i in table["ad_id"].to_pylist()]

    brands = ["zz" if i % 3 else "b1" for i in range(len(ad_ids))]
    return {
        **tables,
        "ads": changed(tables["ads"], ad_id=ad_ids, brand=brands),
        "events": changed(
            log,
            ad_id=renamed(log),
            timestamp=log["timestamp"].to_numpy() + 5000,
            event_type=["sale"] * len(log),
        ),
        "impressions": changed(
            shown,
            ad_id=renamed(shown),
            timestamp=shown["timestamp"].to_numpy() + 5000,
            request_id=[f"x{i}" for i in shown["request_id"].to_pylist()],
        ),
    }


def later_schema():
    """Its own vocabularies, in another order, and its own statistics."""
    features = []
    for feature in rich_dataset.FEATURES:
        vocabulary = feature.vocabulary[::-1]
        if feature.vocabulary == rich_dataset.BRANDS:
            vocabulary = ("zz", *vocabulary)
        changes = {"vocabulary": vocabulary, "mean": feature.mean + 1}
        features.append(dataclasses.replace(feature, **changes))
    return rich_dataset.schema(
        features=tuple(features), event_types=("sale", "view")
    )


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """A folder of both datasets and the whole."""
    folder = tmp_path_factory.mktemp("joined")
    one = rich_dataset.tables(users=6, seed=0)
    two = later(rich_dataset.tables(users=8, seed=1))
    dataset_folder.write(folder / "one", one, rich_dataset.schema())
    dataset_folder.write(folder / "two", two, later_schema())
    join_datasets(folder / "one", folder / "two", folder / "whole")
    return folder


@pytest.fixture(scope="module")
def three(joined):
    return [open_dataset(joined / name) for name in ("one", "two", "whole")]


def test_known_rows_stay_as_they_are(three):
    one, _, whole = three
    old = whole.select(whole.impressions.days == 0).impressions
    ads = rows_in(one.catalogue.ad_ids, whole.catalogue.ad_ids)
    users = rows_in(one.user_ids, whole.user_ids)
    mine = in_order(one).impressions
    for found, expected in (
        (old.ads, ads[mine.ads]),
        (old.users, users[mine.users]),
        (old.times, mine.times),
        (old.weights, mine.weights),
        (old.history_lengths, mine.history_lengths),
    ):
        np.testing.assert_array_equal(found, expected)
    for name, column in {**mine.labels, **mine.columns}.items():
        found = {**old.labels, **old.columns}[name]
        np.testing.assert_array_equal(found, column, name)
    means = [f.mean for f in whole.schema.features]
    assert means == [f.mean for f in one.schema.features]


def in_order(dataset):
    """With the rows as a dataset's are written."""
    rows = dataset.impressions
    return dataset.select(np.lexsort((rows.requests, rows.times)))


def rows_in(ids, of):
    """Old row -> new row, 0 for 0."""
    place = {name: i + 1 for i, name in enumerate(of.tolist())}
    return np.array([0, *(place[name] for name in ids.tolist())])


@pytest.mark.parametrize("rows", [3, 50])
def test_logs_that_do_not_fit_into_memory(joined, tmp_path, monkeypatch, rows):
    """A few rows are read, and written, at a time; the result is the same."""
    monkeypatch.setattr(limits, "BATCH_ROWS", rows)
    monkeypatch.setattr(limits, "PART_ROWS", rows)
    found = tmp_path / "whole"
    join_datasets(joined / "one", joined / "two", found)
    expected = joined / "whole"
    names = [path.name for path in (expected / "columns").iterdir()]
    assert len(names) > 20
    for name in names:
        one, two = (each / "columns" / name for each in (found, expected))
        assert one.read_bytes() == two.read_bytes(), name
    for name in ("ads", "users", "events", "impressions"):
        one, two = (
            pq.read_table(each / f"{name}.parquet")
            for each in (found, expected)
        )
        assert one.equals(two), name


def test_new_values_come_after_the_known_ones(three):
    one, two, whole = three
    assert one.schema.event_types == ("view", "click")
    assert whole.schema.event_types == ("view", "click", "sale")
    for old, new in zip(
        one.schema.features, whole.schema.features, strict=True
    ):
        more = ("zz",) if old.vocabulary == rich_dataset.BRANDS else ()
        assert new.vocabulary == old.vocabulary + more
    # The values of every ad of the later day, under its new code.
    ads = rows_in(two.catalogue.ad_ids, whole.catalogue.ad_ids)[1:] - 1
    for mine, all_ in zip(
        two.schema.of("ad"), whole.schema.of("ad"), strict=True
    ):
        if mine.kind not in ("category", "categories") or mine.buckets:
            continue
        names = [np.array(["", *f.vocabulary]) for f in (mine, all_)]
        expected = names[0][two.catalogue.columns[mine.tensor]]
        found = names[1][whole.catalogue.columns[mine.tensor][ads]]
        np.testing.assert_array_equal(found, expected)
        assert ("zz" in found) == (mine.name == "brand")


def test_a_vocabulary_that_is_full_takes_no_more(tmp_path, monkeypatch):
    """One place is left: the first new value in the order of texts has it."""
    known = Feature("device", "context", "category", vocabulary=("tv", "phone"))
    more = dataclasses.replace(known, vocabulary=("book", "car", "tv"))
    scroll = Feature("scroll", "context", "number")

    def day(shown):
        return changed(
            shown,
            request_id=[f"n{i}" for i in range(len(shown))],
            device=["car", "book", "tv", "car", "car"],
        )

    one = small(
        tmp_path / "one", dataset_folder.schema(features=(known, scroll))
    )
    two = small(
        tmp_path / "two",
        dataset_folder.schema(features=(more, scroll)),
        impressions=day,
    )
    note = (
        f"the context's 'device' of {two}: its vocabulary is full (3), so 1 of "
        "the new values count as unknown; `buckets` hashes all values"
    )
    monkeypatch.setattr(joining, "MOST_VALUES", 3)
    assert note in join_datasets(one, two, tmp_path / "whole").notes
    whole = open_dataset(tmp_path / "whole")
    assert whole.schema.features[0].vocabulary == ("tv", "phone", "book")
    new = whole.select(whole.impressions.days == 1).impressions
    assert new.columns["device"].tolist() == [0, 3, 1, 0, 0]
    monkeypatch.setattr(joining, "MOST_VALUES", 1)  # known ones stay
    summary = join_datasets(one, two, tmp_path / "again")
    assert note.replace("(3), so 1", "(1), so 2") in summary.notes
    again = open_dataset(tmp_path / "again")
    assert again.schema.features[0].vocabulary == ("tv", "phone")


def test_an_ad_of_both_is_as_the_later_day_has_it(three):
    one, two, whole = three
    both = set(one.catalogue.ad_ids) & set(two.catalogue.ad_ids)
    assert both == {f"a{i}" for i in range(4, 10)}
    titles = dict(
        zip(whole.catalogue.ad_ids, whole.catalogue.titles, strict=True)
    )
    assert titles["a4"] == "Title 0"  # that of the later day
    assert titles["a3"] == "Title 3"
    assert len(whole.catalogue) == 14


def test_a_history_goes_on_over_both(three):
    one, two, whole = three
    new = whole.select(whole.impressions.days == 1).impressions
    own = in_order(two).impressions
    ids = two.user_ids[own.users - 1]
    counts = dict(
        zip(
            *np.unique(one.user_ids[one.events.users - 1], return_counts=True),
            strict=True,
        )
    )
    before = np.array([counts.get(i, 0) for i in ids])
    assert 0 in before
    np.testing.assert_array_equal(
        new.history_lengths, own.history_lengths + before
    )


def small(folder, schema=None, **changes):
    tables = dataset_folder.tables()
    for name, table in changes.items():
        tables[name] = table(tables[name])
    return dataset_folder.write(
        folder, tables, schema or dataset_folder.schema()
    )


def test_what_is_there_already_is_left_out(tmp_path):
    one = small(tmp_path / "one")

    def one_more(shown):
        more = changed(shown.slice(0, 1), request_id=["new"])
        return pa.concat_tables([shown, more])

    two = small(tmp_path / "two", impressions=one_more)
    summary = join_datasets(one, two, tmp_path / "whole")
    counts = {c.unit: (c.read, c.kept, c.left_out) for c in summary.counts}
    rows = len(dataset_folder.tables()["impressions"])
    assert counts == {
        "ads": (3, 3, 0),
        "events": (5, 0, 5),
        "impressions": (rows + 1, 1, rows),
    }
    whole, known = open_dataset(tmp_path / "whole"), open_dataset(one)
    assert len(whole) == rows + 1
    np.testing.assert_array_equal(whole.events.ads, known.events.ads)
    assert sorted(whole.impressions.days) == [0] * rows + [1]


def test_the_third_day_is_the_newest(tmp_path):
    def later(by):
        return lambda table: changed(
            table,
            timestamp=table["timestamp"].to_numpy() + by,
            **(
                {"request_id": [f"{by}{i}" for i in range(len(table))]}
                if "request_id" in table.column_names
                else {}
            ),
        )

    folders = [
        small(
            tmp_path / str(d), events=later(100 * d), impressions=later(100 * d)
        )
        for d in range(3)
    ]
    join_datasets(folders[0], folders[1], tmp_path / "two days")
    join_datasets(tmp_path / "two days", folders[2], tmp_path / "three")
    days = open_dataset(tmp_path / "three").impressions.days
    rows = len(open_dataset(folders[0]))
    assert days.tolist() == [0] * rows + [1] * rows + [2] * rows


def test_histories_of_their_own(tmp_path):
    def listed(table):
        return table.append_column(
            "history", pa.array(np.arange(len(table)) % 2)
        )

    lists = {
        name: pa.table({"ads": pa.array(ads, pa.list_(pa.int64()))})
        for name, ads in (("one", [[10], [20, 30]]), ("two", [[30, 30], []]))
    }

    def named(table):
        return changed(table, request_id=[f"n{i}" for i in range(len(table))])

    for name in lists:
        tables = dataset_folder.tables()
        shown = listed(tables["impressions"])
        tables["impressions"] = named(shown) if name == "two" else shown
        tables |= {
            "histories": lists[name],
            "events": tables["events"].slice(0, 0),
        }
        dataset_folder.write(tmp_path / name, tables, dataset_folder.schema())
    join_datasets(tmp_path / "one", tmp_path / "two", tmp_path / "whole")
    whole = open_dataset(tmp_path / "whole")
    two = open_dataset(tmp_path / "two")
    new = whole.select(whole.impressions.days == 1).impressions
    starts, ends = new.history_starts, new.history_ends
    np.testing.assert_array_equal(
        ends - starts, two.impressions.history_lengths
    )
    assert [
        whole.catalogue.ad_ids[whole.events.ads[s:e] - 1].tolist()
        for s, e in zip(starts[:2], ends[:2], strict=True)
    ] == [[30, 30], []]
    with pytest.raises(InputError, match="histories of their own, or neither"):
        join_datasets(tmp_path / "one", small(tmp_path / "no"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_bounds_of_equal_counts_stay_those_of_the_first(tmp_path):
    folders = []
    for name, bound in (("one", 0.4), ("two", 0.7)):
        features = (
            Feature("device", "context", "category", vocabulary=("pc",)),
            Feature("scroll", "context", "number", bounds=(bound,), buckets=2),
        )
        schema = dataset_folder.schema(features=features)
        folders.append(small(tmp_path / name, schema))
    join_datasets(*folders, tmp_path / "whole")
    whole = open_dataset(tmp_path / "whole").schema
    assert whole.features[1].bounds == (0.4,)


def test_a_label_of_another_type_is_refused_by_its_name(tmp_path):
    """Amounts such as 2.0 would fit into the integers of a binary label."""

    def amounts(table):
        return changed(table, clicked=np.full(len(table), 2.0))

    one = small(tmp_path / "one")
    two = small(tmp_path / "two", impressions=amounts)
    for refused in (
        lambda: join_datasets(one, two, tmp_path / "whole"),
        lambda: check_grows(one, two),
    ):
        with pytest.raises(
            InputError,
            match=r"label clicked must be binary, as in .*one. Received: real "
            r"in .*two",
        ):
            refused()
    assert not (tmp_path / "whole").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("clicked", "converted")}, "`labels` must be as in"),
        ({"ad_id_type": "string"}, "`ad_id_type` must be as in .*'int64'"),
        ({"negatives_kept": 0.5}, "`negatives_kept` must be"),
        ({"features": ()}, "the context's 'device', which .*two does not have"),
        (
            {
                "features": (
                    Feature("device", "context", "category", buckets=4),
                    Feature("scroll", "context", "number"),
                )
            },
            "'device' must have the buckets 0, .* Received: 4",
        ),
        (
            {
                "features": (
                    Feature("device", "context", "category"),
                    Feature("scroll", "context", "number", bounds=(1.0,)),
                )
            },
            r"'scroll' must have the bounds \(\), .* Received: \(1.0,\)",
        ),
    ],
)
def test_what_cannot_be_joined(tmp_path, changes, message):
    one = small(tmp_path / "one")
    two = small(tmp_path / "two", dataset_folder.schema(**changes))
    with pytest.raises(InputError, match=message):
        join_datasets(one, two, tmp_path / "whole")
    assert not (tmp_path / "whole").exists()


def moved_to(first, **columns):
    """Other requests, as many seconds apart, from some moment on."""

    def moved(table):
        times = table["timestamp"].to_numpy()
        if "request_id" not in table.column_names:
            return changed(table, timestamp=times - times.min() + first)
        ids = [f"n{i}" for i in range(len(table))]
        return changed(
            table,
            timestamp=times - times.min() + first,
            request_id=ids,
            **columns,
        )

    return {"events": moved, "impressions": moved}


DAY = 86_400
JANUARY = 1_600_000_000


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (JANUARY + DAY, None),
        (JANUARY - 2, None),  # the days overlap
        (JANUARY + 30 * DAY, None),
        (
            JANUARY + 40 * DAY,
            "begin 40 days after the newest one before; check the times",
        ),
        # Seconds that are read as milliseconds.
        (
            JANUARY // 1000,
            "are older than the oldest one before, by 18,500.0 days",
        ),
    ],
)
def test_a_day_whose_times_are_far_off(tmp_path, first, said):
    """Nothing of the rows themselves tells it."""
    one = small(tmp_path / "one", **moved_to(JANUARY))
    two = small(tmp_path / "two", **moved_to(first))
    summary = join_datasets(one, two, tmp_path / "whole")
    notes = [note for note in summary.notes if "the times" in note]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)
    assert all(str(two) in note for note in summary.notes)


def test_numbers_that_have_moved(tmp_path):
    """Those of the new rows alone are counted, in whatever table they are."""
    features = (
        Feature("device", "context", "category", vocabulary=("tv",)),
        Feature("scroll", "context", "number", low=-1.0, high=3.0),
        Feature("price", "ad", "number", low=1.0, high=2.0),
    )
    schema = dataset_folder.schema(features=features)

    def priced(*prices):
        return lambda table: table.append_column("price", pa.array(prices))

    one = small(
        tmp_path / "one", schema, ads=priced(1.0, 2.0, 7.0), **moved_to(0)
    )
    numbers = [100.0, 200.0, None, 3.0, 2.0]
    two = small(
        tmp_path / "two",
        schema,
        ads=priced(1.0, 2.0, 2.5),
        **moved_to(DAY, scroll=numbers),
    )
    summary = join_datasets(one, two, tmp_path / "whole")
    assert set(summary.notes) == {
        f"the context's 'scroll' of {two}: 2 of 4 numbers lie outside [-1, 3] "
        "and are cut to it",
        f"the ad's 'price' of {two}: 1 of 3 numbers lie outside [1, 2] and are "
        "cut to it",
    }
    again = join_datasets(tmp_path / "whole", two, tmp_path / "again")
    assert len(again.notes) == 1  # its ads are read anew, its rows are not


def test_rows_of_a_request_that_is_there_are_not(tmp_path):
    """Without ids of their own, a user's rows of one time are one request.

    So they are on a log of one time, or where a second lies in two files.
    """

    def shown(*rows):
        users, ads, clicks = zip(*rows, strict=True)
        times = np.full(len(rows), 9)
        return lambda table: pa.table(
            {
                "request_id": [f"{user} 9" for user in users],
                "user_id": users,
                "ad_id": pa.array(ads, pa.int64()),
                "timestamp": pa.array(times, pa.int64()),
                "clicked": pa.array(clicks, pa.int8()),
                "device": ["tv"] * len(rows),
                "scroll": [1.0] * len(rows),
                "secret": [0.0] * len(rows),
            }
        )

    one = small(tmp_path / "one", impressions=shown(("u", 10, 1), ("u", 20, 0)))
    two = small(
        tmp_path / "two",
        impressions=shown(
            ("u", 30, 1),  # new, of a request that is there
            ("u", 20, 0),  # there
            ("v", 10, 0),  # new
            ("u", 10, 0),  # there, as a click: a negative that was drawn
        ),
    )
    summary = join_datasets(one, two, tmp_path / "whole")
    found = {c.unit: (c.kept, c.left_out) for c in summary.counts}
    assert found["impressions"] == (2, 2)
    # A click that came later than the log of before.
    later = small(tmp_path / "later", impressions=shown(("u", 20, 1)))
    summary = join_datasets(one, later, tmp_path / "whole")
    assert summary.sizes["clicked"] == 2
    # The log again: other negatives are drawn beside the same clicks.
    again = small(
        tmp_path / "again",
        impressions=shown(("u", 10, 1), ("u", 30, 0), ("v", 30, 1)),
    )
    summary = join_datasets(one, again, tmp_path / "whole")
    found = {c.unit: (c.kept, c.left_out) for c in summary.counts}
    assert found["impressions"] == (1, 2)


@pytest.mark.parametrize(
    ("clicks", "weights", "said"),
    [
        (50, None, None),
        (20, None, None),  # not by chance, but no third of before
        (0, None, "0.00% were clicked, and 50.00% of those before"),
        (50, 0.001, "0.10% were clicked, and 50.00% of those before"),
    ],
)
def test_a_day_whose_clicks_are_lost(tmp_path, clicks, weights, said):
    def shown(clicks, first, weight=None):
        clicked = np.arange(100) < clicks
        columns = {} if weight is None else {"weight": np.ones(100)}
        if weight:
            columns["weight"] = np.where(clicked, weight, 1.0)
        return lambda table: pa.table(
            {
                "request_id": [f"{first + i}" for i in range(100)],
                "user_id": ["u"] * 100,
                "ad_id": [10] * 100,
                "timestamp": np.arange(100) + first,
                "clicked": clicked.astype(np.int8),
                "device": ["tv"] * 100,
                "scroll": np.ones(100),
                "secret": np.zeros(100),
                **columns,
            }
        )

    one = small(tmp_path / "one", impressions=shown(50, 0, weights and 1.0))
    two = small(tmp_path / "two", impressions=shown(clicks, 500, weights))
    summary = join_datasets(one, two, tmp_path / "whole")
    notes = [note for note in summary.notes if "were clicked" in note]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)
