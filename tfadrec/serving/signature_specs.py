"""The inputs of every signature of a bundle."""

from tfadrec.core.door import tf
from tfadrec.serving.ad_reader import NEW, AdReader
from tfadrec.serving.request_reader import RequestReader, Specs


def signature_specs(
    requests: RequestReader,
    reader: AdReader,
    filters: Specs | None = None,
    order: Specs | None = None,
    expiry: Specs | None = None,
    *,
    explains: bool = False,
) -> dict[str, Specs]:
    """The signatures by name, with the inputs that they take.

    Args:
      requests: reads users and candidates.
      reader: reads new ads; where a ranker knows ads by ids alone there is
        nothing to say of one.
      filters: the inputs that filter, where candidates are retrieved.
      explains: whether scores are explained.
      order: the inputs that ads are chosen by, beside their scores.
      expiry: the input that tells the moment, where ads expire.
    """
    user = requests.user_specs()
    slates = user | requests.candidate_specs(2)
    ads = slates["candidate_ads"].dtype

    def spec(name, axes, dtype):
        return {name: tf.TensorSpec([None] * axes, dtype, name)}

    # One per row, scalars too: a server merges requests along this axis.
    choice = {
        **spec("exclude_ads", 2, ads),
        **spec("exclude_history", 1, tf.bool),
        **spec("k", 1, tf.int32),
        **(expiry or {}),
    }
    specs = {
        "serving_default": user | requests.candidate_specs(1),
        "score_slate": slates,
        "serve_examples": spec("examples", 1, tf.string),
        "recommend": user | choice,
        "recommend_from": slates | choice | spec("bids", 2, tf.float32),
        "encode_user": user,
    }
    if filters is not None:
        specs["recommend"] |= filters
        specs["retrieve"] = specs["recommend"]
    if explains:
        specs["explain"] = specs["serving_default"]
    for name in ("recommend", "recommend_from"):
        specs[name] = specs[name] | (order or {})
    if reader.specs(1):
        columns = reader.specs(2, as_tokens=not reader.reads_text, prefix=NEW)
        specs["encode_ads"] = reader.specs(1, as_tokens=True)
        specs["score_new_ads"] = slates | spec("new_ads", 2, ads) | columns
    if reader.reads_text:
        specs["encode_ads_text"] = reader.specs(1)
    return specs
