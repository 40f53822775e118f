"""Which Keras there is, and which one wrote a model."""

import pathlib
import zipfile
from collections.abc import Iterator

from tfadrec.core.door import keras, tf
from tfadrec.core.read_json import parse_json
from tfadrec.diagnosis.finding import Finding
from tfadrec.runs.folder import MODEL

_METADATA = "metadata.json"


def keras_flavour(run: pathlib.Path | None = None) -> Iterator[Finding]:
    """Versions of TensorFlow, tf_keras and a model that do not fit.

    Args:
      run: the folder of a run, whose model is looked at without loading it.
    """
    here, of_tensorflow = _minor(keras.__version__), _minor(tf.__version__)
    if here != of_tensorflow:
        yield _finding(
            "warning",
            "tf_keras",
            "TensorFlow and tf_keras are of different versions",
            f"TensorFlow {tf.__version__}, tf_keras {keras.__version__}",
            f"Install tf_keras {of_tensorflow}.",
        )
    written = _written_by(run / MODEL) if run is not None else None
    if written is None or _minor(written) == here:
        return
    is_other = written.partition(".")[0] != here.partition(".")[0]
    yield _finding(
        "error" if is_other else "note",
        MODEL,
        "another Keras wrote the model",
        f"Keras {written}, and here is tf_keras {keras.__version__}",
        "Save it with tf_keras, as `tfadrec train` does."
        if is_other
        else "Export again with the version that will load it.",
    )


def _finding(level, where, what, much, mend) -> Finding:
    return Finding("keras_flavour", level, where, what, much, mend)


def _minor(version: str) -> str:
    """Of "2.21.0" "2.21"."""
    return ".".join(version.split(".")[:2])


def _written_by(model: pathlib.Path) -> str | None:
    """The version of Keras that wrote a file; None where it does not tell."""
    try:
        with zipfile.ZipFile(model) as file:
            told = parse_json(file.read(_METADATA))
        return str(told["keras_version"])
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return None
