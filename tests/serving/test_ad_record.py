"""What was taken down stays down, from version to version."""

import dataclasses
import pathlib
import sys

import numpy as np
import pytest

from tests.serving import shop
from tests.serving.test_change_ads import Loaded, given, new_ads, plain
from tfadrec import serving
from tfadrec.core.bundle_folder import version_folder
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.ad_record import AdRecord, still_given
from tfadrec.serving.deployment import read_labels, write_labels

#: The module, which the function hides.
module = sys.modules["tfadrec.serving.change_ads"]


def test_it_is_read_as_it_was_written(tmp_path):
    nothing = AdRecord()
    nothing.save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert AdRecord.load(tmp_path) == nothing
    record = AdRecord(removed=("a\u2028", "é"), added=(3, 2**62), replaced=(1,))
    record.save(tmp_path)
    assert AdRecord.load(tmp_path) == record
    for text in ("[]", '{"gone": []}', '{"removed": 3}', "{"):
        (tmp_path / "ads.json").write_text(text)
        with pytest.raises(InputError, match=r"ads\.json must be as it was wr"):
            AdRecord.load(tmp_path)


def test_one_change_after_another():
    """An ad that was removed and added is added, and one is in one list."""
    record = AdRecord().changed(("a", "b"), ("new",), ("c",))
    assert record == AdRecord(("a", "b"), ("new",), ("c",))
    record = record.changed(("c", "x", "new"), ("b", "x"), ())
    assert record == AdRecord(("a", "c", "new"), ("b", "x"), ())
    record = record.changed((), (), ("b", "d"))
    assert record == AdRecord(("a", "c", "new"), ("b", "x"), ("d",))


def test_what_versions_give(tmp_path):
    for number, removed in ((1, ()), (2, ("a",)), (10, ("b", "a"))):
        (tmp_path / str(number)).mkdir()
        AdRecord(removed).save(tmp_path / str(number))
    assert AdRecord.newest(tmp_path).removed == ("b", "a")
    found = [still_given(tmp_path, number) for number in (1, 2, 10)]
    assert found == [("b", "a"), ("b",), ()]
    assert AdRecord.newest(tmp_path / "none") == AdRecord()


class Version(Loaded):
    """A bundle of the ads a0 to a29, some of which were removed."""

    def __init__(self, gone):
        super().__init__(tf.string)
        self.remove_ads(new_ads=tf.constant(list(gone), tf.string))

    def remove_ads(self, new_ads):
        gone = {i.decode() for i in new_ads.numpy()}
        kept = [
            i for i in self.known.numpy().tolist() if i.decode() not in gone
        ]
        self.known = tf.constant(kept)
        self.has_ads = lambda new_ads: self._has(new_ads=new_ads)
        self.has_ads.concrete_functions = [
            tf.function(self._has).get_concrete_function(
                new_ads=tf.TensorSpec([None], tf.string, "new_ads")
            )
        ]


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """Version 1 is stable and 2 the canary; what each lacks is in a file."""
    path = tmp_path / "shop"

    def write(folder, gone):
        (folder / "saved_model.pb").write_bytes(b"")
        (folder / "gone").write_text(" ".join(gone))

    def load(old):
        return Version((pathlib.Path(old) / "gone").read_text().split())

    def write_values(loaded, old, fresh):
        known = {i.decode() for i in loaded.known.numpy().tolist()}
        write(fresh, {f"a{n}" for n in range(30)} - known)

    for number in (1, 2):
        with version_folder(path, number).replacing() as fresh:
            write(fresh, ())
    write_labels(path, {"stable": 1, "canary": 2})
    monkeypatch.setattr(tf.saved_model, "load", load)
    monkeypatch.setattr(module, "write_values", write_values)
    return path


def lacks(path, version):
    return set((path / str(version) / "gone").read_text().split())


def test_a_take_down_reaches_what_is_served(bundle):
    """The canary stays what it is, and so does what it lacks."""
    made = serving.change_ads(bundle, remove=["a1"], on="stable")
    assert (made.folder.name, made.removed, made.left_out) == ("3", 1, 0)
    assert read_labels(bundle) == {"stable": 3, "canary": 2}
    assert still_given(bundle, 2) == ("a1",)
    # The next change of the canary takes it down as well, unasked.
    made = serving.change_ads(bundle, remove=["a2"])
    assert (made.removed, made.left_out) == (1, 1)
    assert read_labels(bundle) == {"stable": 3, "canary": 4}
    assert lacks(bundle, 4) == {"a1", "a2"}
    assert AdRecord.load(bundle / "4").removed == ("a1", "a2")
    assert still_given(bundle, 3) == ("a2",)
    assert not still_given(bundle, 4)
    with pytest.raises(
        InputError, match=r"canary, stable\. Received: 'stabel'"
    ):
        serving.change_ads(bundle, remove=["a3"], on="stabel")


