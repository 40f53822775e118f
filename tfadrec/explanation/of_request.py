"""One user and one ad, explained in plain values."""

from typing import Any

import numpy as np

from tfadrec.data.copy.tokenizer import ad_text
from tfadrec.explanation.copies import language_model
from tfadrec.explanation.explain import explain
from tfadrec.explanation.explain_tokens import explain_tokens
from tfadrec.explanation.near_ads import near_ads, plain_id
from tfadrec.explanation.question import Question
from tfadrec.training import Run


def explain_request(
    run: Run, user: str | int, ad: str | int, *, task: str | None = None
) -> dict[str, Any]:
    """Why a run's ranker scores an ad for a user as it does.

    The request is that of `recommend`: as of the end of the log, and in the
    context of the user's newest impression.

    Args:
      run: of `training.load_run`.
      user: the id of a user of its dataset.
      ad: the id of an ad of its catalogue.
      task: what to explain; the ranker's first by default.

    Returns:
      `task`, `user`, `ad`, `title`, `logit` and `unknown` (before any
      calibration), `fields` (feature -> part, the largest first), `events`
      (oldest first: `ad_id`, `title`, `event`, `age_seconds`, `part` and
      `attention`, layer -> weight), `near` (see `near_ads`),
      `completeness_error` and `steps`; and of a ranker whose language model is
      trained with it `tokens` (see `explain_tokens`).

    Raises:
      InputError: where there is no such user, ad or task.
    """
    dataset, ranker = run.dataset, run.ranker
    asked = Question.of_user(ranker, dataset, user, ad)
    found = explain(ranker, asked, dataset.schema, task=task)
    ids, titles = dataset.catalogue.ad_ids, dataset.catalogue.titles
    row = int(np.asarray(asked.inputs["candidate_ads"])[0, 0]) - 1
    kinds = ("unknown", *dataset.schema.event_types)
    types = np.asarray(asked.inputs["history_events"])[0]
    ages = np.asarray(asked.inputs["history_ages"])[0]
    events = []
    for place in np.flatnonzero(found.real[0]):
        shown = int(found.history_rows[0, place])
        events.append(
            {
                "ad_id": plain_id(ids[shown - 1]) if shown else None,
                "title": titles[shown - 1] if shown else "",
                "event": kinds[types[place]],
                "age_seconds": int(ages[place]),
                "part": float(found.events[0, place]),
                "attention": {
                    layer: float(weights[0, place])
                    for layer, weights in found.attention.items()
                },
            }
        )
    answer = {
        "task": found.task,
        "user": plain_id(dataset.schema.user_id(user)),
        "ad": plain_id(ids[row]),
        "title": titles[row],
        "logit": float(found.logits[0]),
        "unknown": float(found.unknown[0]),
        "fields": found.largest(0),
        "events": events,
        "near": near_ads(ranker, asked, dataset.catalogue)[0],
        "completeness_error": float(found.errors[0]),
        "steps": int(found.steps[0]),
    }
    if ranker.ad_tower.text is not None:
        copy = dataset.catalogue
        text = ad_text(titles[row], copy.descriptions[row], copy.tags[row])
        answer["tokens"] = explain_tokens(
            ranker, asked, text, language_model(run), task=found.task
        )
    return answer
