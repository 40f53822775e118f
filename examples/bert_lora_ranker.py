"""A ranker whose BERT is tuned with LoRA while it learns to rank.

    python examples/bert_lora_ranker.py

The whole way on MovieLens-100K: fetch, split by time, train, measure on
impressions that were not seen, export, and ask the bundle. A DIN ranker reads
titles and genres with MiniLM, a small BERT. Its 22 million weights stand still;
LoRA adds factors of rank 8 to its attention, and these learn with the ranker.
Minutes on two cores.
"""

import tempfile

from tfadrec import data, evaluation, layers, models, serving, training
from tfadrec.core.door import keras
from tfadrec.layers.text import lora
from tfadrec.optimizers import CompositeOptimizer, LazyAdam


def main() -> None:
    """Runs all of it."""
    dataset = data.load("movielens-100k")
    tokenizer = data.Tokenizer.from_pretrained("minilm")
    dataset = dataset.with_catalogue(
        data.tokenize(dataset.catalogue, tokenizer)
    )
    train, valid, test = data.split_by_time(dataset)

    keras.utils.set_random_seed(0)
    encoder = layers.BertAdEncoder.from_pretrained(
        "minilm", tuning=lora(rank=8), name="text", dtype="mixed_bfloat16"
    )
    count = encoder.num_weights()
    print(
        f"{count['trainable']:,} of the language model's {count['total']:,} "
        "weights are trained"
    )
    ranker = models.AdRanker.for_dataset(dataset, layers.DIN(), text=encoder)
    # The language model has a learning rate of its own.
    ranker.compile(
        CompositeOptimizer({"^text/": LazyAdam(2e-4)}, LazyAdam(2e-3))
    )
    with tempfile.TemporaryDirectory() as folder:
        # An ad is encoded once a step, so large batches are cheap.
        training.fit(ranker, train, valid, folder, batch_size=2048, epochs=2)

    found = evaluation.evaluate_baselines(train, test)
    found["ranker"] = evaluation.evaluate(ranker, test, train=train)
    print(evaluation.standings(found))
    bundle = serving.export_bundle(ranker, test, "saved_models/bert_lora")
    ads = serving.recommend(serving.open_bundle(bundle)["recommend"], test, 42)
    print(f"\nFor user 42, from {bundle}:")
    for ad in ads:
        print(f"{ad['rank']:>3}  {ad['pctr']:.3f}  {ad['title']}")


if __name__ == "__main__":
    main()
