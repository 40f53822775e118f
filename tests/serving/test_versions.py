"""Which version a label finds, whatever happens to folders and to the file."""

import types

import pytest

from tfadrec.core.errors import InputError
from tfadrec.serving.deployment import write_labels
from tfadrec.serving.preview import versions
from tfadrec.serving.preview.request_error import RequestError


class Loaded:
    """Stands for a version, which does not load where a file says so."""

    def __init__(self, folder):
        self.version = int(folder.name)
        if (folder / "broken").exists():
            raise InputError("half a copy")


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A bundle's folder, to which versions and labels are written."""
    monkeypatch.setattr(versions, "Servable", Loaded)
    monkeypatch.setattr(versions.Versions, "_warm_up", lambda *_: None)
    path = tmp_path / "model"
    path.mkdir()

    def add(*numbers, broken=False):
        for number in numbers:
            (path / str(number)).mkdir()
            if broken:
                (path / str(number) / "broken").touch()

    return types.SimpleNamespace(
        path=path, add=add, label=lambda **to: write_labels(path, to)
    )


def opened(model):
    found = versions.Versions(model.path)
    found.load()
    return found


def named(found, **asked):
    return found.find("model", **asked).version


def states(found):
    return {int(each["version"]): each["state"] for each in found.status()}


def refused(found, **asked):
    with pytest.raises(RequestError) as error:
        found.find("model", **asked)
    return error.value


def test_a_label_waits_for_a_version_that_does_not_load(model, caplog):
    model.add(1, 3)
    model.label(stable=1, canary=3)
    found = opened(model)
    model.add(2, broken=True)
    model.label(stable=2, canary=3)
    for failed in ({2: "half a copy"}, {}):
        assert found.refresh() == failed
        assert named(found, label="stable") == 1
        assert states(found) == {1: "AVAILABLE", 2: "END", 3: "AVAILABLE"}
    (record,) = caplog.records
    line = "The label stable stays with version 1 until version 2 is loaded."
    assert record.getMessage() == line
    # A disk that is away for a moment takes nothing from anybody.
    model.path.rename(model.path.with_name("away"))
    found.refresh()
    assert named(found, label="stable") == 1
    model.path.with_name("away").rename(model.path)
    (model.path / "2" / "broken").unlink()
    assert found.refresh() == {}
    assert named(found, label="stable") == 2
    assert states(found) == {2: "AVAILABLE", 3: "AVAILABLE"}


def test_a_label_waits_for_a_version_that_is_still_copied(model):
    """A `models.config` that came before the version that it names."""
    model.add(1, 3)
    model.label(stable=1)
    found = opened(model)
    model.label(stable=2)
    found.refresh()
    assert named(found, label="stable") == 1
    model.add(2)
    found.refresh()
    assert named(found, label="stable") == 2


@pytest.mark.parametrize("cut", [None, 0, 100, -1, -3, -60])
def test_labels_stay_while_the_file_cannot_be_read(model, caplog, cut):
    """It is gone, or half of it is there; then labels move again."""
    model.add(1, 2, 3)
    model.label(stable=1, canary=2)
    found = opened(model)
    file = model.path / "models.config"
    whole = file.read_text().rstrip()
    file.unlink()
    if cut is not None:
        file.write_text(whole[:cut])
    for _ in range(3):
        found.refresh()
        assert named(found, label="stable") == 1
        assert named(found, label="canary") == 2
    (record,) = caplog.records
    assert "models.config cannot be read: labels stay" in record.getMessage()
    file.write_text(whole.replace('"canary" value: 2', '"canary" value: 3'))
    found.refresh()
    assert named(found, label="canary") == 3
    # It is told again where it happens again.
    file.unlink()
    found.refresh()
    assert len(caplog.records) == 2


def test_a_label_that_is_taken_out_of_the_file_is_gone(model):
    model.add(1, 2)
    model.label(stable=1, canary=2)
    found = opened(model)
    model.label(stable=2)
    found.refresh()
    line = "labels are stable. Received: 'canary'."
    assert str(refused(found, label="canary")) == line
    assert states(found) == {2: "AVAILABLE"}


def test_a_folder_without_the_file_has_no_labels(model, caplog):
    model.add(1)
    found = opened(model)
    assert str(refused(found, label="stable")).startswith("labels are none.")
    found.check_ready()
    assert not caplog.records


def test_the_stable_version_is_loaded_first(model, monkeypatch):
    """It is the one that clients are told to ask; it says who is ready."""
    model.add(1, 2, 3, 4)
    model.label(stable=2, canary=4, previous=1)
    seen = []

    class Watched(Loaded):
        def __init__(self, folder):
            super().__init__(folder)
            if not seen:
                assert refused(found, label="stable").status == 503
                with pytest.raises(RequestError, match="before that") as error:
                    found.check_ready()
                assert error.value.status == 503
            else:
                found.check_ready()
            seen.append(self.version)

    monkeypatch.setattr(versions, "Servable", Watched)
    found = versions.Versions(model.path)
    assert refused(found, label="canary").status == 503
    found.load()
    assert seen == [2, 4, 1]
    assert named(found) == 4


def test_why_the_stable_version_does_not_answer(model):
    """After a restart there is no version before it to answer."""
    model.add(1, broken=True)
    model.add(2)
    model.label(stable=1, canary=2, previous=7)
    found = opened(model)
    line = "a version answers where it loads. Received: 1, which does not: half"
    for asked in ({"label": "stable"}, {"version": 1}):
        error = refused(found, **asked)
        assert (error.status, str(error)) == (404, f"{line} a copy")
    with pytest.raises(RequestError, match="does not: half") as error:
        found.check_ready()
    assert error.value.status == 503
    assert named(found) == named(found, label="canary") == 2
    line = "loaded versions are 2. Received: 7."
    assert str(refused(found, label="previous")) == line
