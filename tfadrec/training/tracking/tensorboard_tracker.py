"""What TensorBoard shows beside the metrics, which every run has."""

import pathlib

import numpy as np
from tensorboard.plugins.hparams import api as hparams

from tfadrec.core.door import tf
from tfadrec.training.tracking.tracker import Tracker

#: Ads in the projector: a browser shows no more.
_MOST_ADS = 10_000
_CONFIG = """embeddings {
  tensor_name: "ads"
  tensor_path: "ads.tsv"
  metadata_path: "titles.tsv"
}
"""


class TensorboardTracker(Tracker):
    """Settings under HPARAMS, and vectors of ads under PROJECTOR.

    Args:
      logs: the folder of the run's logs.
      has_settings: whether settings are shown.
      has_ads: whether the vectors of the first 10,000 ads are.
    """

    name = "tensorboard"

    def __init__(
        self, logs: pathlib.Path, *, has_settings: bool, has_ads: bool
    ) -> None:
        self._logs = logs
        self._has_settings, self._has_ads = has_settings, has_ads

    def begin(self, run, settings, known):
        """See `Tracker.begin`."""
        if self._has_settings and known is None:
            with tf.summary.create_file_writer(str(self._logs)).as_default():
                hparams.hparams(dict(settings), trial_id=run)
        return run

    def log(self, epoch, metrics):
        """Nothing: Keras' callback of every run has done it."""

    def show(self, ranker, dataset):
        """Writes vectors of ads, and titles, as the projector reads them."""
        if not self._has_ads:
            return
        catalogue = dataset.catalogue
        count = min(len(catalogue), _MOST_ADS)
        vectors = ranker.ad_tower(tf.range(1, count + 1))["vector"]
        self._logs.mkdir(parents=True, exist_ok=True)
        values = np.asarray(tf.cast(vectors, tf.float32))
        np.savetxt(self._logs / "ads.tsv", values, "%.5g", delimiter="\t")
        titles = [" ".join(t.split()) or "-" for t in catalogue.titles[:count]]
        text = "\n".join([*titles, ""])
        (self._logs / "titles.tsv").write_text(text, "utf-8")
        (self._logs / "projector_config.pbtxt").write_text(_CONFIG, "utf-8")

    def end(self, *, has_failed):
        """Nothing is open."""
