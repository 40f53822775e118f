"""A dataset that a pipeline made is the one that this process makes."""

import dataclasses
import io

import pytest

from tests.data.large_log import OFF_THE_LOG, write
from tfadrec.data.beam.beam_runner import BeamRunner
from tfadrec.data.beam.reading import read_in
from tfadrec.data.features import value_counts, vocabulary
from tfadrec.data.intake import feature_notes
from tfadrec.data.sources import prepare_table

pytest.importorskip("apache_beam")


def in_small_pieces(read):
    def read_small(jobs, workspace):
        small = {"batch_rows": 70, "text_bytes": 6000}
        jobs = [dataclasses.replace(job, **small) for job in jobs]
        return read(jobs, workspace)

    return read_small


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("end", "changes", "options"),
    [
        ("csv", {}, ()),
        pytest.param(
            "parquet",
            OFF_THE_LOG,
            (
                "--runner=DirectRunner",
                "--direct_running_mode=multi_processing",
                "--direct_num_workers=2",
            ),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_dataset_is_equal_byte_by_byte(
    tmp_path, monkeypatch, end, changes, options
):
    config = write(tmp_path, end, **changes)
    # One of the vocabularies does not fit.
    for module in (value_counts, vocabulary, feature_notes):
        monkeypatch.setattr(module, "MOST_VALUES", 2)
    here = prepare_table(config, tmp_path / "d")
    assert any("more values than a voc" in note for note in here.notes)
    monkeypatch.chdir(tmp_path)
    with BeamRunner(options) as runner:
        read = in_small_pieces(read_in(runner))
        there = prepare_table("t.yaml", "e", read=read)
    assert there == dataclasses.replace(here, out=str(tmp_path / "e"))
    # It holds the SHA-256 of each file.
    manifest = (tmp_path / "d" / "manifest.json").read_text()
    assert (tmp_path / "e" / "manifest.json").read_text() == manifest
    assert "impressions.parquet" in manifest
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_files_that_only_beam_can_open(tmp_path):
    from apache_beam.io import localfilesystem

    class Depot(localfilesystem.LocalFileSystem):
        """This machine's files by URIs of their own."""

        @classmethod
        def scheme(cls):
            return "depot"

        def join(self, base, *paths):
            return "/".join([base, *paths])

        def open(self, path, *args, **settings):
            path = path.removeprefix("depot:/")
            with super().open(path, *args, **settings) as file:
                return io.BytesIO(file.read())

        def match(self, patterns, limits=None):
            patterns = [p.removeprefix("depot:/") for p in patterns]
            found = super().match(patterns, limits)
            for file in found[0].metadata_list:
                file.path = f"depot:/{file.path}"
            return found

    config = write(tmp_path, "parquet")
    here = prepare_table(config, tmp_path / "d")
    text = config.read_text()
    for name in ("ads.csv", "events.parquet", "log.parquet"):
        text = text.replace(name, f"depot:/{tmp_path}/{name}")
    config.write_text(text)
    with BeamRunner() as runner:
        there = prepare_table(config, tmp_path / "e", read=read_in(runner))
    assert there.sizes == here.sizes
    columns = "columns/impressions.ads.npy"
    told = [(tmp_path / out / columns).read_bytes() for out in ("d", "e")]
    assert told[0] == told[1]
