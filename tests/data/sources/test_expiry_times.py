"""From when on ads are not to be found, from a log to a catalogue."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.sources.test_table import CONFIG, NEW_YEAR, prepare
from tfadrec import data
from tfadrec.core.errors import InputError
from tfadrec.data.sources.expiry_times import expiry_times

NEVER = np.iinfo(np.int64).max
UTC = datetime.UTC
EVE = datetime.datetime(2019, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NEW_YEAR, None, NEW_YEAR - 3600]),
        pa.array([float(NEW_YEAR), np.nan, NEW_YEAR - 3600 + 0.5]),
        pa.array(["2020-01-01", "", "2019-12-31 23:00:00Z"]),
        pa.array([EVE + datetime.timedelta(hours=1), None, EVE]),
        pa.array([EVE + datetime.timedelta(hours=1), None, EVE]).cast(
            pa.timestamp("ms", "Europe/Berlin")
        ),
    ],
)
def test_times_as_the_reader_of_logs_knows_them(column):
    found = expiry_times(pa.table({"ends": column}), "ends", "a file")
    assert found.tolist() == [NEW_YEAR, NEVER, NEW_YEAR - 3600]
    assert found.dtype == np.int64


def test_nothing_expires():
    column = pa.nulls(2)
    found = expiry_times(pa.table({"ends": column}), "ends", "a file")
    assert found.tolist() == [NEVER, NEVER]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, -1], r"readable\. Received: 1 in 'ends' of a file"),
        (["2020-01-01", "soon"], "Received: 1 in"),
        (["01.02.2020", "13.02.2020"], "must have a `format`"),
    ],
)
def test_times_that_cannot_be_read(column, message):
    with pytest.raises(InputError, match=message):
        expiry_times(pa.table({"ends": column}), "ends", "a file")


def test_a_column_that_is_not_there():
    with pytest.raises(InputError, match=r"'end', which f does.*mean ends\?"):
        expiry_times(pa.table({"ends": [1]}), "end", "f")


def test_the_logs_name_of_a_column_that_prepare_read():
    ads = pa.table({"expires_seconds": [1]})
    with pytest.raises(InputError, match="`expires` is 'expires_seconds'"):
        expiry_times(ads, "until", "f")


def test_a_format_that_is_missing(tmp_path):
    """The advice fits under `expires` as under `timestamp`."""
    ads = "id,name,text,topics,brand,price,until\na,,,,,,{}\nb,,,,,,\n"
    config = CONFIG | {"ads": {**CONFIG["ads"], "expires": "until"}}
    for until, known in (("31.01.2020", "%d.%m.%Y"), ("20200131", "%Y%m%d")):
        with pytest.raises(InputError) as told:
            prepare(tmp_path, config, ads_csv=ads.format(until))
        text = f'Write `{{column: …, format: "{known}"}}`'
        assert text in str(told.value)


def test_prepare_keeps_them_for_the_export(tmp_path):
    """Of three ads one has a broken time and is refused, one has none."""
    ads = (
        "id,name,text,topics,brand,price,until\n"
        "a,Shoes,Run.,sport|run,X,9.5,31.01.2020\n"
        "b,,,,,,\n"
        "c,Hat,Sun.,,Y,1,soon\n"
    )
    until = {"column": "until", "format": "%d.%m.%Y"}
    config = CONFIG | {"ads": {**CONFIG["ads"], "expires": until}}
    summary = prepare(tmp_path, config, ads_csv=ads)
    assert summary.sizes["ads"] == 2
    dataset = data.open_dataset(summary.out)
    assert dataset.catalogue.expires is None
    catalogue = data.with_expiry(dataset, "expires_seconds").catalogue
    assert catalogue.expires.tolist() == [NEW_YEAR + 30 * 86_400, NEVER]
    assert catalogue.take(np.array([1])).expires.tolist() == [NEVER]
    names = {feature.name for feature in catalogue.features}
    assert names == {"brand", "price"}
    # A file of more ads, whose column has another name.
    table = pq.read_table(f"{summary.out}/ads.parquet")
    more = table.drop_columns("expires_seconds").append_column(
        "ends", pa.array([EVE, None])
    )
    pq.write_table(more, tmp_path / "more")
    found = data.read_catalogue(
        tmp_path / "more", dataset.schema, expires="ends"
    )
    assert found.expires.tolist() == [NEW_YEAR - 3600, NEVER]
