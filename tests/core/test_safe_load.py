"""What a file that calls itself model.keras may hold."""

import io
import json
import pathlib
import resource
import time
import zipfile

import h5py
import numpy as np
import pytest

from tfadrec import layers
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.core.safe_load import check_model, load_model
from tfadrec.optimizers import LazyAdam

MARK = "tfadrec_was_here"


@keras.saving.register_keras_serializable("tfadrec")
class SmallModel(keras.Model):
    """A model with layers and an optimiser of both kinds."""

    def __init__(self, layer=None, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer or keras.layers.Dense(2)

    def call(self, inputs):
        return self.layer(inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def made(path, layer=None, optimizer="sgd"):
    model = SmallModel(layer)
    metric = keras.metrics.MeanAbsoluteError()
    model.compile(optimizer, keras.losses.Huber(), metrics=[metric])
    inputs = np.ones([4, 3], np.float32)
    model.fit(inputs, np.ones(model(inputs).shape), verbose=0)
    model.save(path)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    made(path)
    return path.read_bytes()


def parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members, path, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path, message):
    for read in (check_model, load_model):
        with pytest.raises(InputError, match=message) as error:
            read(path)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 800
        assert path.name in str(error.value)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.1, 10)
        ),
        lambda: keras.optimizers.legacy.Adagrad(0.1),
        lambda: LazyAdam(1e-3),
        lambda: keras.mixed_precision.LossScaleOptimizer(
            keras.optimizers.Adam()
        ),
    ],
)
def test_models_of_keras_and_of_ours_are_read(tmp_path, optimizer):
    model = made(tmp_path / "model.keras", layers.CrossNetwork(), optimizer())
    loaded = load_model(tmp_path / "model.keras")
    assert isinstance(loaded, SmallModel)
    assert isinstance(loaded.layer, layers.CrossNetwork)
    for one, two in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_policy_and_an_initializer_are_read(tmp_path):
    layer = keras.layers.Dense(
        2,
        dtype=keras.mixed_precision.Policy("mixed_bfloat16"),
        kernel_initializer=keras.initializers.HeNormal(),
        kernel_regularizer=keras.regularizers.L2(0.1),
        kernel_constraint=keras.constraints.NonNeg(),
    )
    made(tmp_path / "model.keras", layer)
    assert (
        load_model(tmp_path / "model.keras").layer.compute_dtype == "bfloat16"
    )


@keras.saving.register_keras_serializable("tfadrec")
class Twice(SmallModel):
    """A layer, and the same one again."""

    def __init__(self, layer=None, again=None, **kwargs):
        super().__init__(layer, **kwargs)
        self.again = again or self.layer

    def call(self, inputs):
        return self.again(self.layer(inputs))

    def get_config(self):
        return {
            **super().get_config(),
            "again": keras.saving.serialize_keras_object(self.again),
        }

    @classmethod
    def from_config(cls, config):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("layer", "again")
        }
        return cls(**{**config, **parts})


def test_a_layer_that_stands_twice_is_one_layer(tmp_path):
    model = Twice(keras.layers.Dense(3))
    inputs = np.ones([4, 3], np.float32)
    expected = model(inputs)
    model.save(tmp_path / "model.keras")
    found = load_model(tmp_path / "model.keras")
    assert found.again is found.layer
    np.testing.assert_array_equal(found(inputs), expected)