def test_both_labels_of_a_version_move(bundle):
    write_labels(bundle, {"stable": 2, "canary": 2, "previous": 1})
    serving.change_ads(bundle, remove=["a1"])
    assert read_labels(bundle) == {"stable": 2, "canary": 3, "previous": 1}
    write_labels(bundle, {"stable": 2, "canary": 2, "previous": 1})
    serving.change_ads(bundle, remove=["a1"], on="stable")
    assert read_labels(bundle) == {"stable": 4, "canary": 4, "previous": 1}
    # What is down already may be named again, as in a list that grows.
    made = serving.change_ads(bundle, remove=["a1"])
    assert (made.removed, made.unknown) == (0, 0)
    made = serving.change_ads(bundle, remove=["a1", "a2"])
    assert (made.removed, made.unknown) == (1, 0)
    assert AdRecord.load(made.folder).removed == ("a1", "a2")


def test_what_is_added_again_is_there(bundle, monkeypatch):
    """Also in a version that has it still."""
    serving.change_ads(bundle, remove=["a1", "a2"])
    schema = shop.dataset().schema
    ads = new_ads().take(np.array([0, 1]))
    ads = dataclasses.replace(ads, ad_ids=np.array(["a1", "n"], object))
    monkeypatch.setattr(module, "_put", lambda loaded, *_, **__: (("n",), ()))
    serving.change_ads(bundle, add=ads, schema=schema, on="stable")
    assert lacks(bundle, 4) == {"a2"}
    assert AdRecord.load(bundle / "4") == AdRecord(("a2",), ("n",))


@pytest.mark.parametrize("found_by", [None, "clicks"])
def test_a_service_gives_what_was_removed_no_more(found_by):
    made = plain(found_by)
    made.remove(["a4", "of another run"])
    everybody = {ad.encode() for ad in shop.dataset().catalogue.ad_ids}
    for name, found in given(made).items():
        assert found == 3 * [everybody - {b"a4"}], name


@pytest.fixture
def export(no_graph, no_replay, tmp_path, monkeypatch, caplog):
    """Exports the shop after a record, and tells which ads were removed."""
    removed = []
    monkeypatch.setattr(
        serving.RankingService, "remove", lambda _, ids: removed.append(ids)
    )

    def told():
        return [r.getMessage() for r in caplog.records if "tfadrec" in r.name]

    def run(**settings):
        caplog.clear()
        made = serving.export_bundle(
            shop.shop().ranker, shop.dataset(), tmp_path / "shop", **settings
        )
        return made, removed[-1], told()

    return run


def test_an_export_keeps_down_what_was_taken_down(export):
    first, removed, told = export()
    assert removed == ()
    assert not told
    record = AdRecord(("a1", "gone"), ("x", "y", "a3"), ("a0", "z"))
    record.save(first)
    second, removed, told = export()
    assert removed == ("a1", "gone")
    assert AdRecord.load(second) == AdRecord(("a1", "gone"))
    assert told == [
        "1 ads that `tfadrec index --remove` took down are left out of version "
        "2 too, such as a1: --restore gives ads again.",
        "3 ads are not as `tfadrec index` put them into version 1: version 2 "
        "lacks them, or has them as the run's dataset, such as x, y, a0. Put "
        "them there again, or into the dataset.",
    ]
    # Ads of a catalogue are there; what was put is told of once.
    more = new_ads().take(np.array([0, 1]))
    more = dataclasses.replace(more, ad_ids=np.array(["gone", "q"], object))
    _, removed, told = export(catalogue=more)
    assert removed == ("a1", "gone")
    assert [line.partition(" ")[0] for line in told] == ["2"]


def test_an_export_that_restores_ads(export):
    first, *_ = export()
    AdRecord(("a1", "a2")).save(first)
    with pytest.raises(InputError, match=r"a1, a2\. Received: a3\."):
        export(restore=["a1", "a3"])
    _, removed, _ = export(restore=["a1"])
    assert removed == ("a2",)
    last, removed, told = export(restore=["a2"])
    assert removed == ()
    assert not (last / "ads.json").exists()
    assert not told
