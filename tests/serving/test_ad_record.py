"""What was taken down stays down, from version to version."""

import dataclasses
import json
import pathlib
import shutil
import sys

import numpy as np
import pytest

from tests.serving import shop
from tests.serving.test_change_ads import Loaded, given, new_ads, plain
from tfadrec import serving
from tfadrec.core.bundle_folder import bundle_folder, version_folder
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.ad_record import AdRecord
from tfadrec.serving.deployment import read_labels, write_labels
from tfadrec.serving.taken_down import (
    still_given,
    taken_down,
    write_taken_down,
)

#: Modules; a function hides the first one.
module = sys.modules["tfadrec.serving.change_ads"]
bundle_module = sys.modules["tfadrec.serving.bundle"]


def test_it_is_read_as_it_was_written(tmp_path):
    nothing = AdRecord()
    nothing.save(tmp_path)
    assert not list(tmp_path.iterdir())
    assert AdRecord.load(tmp_path) == nothing
    record = AdRecord(removed=("a\u2028", "é"), added=(3, 2**62), replaced=(1,))
    record.save(tmp_path)
    assert AdRecord.load(tmp_path) == record


#: Lists that are none of ids of one type.
NO_IDS = [
    *("3", '"12"', "null", "{}", '{"a": 1}', "true"),
    *(
        "[null]",
        "[[1]]",
        "[17.5]",
        "[true]",
        "[1e999]",
        "[9223372036854775808]",
    ),
    *('["a", 1]', '[1, "a"]'),
]


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{", "", "null", '{"gone": []}', '{"added": []}'),
        '{"removed": [], "added": [], "replaced": [], "gone": []}',
        *(
            f'{{"removed": {ids}, "added": [], "replaced": []}}'
            for ids in NO_IDS
        ),
    ],
)
def test_what_is_no_record_is_refused(tmp_path, text):
    """With a mend that loses no ad that is down."""
    (tmp_path / "ads.json").write_text(text)
    with pytest.raises(
        InputError, match=r"ads\.json must be as it was.*taken_down\.json, a li"
    ):
        AdRecord.load(tmp_path)


@pytest.mark.parametrize("text", [*NO_IDS, "[", ""])
def test_what_is_no_list_of_ids_is_refused(tmp_path, text):
    (tmp_path / "taken_down.json").write_text(text)
    for known in (None, "string", "int64"):
        with pytest.raises(InputError, match=r"taken_down.*all ads that are d"):
            taken_down(tmp_path, known)


