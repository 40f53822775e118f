"""A GPT-2 trained from scratch on ad copy, and a ranker that reads with it.

    python examples/gpt2_ranker.py
    python examples/gpt2_ranker.py data/retail

The whole way: a dataset, a tokenizer and a small GPT-2 that learn from its ad
copy, ad vectors, a DIN ranker on top of them, its measures on impressions that
were not seen, an exported bundle, and recommendations read back from it. With
no folder the dataset is a made-up world. Minutes on two cores.
"""

import argparse
import pathlib

import numpy as np

from tfadrec import data, evaluation, layers, serving, training
from tfadrec.core.config import RunConfig
from tfadrec.data.sources import prepare_synthetic

#: Impressions to learn and measure on; users are left out to come down to it.
_MOST_ROWS = 150_000
_GPT2 = {
    "type": "gpt2",
    "vocabulary_size": 2000,
    "width": 64,
    "num_layers": 2,
    "num_heads": 2,
}


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", nargs="?", help="a folder of `prepare`")
    parser.add_argument("--out", default="runs/gpt2_ranker")
    arguments = parser.parse_args()
    run(arguments.dataset, pathlib.Path(arguments.out))


def run(
    dataset: str | None,
    out: pathlib.Path,
    *,
    pretrain_epochs: int = 10,
    epochs: int = 4,
    **world: int,
) -> dict[str, list[evaluation.Evaluation]]:
    """The whole way, from a dataset to a bundle.

    Args:
      dataset: a dataset folder, or None for a made-up world.
      out: the folder to write into.
      pretrain_epochs: of the language model.
      epochs: of the rankers.
      **world: sizes of the made-up world.

    Returns:
      Contender -> what was measured on the test rows.
    """
    if dataset is None:
        dataset = str(out / "world")
        sizes = {"num_users": 600, "requests_per_user": 40, **world}
        prepare_synthetic(dataset, 0, **sizes)

    # A language model that has read nothing but this ad copy.
    gpt2 = training.pretrain(
        dataset,
        out / "gpt2",
        objective="causal",
        model=_GPT2,
        epochs=pretrain_epochs,
        learning_rate=2e-3,
    )
    print(
        f"GPT-2 on {gpt2.num_texts:,} texts: perplexity "
        f"{gpt2.before['val_perplexity']:.1f} before, "
        f"{gpt2.best['val_perplexity']:.1f} after, on texts held out"
    )

    # Each ad's text becomes a vector, once.
    opened = data.open_dataset(dataset)
    tokenizer = data.Tokenizer.from_pretrained(gpt2.folder)
    encoder = layers.text.GPT2AdEncoder.from_pretrained(gpt2.folder)
    read = data.encode_text(opened.catalogue, tokenizer, encoder)
    parts = data.split_by_time(_fewer_users(opened))

    found = {}
    train, _, test = parts
    baselines = evaluation.evaluate_baselines(train, test)
    found["popularity"] = [baselines["popularity"]]
    for name, catalogue in (
        ("id-only DIN", opened.catalogue.ids_only()),
        ("DIN with GPT-2", read),
    ):
        train, valid, test = (part.with_catalogue(catalogue) for part in parts)
        ranker = training.build_ranker(RunConfig(), train, seed=0)
        training.fit(ranker, train, valid, out / name, epochs=epochs)
        found[name] = [evaluation.evaluate(ranker, test, train=train)]
    print(f"\nOn {len(test):,} impressions that were not seen:\n")
    print(evaluation.compare(found))

    bundle = serving.export_bundle(ranker, test, out / "bundle")
    user = opened.user_ids[test.impressions.users[0] - 1]
    ads = serving.recommend(
        serving.open_bundle(bundle)["recommend"], test, user
    )
    print(f"\nFor user {user}, from {bundle}:")
    for ad in ads:
        print(f"{ad['rank']:>3}  {ad['pctr']:.3f}  {ad['title']}")
    return found


def _fewer_users(dataset: data.Dataset) -> data.Dataset:
    share = min(1.0, _MOST_ROWS / len(dataset))
    users = len(dataset.user_ids) + 1
    kept = np.random.default_rng(0).random(users) < share
    return dataset.select(kept[dataset.impressions.users])


if __name__ == "__main__":
    main()