def test_weights_are_read_in_one_go(saved, tmp_path, monkeypatch):
    """To step back in an archive is to read it again from its beginning."""
    path = tmp_path / "model.keras"
    path.write_bytes(saved)
    expected = keras.models.load_model(path).get_weights()

    def refused(*_):
        pytest.fail("stepped within the archive")

    monkeypatch.setattr(zipfile.ZipExtFile, "seek", refused)
    for one, other in zip(
        load_model(path).get_weights(), expected, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def crafted(saved, path, layer):
    """The model with another layer in its configuration."""
    members = parts(saved)
    config = json.loads(members["config.json"])
    config["config"]["layer"] = layer
    return packed(members | {"config.json": json.dumps(config)}, path)


def of(class_name, module, registered_name=None, config=None):
    return {
        "class_name": class_name,
        "module": module,
        "registered_name": registered_name,
        "config": {} if config is None else config,
    }


def test_a_module_that_is_allowed_gives_models_parts_alone(
    saved, tmp_path, monkeypatch
):
    """A function or another class of it is refused all the same."""
    (tmp_path / "parts_of_a_test.py").write_text(
        "class Plain:\n    pass\n\n\ndef run():\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("Plain", "run", "nothing"):
        layer = of(name, "parts_of_a_test")
        path = crafted(saved, tmp_path / "model.keras", layer)
        with pytest.raises(InputError, match="pass --allow-import parts_of"):
            check_model(path)
        with pytest.raises(InputError, match="no class of tfadrec"):
            check_model(path, ["parts_of_a_test"])


def lambda_code():
    return {
        "name": "l",
        "function": {
            "class_name": "__lambda__",
            "config": {"value": ["", None, None]},
        },
    }


@pytest.mark.parametrize(
    "layer",
    [
        of("Evil", "evil_module_of_a_test"),
        of("Evil", "evil_module_of_a_test", "Evil"),
        of("Evil", "evil_module_of_a_test", "tfadrec>Evil"),
        of("Popen", "subprocess", config={"args": ["touch", MARK]}),
        of("function", "builtins", "eval", config="eval"),
        of("function", "os", "system", config="system"),
        of("Lambda", "keras.layers", config=lambda_code()),
        of("Lambda", None, config=lambda_code()),
        {"class_name": "Lambda", "config": lambda_code()},
        {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
        {"class_name": "__typespec__", "module": "os", "config": []},
        of("Functional", "keras", config={}),
        of("Sequential", "keras", config={"layers": []}),
        of("load_model", "keras.models", config="load_model"),
        of("get_file", "keras.utils", config="get_file"),
        of("Dense", "keras.layers.."),
        of("Lambda", "tf_keras.src.layers.core.lambda_layer", "Lambda"),
        of("Evil", "tf_keras.src.evil", "Evil"),
        of("Dense", "keras_evil.layers"),
        of("__class__", "keras.layers"),
        of("Dense", "keras.layers", "Custom>Dense"),
        of(["Dense"], "keras.layers"),
        of("Dense", {"keras": 1}),
        [[{"deep": of("Evil", "evil_module_of_a_test")}]],
    ],
    ids=lambda layer: str(layer)[:60],
)
def test_a_configuration_that_names_anything_else(
    saved, tmp_path, monkeypatch, layer
):
    """Nothing is imported, and nothing is run."""
    (tmp_path / "evil_module_of_a_test.py").write_text(
        f"import pathlib\npathlib.Path({MARK!r}).touch()\nclass Evil:\n  pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    path = crafted(saved, tmp_path / "model.keras", layer)
    refused(path, "names .* which is no class of tfadrec|names a class by")
    assert not pathlib.Path(MARK).exists()


def test_classes_that_others_registered(saved, tmp_path):
    @keras.saving.register_keras_serializable("Other")
    class Registered(keras.layers.Layer):
        pass

    layer = of("Registered", "somewhere", "Other>Registered")
    refused(
        crafted(saved, tmp_path / "model.keras", layer),
        "'somewhere.Registered', which is no class of tfadrec",
    )


@pytest.mark.parametrize("format", ["h5", "text", "empty", "folder"])
def test_what_is_no_zip_archive(tmp_path, format):
    path = tmp_path / "model.keras"
    if format == "h5":
        # A Lambda in an HDF5 file is run on Keras' older path.
        model = keras.Sequential(
            [
                keras.layers.Input([1]),
                keras.layers.Lambda(lambda x: x + 1),
            ]
        )
        with pytest.warns(UserWarning, match="considered legacy"):
            model.save(tmp_path / "model.h5", save_format="h5")
        (tmp_path / "model.h5").rename(path)
    elif format == "folder":
        path.mkdir()
    else:
        path.write_text("none" if format == "text" else "")
    refused(path, "it is no zip archive|it is no file")


def test_a_zip_archive_with_something_before_it(saved, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + saved)
    refused(path, "it is no zip archive")


def test_a_compressed_archive(saved, tmp_path):
    path = tmp_path / "model.keras"
    members = parts(saved) | {"model.weights.h5": bytes(100_000_000)}
    packed(members, path, zipfile.ZIP_DEFLATED)
    refused(path, "must not be compressed")


def test_a_size_that_the_file_does_not_have(saved, tmp_path):
    path = tmp_path / "model.keras"
    packed(parts(saved), path)
    data = path.read_bytes()
    sizes = len(parts(saved)["model.weights.h5"]).to_bytes(4, "little")
    path.write_bytes(data.replace(sizes, (2**31).to_bytes(4, "little")))
    refused(path, "model.keras: ")


@pytest.mark.parametrize("name", ["assets/x", "../x", "config.json2"])
def test_other_members(saved, tmp_path, name):
    path = packed(parts(saved) | {name: b"x"}, tmp_path / "model.keras")
    refused(path, "must hold config.json, metadata.json, model.weights.h5 once")


def test_every_damaged_byte_is_found(saved, tmp_path):
    """Of the configuration and the weights, each at 40 places."""
    path = tmp_path / "model.keras"
    packed(parts(saved), path)
    whole = path.read_bytes()
    for content in parts(saved).values():
        start = whole.index(content)
        for step in range(40):
            place = start + step * len(content) // 40
            damaged = bytearray(whole)
            damaged[place] ^= 1 << step % 8
            path.write_bytes(damaged)
            with pytest.raises(InputError, match="BadZipFile: Bad CRC-32"):
                check_model(path)


def test_a_cut_file(saved, tmp_path):
    path = tmp_path / "model.keras"
    for end in (1, 3, 4, 100, len(saved) // 2, len(saved) - 1):
        path.write_bytes(saved[:end])
        refused(path, "model.keras: ")


@pytest.mark.parametrize(
    "config",
    ["", "{", "[" * 100_000, '{"a":' * 150 + "1" + "}" * 150, "9" * 5000],
)
def test_a_configuration_that_is_none(saved, tmp_path, config):
    members = parts(saved) | {"config.json": config}
    refused(packed(members, tmp_path / "model.keras"), "model.keras: ")


def test_a_configuration_of_no_model(saved, tmp_path):
    layer = of("FM", "tfadrec.layers", "tfadrec>FM")
    for config in ("{}", "[]", "3", json.dumps(layer)):
        members = parts(saved) | {"config.json": config}
        path = packed(members, tmp_path / "model.keras")
        with pytest.raises(InputError, match=r"model\.keras: "):
            load_model(path)


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("keras.layers.Dense", {"units": 10**9}, "variables would hold more"),
        (
            "keras.layers.Embedding",
            {"input_dim": 10**6, "output_dim": 10**6},
            "variables would hold more",
        ),
        ("tfadrec.layers.ETA", {"num_hashes": 2**31 - 1}, "would hold more"),
        ("tfadrec.layers.CrossNetwork", {"num_layers": 10**6}, "256 is the"),
        ("tfadrec.layers.MMoE", {"num_experts": 1e300}, "256 is the most"),
        ("keras.layers.Dense", {"units": [1] * 5000}, "has a list of 5,000"),
    ],
)
def test_a_configuration_of_a_larger_model(
    saved, tmp_path, name, config, message
):
    """What the file does not fill is refused before memory is asked for."""
    module, _, kind = name.rpartition(".")
    shape = [None, 5, 400]
    if kind == "ETA":
        shape = {"target": shape, "events": shape}
    registered = f"tfadrec>{kind}" if "tfadrec" in module else None
    layer = of(kind, module, registered, config)
    layer["build_config"] = {"input_shape": shape}
    path = crafted(saved, tmp_path / "model.keras", layer)
    begun = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=message):
        load_model(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100_000  # KiB
    assert time.process_time() - begun < 10


def weights(change):
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        content["vars/0"] = np.zeros(1000, np.float32)
        change(content)
    return file.getvalue()


def soft(file):
    file["a"] = h5py.SoftLink("/vars")


def outside(file):
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def external(file):
    file.create_dataset("a", (4,), "i1", external=[("/etc/passwd", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("a", layout)


def huge(file):
    file.create_dataset("a", (10**12,), "f4", chunks=(1000,))


def squeezed(file):
    file.create_dataset("a", data=bytes(10**6), dtype="S1000000")
    file.create_dataset("b", data=np.zeros(10**6), compression="gzip")


def objects(file):
    file.create_dataset("a", data=["x"], dtype=h5py.string_dtype())


def named_type(file):
    file["a"] = np.dtype("f4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (soft, "has a link, 'a'"),
        (outside, "has a link, 'a'"),
        (external, "weights outside of it"),
        (virtual, "weights outside of it"),
        (huge, "would outgrow its file"),
        (squeezed, "would outgrow its file"),
        (objects, "weights outside of it"),
        (named_type, "holds more than weights"),
    ],
)
def test_weights_that_are_elsewhere_or_too_many(
    saved, tmp_path, change, message
):
    members = parts(saved) | {"model.weights.h5": weights(change)}
    refused(packed(members, tmp_path / "model.keras"), message)


def test_a_group_that_stands_in_itself(saved, tmp_path):
    def turn(file):
        file["vars/again"] = file["vars"]

    members = parts(saved) | {"model.weights.h5": weights(turn)}
    check_model(packed(members, tmp_path / "model.keras"))


def test_weights_that_are_no_hdf5(saved, tmp_path):
    members = parts(saved) | {"model.weights.h5": b"none"}
    refused(packed(members, tmp_path / "model.keras"), "OSError")
