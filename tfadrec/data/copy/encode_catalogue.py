"""From a catalogue to a table of its ads' text vectors."""

import os
import pathlib
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.schema import SCHEMA_FILE
from tfadrec.data.copy.text_vectors import (
    EncodeParts,
    TextEncoder,
    text_key,
    vectors_and_count,
)
from tfadrec.data.copy.tokenizer import Tokenizer, ad_text
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.files import open_filesystem, require_files

_PARQUET, _NPY = "vectors.parquet", "vectors.npy"


def encode_catalogue(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    tokenizer: Tokenizer,
    encoder: TextEncoder,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_tokens: int = 4096,
    progress: bool = True,
    encode_parts: EncodeParts | None = None,
) -> dict[str, Any]:
    """Writes the vector of every ad's copy, encoding only what is new.

    The text is `tokenizer.ad_text` of title, description and tags. Its vector
    is looked for in the cache of `text_vectors` first: an ad with the same copy
    as before is not encoded again, whatever else has changed, and a killed call
    goes on where it stopped.

    Args:
      source: a dataset folder, or a Parquet file or folder of the data
        contract's ads: `ad_id`, `title`, and optionally `description` and
        `tags`, a list of texts; missing values are empty. On any filesystem.
      out: a local folder of its own. In it, `vectors.parquet` has the columns
        `ad_id`, `content_sha256` (of the text, hexadecimal) and `vector`, and
        `vectors.npy` the vectors alone, float32 [N, D], in the same order, that
        of the source. The folder is replaced as a whole; see `OwnedFolder`.
      tokenizer: the encoder's.
      encoder: a text layer; its dtype policy is the precision.
      cache: as in `text_vectors`.
      batch_tokens: as in `text_vectors`.
      progress: whether a progress bar is shown on standard error.
      encode_parts: makes the vectors of new texts elsewhere; None for here.

    Returns:
      A dict with `ads`, `encoded` (distinct texts that were), `cut` (ads that
      are longer than the tokenizer's `max_tokens`), `width` (D), `seconds`
      (taken by the vectors), `parquet` and `npy` (the files).

    Raises:
      InputError: where the source is no catalogue, or something else than such
        vectors is in the way.
      OSError: where `out` cannot be written.
    """
    folder = vectors_folder(out)
    folder.check()
    ads = _read_ads(source)
    parts = (ads[n].to_pylist() for n in ("title", "description", "tags"))
    texts = [
        ad_text(title or "", description or "", [t for t in tags or () if t])
        for title, description, tags in zip(*parts, strict=True)
    ]
    begun = time.monotonic()
    vectors, encoded = vectors_and_count(
        texts,
        tokenizer,
        encoder,
        cache=cache,
        batch_tokens=batch_tokens,
        progress=progress,
        encode_parts=encode_parts,
    )
    seconds = time.monotonic() - begun
    with folder.replacing() as fresh:
        _write(fresh, ads["ad_id"], texts, vectors)
    return {
        "ads": len(texts),
        "encoded": encoded,
        "cut": round(tokenizer.cut_share(texts) * len(texts)),
        "width": vectors.shape[1],
        "seconds": seconds,
        "parquet": str(folder.path / _PARQUET),
        "npy": str(folder.path / _NPY),
    }


def vectors_folder(out: str | os.PathLike[str]) -> OwnedFolder:
    """The folder that `encode_catalogue` writes to."""
    return OwnedFolder(out, "folder of vectors", older=_files_of_version_1)


def _read_ads(source: str | os.PathLike[str]) -> pa.Table:
    """The columns that a text is made of, of their own types."""
    table = _read_table(os.fspath(source))
    missing = [n for n in ("ad_id", "title") if n not in table.column_names]
    if missing:
        raise InputError(
            "a catalogue must have the columns ad_id and title. Received: "
            f"{', '.join(table.column_names)} in {source}. Rename its columns."
        )
    ids = table["ad_id"]
    repeated = len(ids) - ids.null_count - len(ids.drop_null().unique())
    if ids.null_count or repeated:
        raise InputError(
            "ad ids of a catalogue must be present and distinct. Received: "
            f"{ids.null_count} missing and {repeated} repeated in {source}. "
            "Keep one row per ad."
        )
    columns = {"ad_id": ids}
    for name, kind in (
        ("title", pa.string()),
        ("description", pa.string()),
        ("tags", pa.list_(pa.string())),
    ):
        column = (
            table[name]
            if name in table.column_names
            else pa.chunked_array([pa.nulls(len(table), kind)])
        )
        try:
            columns[name] = column.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(
                f"the column {name} of a catalogue must be {kind}. Received: "
                f"{column.type} in {source}. Convert it."
            ) from error
    return pa.table(columns)


def _read_table(source: str) -> pa.Table:
    """The ads of a dataset, or a Parquet file or folder."""
    filesystem, path = open_filesystem(source)
    info = filesystem.get_file_info(f"{path}/{SCHEMA_FILE}")
    if info.is_file:
        return DatasetFiles(source).table("ads")
    of_dataset = filesystem.get_file_info(f"{path}/ads.parquet")
    if of_dataset.type != pyarrow.fs.FileType.NotFound:
        path = of_dataset.path
    try:
        require_files(filesystem, filesystem.get_file_info(path), source)
        return pq.read_table(path, filesystem=filesystem)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            "a catalogue is a dataset folder, or a Parquet file of ads. "
            f"Received: {source}: {error}. Name another one."
        ) from error


def _files_of_version_1(folder: pathlib.Path) -> set[str]:
    """The files of vectors of version 0.1.0, which had no manifests."""
    if not (folder / _PARQUET).is_file():
        return set()
    try:
        names = pq.read_schema(folder / _PARQUET).names
    except (OSError, pa.ArrowException):
        return set()
    found = names == ["ad_id", "content_sha256", "vector"]
    return {_PARQUET, _NPY} if found else set()


def _write(
    folder: pathlib.Path,
    ad_ids: pa.ChunkedArray,
    texts: list[str],
    vectors: np.ndarray,
) -> None:
    flat = pa.array(vectors.reshape(-1))
    table = pa.table(
        {
            "ad_id": ad_ids,
            "content_sha256": [text_key(text).hex() for text in texts],
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )
    pq.write_table(table, folder / _PARQUET)
    np.save(folder / _NPY, vectors)
