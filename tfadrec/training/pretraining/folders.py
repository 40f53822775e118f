"""The folders of language models, each of them whole or not at all."""

import pathlib
import shutil

from tfadrec.core import pretrained
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.layers.text import AdEncoder, model_folder
from tfadrec.layers.text.token_head import TokenHead

_FILES = ("config.json", "model.safetensors")


def language_model_folder(path: pathlib.Path) -> OwnedFolder:
    """A folder that a language model is written to."""
    return OwnedFolder(path, "language model", older=_files_of_version_1)


def write_model(
    folder: pathlib.Path,
    begin: pathlib.Path,
    encoder: AdEncoder,
    head: TokenHead | None,
) -> None:
    """The model, and the tokenizer that it began with.

    Args:
      folder: of the model; what it held is replaced.
      begin: of the model that it was before, with the tokenizer's files.
      encoder: with the weights to write.
      head: likewise; None for the encoder alone.

    Raises:
      InputError: where something else is in the folder.
    """
    with language_model_folder(folder).replacing() as fresh:
        for name in pretrained.TOKENIZER_FILES:
            if (begin / name).is_file():
                shutil.copyfile(begin / name, fresh / name)
        model_folder.save_model(fresh, encoder, head)


def _files_of_version_1(folder: pathlib.Path) -> set[str]:
    """The files of a model of version 0.1.0, which had no manifests."""
    if not all((folder / name).is_file() for name in _FILES):
        return set()
    return {*_FILES, *pretrained.TOKENIZER_FILES}
