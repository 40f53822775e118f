"""A kind of feature more: a class for files, one for requests, one layer.

Nothing else is told of it, and it is prepared, trained with, saved, exported
and answered; the export compares served scores with the ranker's own.
"""

import inspect

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.processes import ROOT
from tests.training import small
from tfadrec import serving, training
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data import features, sources
from tfadrec.data.columns import as_text
from tfadrec.data.features import Kind
from tfadrec.layers.features import kinds
from tfadrec.layers.features.field import Field
from tfadrec.serving import readers

YAML = """
ads: {file: ads.csv, ad_id: ad, features: {sold out: flag}}
users: {file: users.csv, user_id: user, features: {member: flag}}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
  clicked: click, features: {night: flag}, candidate_features: {boosted: flag}}
"""


class Flag(Kind):
    """Yes or no: int32 [n], 2, 1, or 0 where missing."""

    def parse(self, column, separator, settings):
        text = as_text(column)
        known = pc.is_in(text, value_set=pa.array(["yes", "no"]))
        empty = pc.equal(text, "")
        values = pc.if_else(known, pc.equal(text, "yes"), None)
        broken = pc.invert(pc.or_(known, empty))
        return values, broken.to_numpy(zero_copy_only=False)

    def describe(self, feature, column, known):
        return feature

    def encode(self, column, feature):
        codes = pc.fill_null(pc.add(pc.cast(column, pa.int32()), 1), 0)
        return {feature.tensor: np.asarray(codes).astype(np.int32)}

    def decode(self, columns, feature):
        names = np.array(["", "no", "yes"], object)
        return {feature.tensor: names[columns[feature.tensor]]}


class FlagReader(readers.Reader):
    def parts(self):
        return {"": ([], tf.string)}

    def read(self, raw):
        text = raw[self.feature.tensor]
        codes = tf.where(text == "yes", 2, tf.where(text == "no", 1, 0))
        return {self.feature.tensor: codes}

    def is_given(self, raw):
        return raw[self.feature.tensor] != ""


class FlagField(Field):
    is_scalar = True

    @staticmethod
    def columns(feature):
        return {feature["name"]: ([], "int32")}

    def call(self, columns):
        code = columns[self.feature["name"]]
        return tf.gather(tf.constant([np.nan, -1.0, 1.0], tf.float32), code)


@pytest.fixture
def flag(monkeypatch):
    monkeypatch.setitem(features.KINDS, "flag", Flag())
    monkeypatch.setitem(readers.READERS, "flag", FlagReader)
    monkeypatch.setitem(kinds.FIELDS, "flag", FlagField)


def write(folder):
    random = np.random.default_rng(0)

    def some():
        return random.choice(["yes", "no", ""])

    ads = [f"a{n},{some()}" for n in range(8)]
    users = [f"u{n},{some()}" for n in range(6)]
    rows = []
    for time in range(300):
        boosted = random.choice(["yes", "no"])
        click = int(random.random() < (0.9 if boosted == "yes" else 0.1))
        rows.append(
            f"u{random.integers(6)},a{random.integers(8)},{time},{click},"
            f"{some()},{boosted}"
        )
    for name, header, lines in (
        ("ads", "ad,sold out", ads),
        ("users", "user,member", users),
        ("log", "user,ad,time,click,night,boosted", rows),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *lines, ""]))
    (folder / "table.yaml").write_text(YAML)
    return folder / "table.yaml"


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)])
def signatures(request, few_signatures):
    """Every signature, or two that read the flags of all entities."""
    if not request.param:
        few_signatures("serving_default", "score_new_ads")


@pytest.mark.usefixtures("flag", "no_replay", "signatures")
def test_a_kind_more(tmp_path):
    sources.prepare_table(write(tmp_path), tmp_path / "data")
    config = small.config(
        optimizer={"learning_rate": 0.1},
        fit={"epochs": 2, "steps_per_epoch": 9},
        data={"history_length": 0},
    )
    run = training.train(
        tmp_path / "data", config, tmp_path / "run", progress=False
    )
    reloaded = training.load_run(tmp_path / "run")
    rows = reloaded.dataset.batches(400)
    expected = run.ranker.predict(rows)["clicked"]
    np.testing.assert_array_equal(
        reloaded.ranker.predict(rows)["clicked"], expected
    )
    folder = serving.export_bundle(
        reloaded.ranker, reloaded.dataset, tmp_path / "bundle"
    )
    score = serving.open_bundle(folder)["serving_default"]
    found = score(**serving.replay(reloaded.dataset, np.arange(300)))
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)
    boosted = reloaded.dataset.impressions.columns["boosted"]
    # A boosted ad is clicked nine times as often, and that was learned.
    means = [found["pctr"][boosted == code].mean() for code in (1, 2)]
    assert means[1] - means[0] > 0.3


def test_without_it_the_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="Received: 'flag'"):
        sources.prepare_table(write(tmp_path), tmp_path / "data")


def test_the_page_shows_this_one():
    page = (ROOT / "docs" / "data.md").read_text()
    for part in (Flag, FlagReader, FlagField):
        assert inspect.getsource(part) in page
