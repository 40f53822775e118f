"""Several copies of one ad for one request, and what tells them apart."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy.tokenizer import ad_text
from tfadrec.explanation.copies import encode, language_model
from tfadrec.explanation.near_ads import near_ads
from tfadrec.explanation.question import Question
from tfadrec.training import Run

#: Words of a copy whose worth is told.
_MOST_WORDS = 24


def rank_creatives(
    run: Run,
    user: str | int,
    ad: str | int,
    copies: Sequence[str],
    *,
    task: str | None = None,
) -> list[dict[str, Any]]:
    """Scores copies of an ad for one request, best first.

    Each copy takes the place of the ad's title; its description, tags, id and
    features stay as they are. What makes the difference is told word by word,
    by the logit without it, and by the ads of the history that a copy reads
    like.

    Args:
      run: of `training.load_run`, whose ranker reads ad copy.
      user: the id of a user of its dataset; the request is that of `recommend`.
      ad: the id of an ad of its catalogue.
      copies: texts.
      task: whose logit; the ranker's first task by default.

    Returns:
      Per copy: `rank` from 1, `copy`, `logit` (before any calibration), `gain`
      over the ad's own title, `words` (pairs of a word and what the logit loses
      without it, the first 24 of a copy) and `near` (see `near_ads`).

    Raises:
      InputError: where there is no copy, user, ad or task, a copy is empty, or
        the ranker reads no ad copy.
    """
    if not copies or isinstance(copies, str):
        raise InputError(
            f"`copies` must be a list of texts. Received: {copies!r}."
        )
    _check_copies(copies)
    model = language_model(run)
    task = task or run.ranker.tasks[0]
    catalogue = run.dataset.catalogue
    asked = Question.of_user(run.ranker, run.dataset, user, ad)
    row = int(np.asarray(asked.inputs["candidate_ads"])[0, 0]) - 1

    def vectors(texts: Sequence[str]) -> NDArray:
        beside = catalogue.descriptions[row], catalogue.tags[row]
        return encode(model, [ad_text(text, *beside) for text in texts])

    def asked_of(texts: Sequence[str]) -> Question:
        many = asked.repeat(len(texts))
        text = tf.constant(vectors(texts))[:, None, :]
        return dataclasses.replace(many, ads={**many.ads, "text": text})

    def logits(question: Question) -> NDArray:
        answers = question.score(run.ranker)
        if task not in answers:
            raise InputError(
                f"copies are ranked by one of {', '.join(answers)}. Received: "
                f"{task!r}."
            )
        return answers[task].numpy().astype(np.float64)

    questions = asked_of(copies)
    scores = logits(questions)
    own = float(logits(asked_of([catalogue.titles[row]]))[0])
    near = near_ads(run.ranker, questions, catalogue)
    found: list[dict[str, Any]] = []
    for place in np.argsort(-scores, kind="stable"):
        words = copies[place].split()[:_MOST_WORDS]
        shorter = [_without(copies[place], n) for n in range(len(words))]
        worth = (scores[place] - logits(asked_of(shorter))).tolist()
        found.append(
            {
                "rank": len(found) + 1,
                "copy": copies[place],
                "logit": float(scores[place]),
                "gain": float(scores[place]) - own,
                "words": [list(p) for p in zip(words, worth, strict=True)],
                "near": near[place],
            }
        )
    return found


def _check_copies(copies: Sequence[str]) -> None:
    """Refuses copies without a word."""
    for place, copy in enumerate(copies, start=1):
        if not copy.split():
            raise InputError(
                "a copy is a text to show in place of a title. Received: "
                f"{copy!r}, number {place} of {len(copies)}. Leave it out."
            )


def _without(text: str, place: int) -> str:
    words = text.split()
    return " ".join(words[:place] + words[place + 1 :])
