"""The folders that pretraining writes, each of them whole or not at all."""

import os
import pathlib
import shutil

from tfadrec.core import pretrained
from tfadrec.layers.text import AdEncoder, model_folder
from tfadrec.layers.text.token_head import TokenHead


def emptied(folder: pathlib.Path) -> pathlib.Path:
    """The folder, new or without what it held."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def write_model(
    folder: pathlib.Path,
    begin: pathlib.Path,
    encoder: AdEncoder,
    head: TokenHead | None,
) -> None:
    """The model, and the tokenizer that it began with, under a whole name.

    Args:
      folder: of the model; what it held is replaced.
      begin: of the model that it was before, with the tokenizer's files.
      encoder: with the weights to write.
      head: likewise; None for the encoder alone.
    """
    fresh = emptied(folder.with_name("model.fresh"))
    for name in pretrained.TOKENIZER_FILES:
        if (begin / name).is_file():
            shutil.copyfile(begin / name, fresh / name)
    model_folder.save_model(fresh, encoder, head)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(fresh, folder)