@pytest.mark.parametrize(
    ("text", "id_type"), [('["17"]', "int64"), ("[17]", "string")]
)
def test_ids_are_of_the_type_of_the_ads(tmp_path, text, id_type):
    """Neither is taken for the other, whether one file has it or a version."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "ads.json").write_text(
        f'{{"removed": {text}, "added": [], "replaced": []}}'
    )
    with pytest.raises(InputError, match=f"17.* is no id of type {id_type}"):
        taken_down(tmp_path, id_type)
    (tmp_path / "taken_down.json").write_text(text)
    with pytest.raises(InputError, match=f"17.* is no id of type {id_type}"):
        taken_down(tmp_path, id_type)
    assert len(taken_down(tmp_path)) == 1


def test_one_change_after_another():
    """An ad that was removed and added is added, and one is in one list."""
    record = AdRecord().changed(("a", "b"), ("new",), ("c",))
    assert record == AdRecord(("a", "b"), ("new",), ("c",))
    record = record.changed(("c", "x", "new"), ("b", "x"), ())
    assert record == AdRecord(("a", "c", "new"), ("b", "x"), ())
    record = record.changed((), (), ("b", "d"))
    assert record == AdRecord(("a", "c", "new"), ("b", "x"), ("d",))


def test_a_folder_without_the_file_is_what_its_versions_say(tmp_path):
    """Of two that speak of an ad the newer one decides."""
    records = {
        1: AdRecord(("a", "b", "c", "d")),
        2: AdRecord(added=("a", "e"), replaced=("b",)),
        3: AdRecord(("c",), added=("c",)),
        9: AdRecord(("e",), added=("c",)),
    }
    for number, record in records.items():
        (tmp_path / str(number)).mkdir()
        record.save(tmp_path / str(number))
    (tmp_path / "99").mkdir()
    assert taken_down(tmp_path) == ("d", "e")
    assert taken_down(tmp_path / "none") == ()
    folder = bundle_folder(tmp_path)
    with folder.held():
        write_taken_down(folder, ())
    assert taken_down(tmp_path) == ()
    empty = bundle_folder(tmp_path / "new")
    with empty.held():
        write_taken_down(empty, ())
    assert not (tmp_path / "new").exists()


class Version(Loaded):
    """A bundle of the ads a0 to a29, some of which were removed."""

    def __init__(self, gone):
        super().__init__(tf.string)
        self.known = self.known.numpy()
        concrete = self.has_ads.concrete_functions
        self.has_ads = lambda new_ads: self._has(new_ads=new_ads)
        self.has_ads.concrete_functions = concrete
        self.remove_ads(new_ads=tf.constant(list(gone), tf.string))

    def remove_ads(self, new_ads):
        gone = {*new_ads.numpy().tolist()}
        self.known = self.known[[i not in gone for i in self.known.tolist()]]


#: The versions that a test has loaded.
loaded = []


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """Version 1 is stable and 2 the canary; what each lacks is in a file."""
    path = tmp_path / "shop"
    loaded.clear()

    def write(folder, gone):
        (folder / "saved_model.pb").write_bytes(b"")
        (folder / "gone").write_text(" ".join(gone))

    def load(old):
        loaded.append(pathlib.Path(old).name)
        return Version((pathlib.Path(old) / "gone").read_text().split())

    def write_values(loaded, old, fresh):
        known = {i.decode() for i in loaded.known.tolist()}
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
    assert (made.folder.name, made.is_version) == ("4", False)
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


@pytest.mark.parametrize("lost", ["version", "file", "empty"])
def test_it_stays_down_whatever_version_goes(bundle, lost):
    """A version is removed, its record, or an empty one is the newest."""
    serving.change_ads(bundle, remove=["a1"], on="stable")
    write_labels(bundle, {"stable": 1, "canary": 2})
    if lost == "version":
        shutil.rmtree(bundle / "3")
    elif lost == "file":
        (bundle / "3" / "ads.json").unlink()
    else:
        (bundle / "99").mkdir()
    assert taken_down(bundle) == ("a1",)
    assert still_given(bundle, 1) == still_given(bundle, 2) == ("a1",)
    made = serving.change_ads(bundle, remove=["a2"])
    assert lacks(bundle, made.folder.name) == {"a1", "a2"}


def test_a_torn_record_is_mended_without_a_loss(bundle):
    """As its message says, where versions alone tell what is down."""
    serving.change_ads(bundle, remove=["a1"], on="stable")
    (bundle / "taken_down.json").unlink()
    (bundle / "3" / "ads.json").write_text('{"removed": [')
    with pytest.raises(InputError, match="Write the ids of all ads that are d"):
        serving.change_ads(bundle, remove=["a2"])
    (bundle / "taken_down.json").write_text('["a1"]')
    shutil.rmtree(bundle / "3")
    write_labels(bundle, {"stable": 1, "canary": 2})
    made = serving.change_ads(bundle, remove=["a2"])
    assert lacks(bundle, made.folder.name) == {"a1", "a2"}
    assert json.loads((bundle / "taken_down.json").read_text()) == ["a1", "a2"]


def test_a_crash_before_the_version_takes_its_place(bundle, monkeypatch):
    """The ad is down for whatever is made next, and the same call does it."""

    def killed(folder, ids):
        write_taken_down(folder, ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_taken_down", killed)
    with pytest.raises(KeyboardInterrupt):
        serving.change_ads(bundle, remove=["a1"], on="stable")
    monkeypatch.undo()
    assert taken_down(bundle) == ("a1",)
    assert not (bundle / "3").exists()


def test_an_ad_that_a_version_lacks_is_recorded_too(bundle, monkeypatch):
    """As another one may have it."""
    more = {f"a{n}" for n in range(10)}
    made = serving.change_ads(bundle, remove=["new", *more], on="stable")
    assert (made.removed, made.unknown) == (10, 1)
    assert {*taken_down(bundle)} == {"new", *more}
    assert {*AdRecord.load(made.folder).removed} == {"new", *more}


def test_nothing_to_change_is_no_version(bundle):
    for remove, on in (([], "canary"), (["a1"], "stable"), (["a1"], "stable")):
        made = serving.change_ads(bundle, remove=remove, on=on)
    assert not made.is_version
    assert made.folder == bundle / "3"
    assert read_labels(bundle) == {"stable": 3, "canary": 2}
    # What other calls took down, the canary gives still.
    made = serving.change_ads(bundle)
    assert (made.folder.name, made.removed, made.left_out) == ("4", 0, 1)


def test_an_ad_that_was_restored_elsewhere_is_told(bundle, caplog):
    """A version that leaves it out has nothing that it could give."""
    serving.change_ads(bundle, remove=["a1", "a2"], on="stable")
    folder = bundle_folder(bundle)
    with folder.held():
        write_taken_down(folder, ("a2",))
    assert not still_given(bundle, 3)
    made = serving.change_ads(bundle, remove=["a3"], on="stable")
    assert lacks(bundle, made.folder.name) == {"a1", "a2", "a3"}
    assert AdRecord.load(made.folder).removed == ("a1", "a2", "a3")
    assert taken_down(bundle) == ("a2", "a3")
    assert "1 ads that are not down any more stay out" in caplog.text
    assert "such as a1: --add gives them again." in caplog.text


def test_what_a_version_gives_is_read_from_it(bundle):
    """It is loaded only where its own record does not tell."""
    serving.change_ads(bundle, remove=["a1"], on="stable")
    folder = bundle_folder(bundle)
    with folder.held():
        write_taken_down(folder, ("a1", "none has it"))
    loaded.clear()
    assert still_given(bundle, 2) == ("a1",)
    assert loaded == ["2"]
    AdRecord(("none has it", "a1")).save(bundle / "2")
    assert not still_given(bundle, 2)
    assert loaded == ["2"]
    assert not still_given(bundle, 77)


def test_a_label_whose_version_is_gone_is_refused(bundle):
    shutil.rmtree(bundle / "2")
    with pytest.raises(InputError, match=r"Received: canary 2 in .* is not"):
        serving.change_ads(bundle, remove=["a1"])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["x", "y", "x"], "named once each. Received: x, more than once"),
        (["x", "y", ""], "stands for no ad. Received: one with that id"),
    ],
)
def test_ads_that_cannot_be_told_apart_are_refused(bundle, ids, message):
    ads = dataclasses.replace(new_ads(), ad_ids=np.array(ids, object))
    with pytest.raises(InputError, match=message):
        serving.change_ads(bundle, add=ads, schema=shop.dataset().schema)
    other = dataclasses.replace(shop.dataset().schema, ad_id_type="int64")
    with pytest.raises(InputError, match="Received: ids of type int64"):
        serving.change_ads(bundle, add=new_ads(), schema=other)
    assert not (bundle / "3").exists()


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


def test_an_export_that_restores_and_fails_may_be_called_again(
    export, monkeypatch
):
    first, *_ = export()
    AdRecord(("a1", "a2")).save(first)

    def killed(*_):
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(bundle_module, "write_deployment", killed)
        with pytest.raises(OSError, match="killed"):
            export(restore=["a1"])
    assert taken_down(first.parent) == ("a1", "a2")
    again, removed, _ = export(restore=["a1"])
    assert (again.name, removed) == ("3", ("a2",))
    assert taken_down(first.parent) == ("a2",)


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
    assert taken_down(last.parent) == ()
    assert not told
