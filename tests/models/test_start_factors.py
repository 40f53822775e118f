import types

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from tfadrec.core.door import tf
from tfadrec.layers import FoldIn
from tfadrec.losses import get
from tfadrec.models import factors
from tfadrec.models.factors import fit_factors
from tfadrec.models.opinions import opinions
from tfadrec.models.start_factors import mix_opinions, start_factors

USERS, ADS, STARS = 120, 40, 5


def ratings():
    """Users, ads and stars, 0 to 4, of two tastes that users and ads share."""
    random = np.random.default_rng(0)
    tastes = random.normal(size=(USERS, 2)), random.normal(size=(ADS, 2))
    users = np.repeat(np.arange(USERS), 25)
    ads = np.concatenate([random.permutation(ADS)[:25] for _ in range(USERS)])
    opinion = np.einsum("nk,nk->n", tastes[0][users], tastes[1][ads])
    opinion += 2 * random.normal(size=USERS)[users]
    opinion += random.normal(size=ADS)[ads]
    noisy = opinion + random.normal(0, 0.3, len(users))
    edges = np.quantile(noisy, [0.05, 0.15, 0.4, 0.75])
    return users, ads, np.searchsorted(edges, noisy), opinion


def test_stars_are_worth_what_they_say_though_only_clicks_are_known():
    users, ads, stars, _ = ratings()
    clicked = np.array([0, 0, 0, 1, 1])
    found = fit_factors(users, ads, stars, clicked, ADS, 2)
    assert (np.diff(found.values) > 0.3).all()
    counts = np.bincount(stars)
    assert found.values @ counts == pytest.approx(0, abs=1e-6)
    assert found.values**2 @ counts == pytest.approx(len(stars))


def test_factors_tell_the_opinions_of_users_who_were_not_there():
    users, ads, stars, opinion = ratings()
    known = users < USERS // 2
    found = fit_factors(
        users[known], ads[known], stars[known], range(5), ADS, 2
    )
    left = []
    for user in range(USERS // 2, USERS):
        rows = np.flatnonzero(users == user)
        x = np.column_stack([np.ones(25), found.factors[ads[rows]]])
        y = found.values[stars[rows]] - found.levels[ads[rows]]
        ridge = np.diag([1e-3, found.penalty, found.penalty])
        own = np.linalg.solve(x[:15].T @ x[:15] + ridge, x[:15].T @ y[:15])
        told = found.levels[ads[rows]] + x @ own
        left.append(np.corrcoef(told[15:], opinion[rows][15:])[0, 1])
    assert np.mean(left) > 0.8


def test_a_penalty_that_is_known_is_not_looked_for(monkeypatch):
    users, ads, stars, _ = ratings()
    given = users, ads, stars, np.arange(5), ADS, 2
    found = fit_factors(*given)
    monkeypatch.setattr(factors, "_error", lambda *_: pytest.fail("tried"))
    again = fit_factors(*given, penalty=found.penalty)
    np.testing.assert_array_equal(again.factors, found.factors)
    firmer = fit_factors(*given, penalty=10 * found.penalty)
    assert np.abs(firmer.factors).sum() < np.abs(found.factors).sum()


def test_factors_come_to_their_end():
    """Those that made the clicks are a turn of what is found."""
    random = np.random.default_rng(0)
    of_users, of_ads = random.normal(size=(2, 300, 4))
    users, ads = random.integers(0, 300, (2, 12_000))
    logits = (of_users[users] * of_ads[ads]).sum(axis=1)
    clicked = random.random(12_000) < 1 / (1 + np.exp(-logits))

    def explained(**given):
        rows = users, ads, clicked.astype(int), np.array([0.0, 1.0])
        found = fit_factors(*rows, 300, 4, penalty=2.5, **given).factors
        _, left, *_ = np.linalg.lstsq(found, of_ads)
        return 1 - left.sum() / (of_ads**2).sum()

    assert explained(to_the_end=True) > 0.7 > 0.6 > explained()


def test_rows_that_cancel_out_have_no_directions():
    """Each user has met one ad of his own, twice, and clicked once."""
    users, clicked = np.divmod(np.arange(200), 2)
    rows = users, users, clicked, np.array([0.0, 1.0])
    found = fit_factors(*rows, 100, 4, to_the_end=True).factors
    assert np.isfinite(found).all()


def test_opinions_that_are_all_the_same_have_no_factors():
    one = np.zeros(9, int)
    assert fit_factors(one, np.arange(9), one, [1.0], 9, 2) is None
    assert fit_factors(one[:0], one[:0], one[:0], [1.0], 9, 2) is None


def test_the_event_of_an_impression_has_its_user_ad_and_time():
    codes = opinions(
        (
            np.array([1, 1, 2, 2]),
            np.array([5, 5, 5, 6]),
            np.array([9, 8, 9, 9]),
        ),
        np.array([1, 1, 0, 0]),
        (
            np.array([1, 2]),
            np.array([5, 5]),
            np.array([3, 1]),
            np.array([9, 9]),
        ),
    )
    assert codes.tolist() == [4, 1, 2, 0]


def ranker(text_rank=0, **parts):
    layer = FoldIn(STARS + 1, rank=2, text_rank=text_rank)
    layer.build()
    return types.SimpleNamespace(
        biased_task="clicked",
        task_losses={"clicked": get("binary")},
        fold_in=layer,
        **parts,
    )


def test_a_ranker_starts_with_levels_factors_and_worth():
    users, ads, stars, _ = ratings()
    factors = tf.Variable(tf.zeros([ADS, 5]))
    # Texts differ along the first of three axes, and less along the last one.
    texts = np.random.default_rng(1).normal(size=[ADS, 3]) * [3.0, 0.0, 1.0]
    units = tf.constant(texts, tf.float32)
    tower = types.SimpleNamespace(
        factors=factors,
        num_rows=ADS,
        text_space=True,
        encode=lambda wanted: {
            "ads": {"text_unit": tf.gather(units, wanted["ads"][0])}
        },
    )
    started = ranker(text_rank=2, ad_tower=tower)
    labels = (stars > 2).astype(float)
    # As if nobody had given one star: it is worth a click, as the others.
    kept = stars > 0
    start_factors(
        started,
        *(part[kept] for part in (users, ads, 0 * users, labels, stars + 2)),
    )
    values = started.fold_in.values.numpy()
    assert values[0] == 0.0
    assert (np.diff(values[2:]) > 0.3).all()
    assert np.isfinite(values[1])
    assert factors.numpy().std(axis=0).min() > 0.05
    first, second = factors.numpy().T[3:]
    assert abs(np.corrcoef(first, texts[:, 0])[0, 1]) > 0.98
    assert abs(np.corrcoef(second, texts[:, 2])[0, 1]) > 0.98
    penalties = started.fold_in.penalties.numpy()
    assert penalties[[0, 1, 4, 5]].tolist() == [10.0] * 4
    assert penalties[2] == penalties[3] != 10.0
    # Of a ranker that goes on they stay.
    started.fold_in.penalties.assign(3 * penalties)
    start_factors(
        started,
        *(part[kept] for part in (users, ads, 0 * users, labels, stars + 2)),
    )
    again = started.fold_in.penalties.numpy()
    assert again[2] == pytest.approx(3 * penalties[2])


def test_a_handful_of_rows_leaves_the_mix_as_it_was():
    """As of a small day: they can be told apart without any error."""
    mixing = ranker(predict=lambda batches: pytest.fail("was asked"))
    before = np.linspace(1.0, 0.3, 8, dtype=np.float32)
    mixing.fold_in.mix.assign(before)
    users = np.arange(1000)
    for labels, of in (
        ([1] * 69 + [0] * 500, users[:569]),
        ([0] * 69 + [1] * 500, users[:569]),
        ([1] * 500 + [0] * 500, users % 19),
    ):
        clicked = np.array(labels, np.float32)
        assert not mix_opinions(
            mixing, list, clicked, None, of, lambda *_: True
        )
    np.testing.assert_array_equal(mixing.fold_in.mix, before)


def mixing_of(own, weights):
    """A ranker, its rows and their labels, of logits that are known."""
    random = np.random.default_rng(3)
    parts = random.normal(size=[20_000, 2])
    told = np.zeros([len(parts), 5])
    told[:, [0, 3]] = random.normal(size=[len(parts), 2])
    logits = parts @ own + told[:, [0, 3]] @ weights - 0.7
    labels = random.random(len(parts)) < 1 / (1 + np.exp(-logits))
    inputs = {
        "history_ads": tf.zeros([len(parts), 1], tf.int32),
        "candidate_ads": tf.range(len(parts)),
        "told": tf.constant(told, tf.float32),
    }
    mixing = ranker(
        predict=lambda batches: {
            "clicked": parts @ mixing.fold_in.mix.numpy()[:2]
        },
        ad_tower=types.SimpleNamespace(
            encode=lambda wanted: dict.fromkeys(wanted)
        ),
        opinions=lambda inputs, *_: inputs["told"][:, None],
    )
    return mixing, inputs, labels.astype(np.float32)


def told_by(mixing, inputs, labels, users, is_better=True):
    return mix_opinions(
        mixing,
        lambda: [(inputs, {})],
        labels,
        None,
        users,
        lambda *_: is_better,
    )


@pytest.mark.parametrize(
    ("own", "weights"),
    [
        ((0.5, 0.5), (0.8, 0.0)),
        ((0.5, 0.5), (0.8, 0.4)),
        ((0.5, 0.5), (0.8, -0.4)),  # the second is left out
        ((0.5, 0.5), (0.0, 0.0)),
        ((0.2, 0.9), (0.0, 0.0)),
        ((0.2, 0.9), (0.8, 0.0)),
        ((-0.3, 0.9), (0.0, 0.0)),  # a network that misleads
    ],
)
def test_all_is_mixed_as_far_as_it_tells(own, weights):
    mixing, inputs, labels = mixing_of(own, weights)
    assert told_by(mixing, inputs, labels, np.arange(len(labels)))
    mix = mixing.fold_in.mix.numpy()
    learned, linear = np.maximum(own, 0)
    first, second = np.maximum(weights, 0)
    np.testing.assert_allclose(
        mix, [learned, linear, first, 0, 0, second, 0, -0.7], atol=0.06
    )
    left_out = np.array([*own, weights[0], 0, 0, weights[1]]) < 0
    assert (mix[:6][left_out] < 0.002).all()


@pytest.mark.parametrize(
    ("weight", "is_better"),
    [(0.8, False), (-0.8, True), (0.0, True)],
)
def test_what_ranks_no_better_is_scaled(weight, is_better):
    mixing, inputs, labels = mixing_of((0.5, 0.5), (weight, 0.0))
    users = np.arange(len(labels))
    assert told_by(mixing, inputs, labels, users, is_better)
    scale, linear, *others, level = mixing.fold_in.mix.numpy()
    assert scale == linear
    assert others == [0, 0, 0, 0, 0]
    # The best of one column, which lacks what else the labels come from.
    logits = mixing.predict(0)["clicked"] / scale
    fitted = scipy.optimize.minimize(
        lambda w: (
            -scipy.special.log_expit(
                np.where(labels, 1, -1) * (w[0] * logits + w[1])
            ).sum()
        ),
        [1.0, 0.0],
    ).x
    np.testing.assert_allclose([scale, level], fitted, atol=0.01)


@pytest.mark.parametrize(
    ("known", "rows", "expected"),
    [
        ([0.5, 0.5, 0.8, 0, 0, 0.4, 0, -0.7], 20_000, None),
        ([0.5, 0.5, 0.8, 0, 0, 0.4, 0, 0.3], 20_000, "level"),
        ([0.5, 0.5, 0.6, 0, 0, 0.5, 0, -0.7], 300, None),
        ([0.5, 0.5, 0.1, 0, 0, 0.9, 0, -0.7], 20_000, "all"),
    ],
)
def test_a_mix_stays_where_a_day_tells_no_better_one(known, rows, expected):
    """The first is the true one, and few rows tell little."""
    mixing, inputs, labels = mixing_of((0.5, 0.5), (0.8, 0.4))
    some = {name: tensor[:rows] for name, tensor in inputs.items()}
    predict = mixing.predict
    mixing.predict = lambda batches: {"clicked": predict(0)["clicked"][:rows]}
    mixing.fold_in.mix.assign(known)
    told_by(mixing, some, labels[:rows], np.arange(rows))
    mix = mixing.fold_in.mix.numpy()
    true = [0.5, 0.5, 0.8, 0, 0, 0.4, 0, -0.7]
    if expected is None:
        np.testing.assert_array_equal(mix, np.array(known, np.float32))
    else:
        np.testing.assert_allclose(mix, true, atol=0.06)
    if expected == "level":
        np.testing.assert_allclose(mix[:-1], known[:-1], atol=0.03)


def test_few_users_take_a_part_of_the_way():
    """Each is there five times, so all folds find what all rows tell."""
    mixing, inputs, labels = mixing_of((0.5, 0.5), (0.3, 0.0))
    rows = np.tile(np.arange(600), 5)
    of = 5 * (rows % 60) + np.repeat(np.arange(5), 600)
    labels, predict = labels[rows], mixing.predict
    mixing.predict = lambda batches: {"clicked": predict(0)["clicked"][rows]}
    some = {name: tf.gather(tensor, rows) for name, tensor in inputs.items()}
    before = np.array([0.5, 0.5, 0.15, 0, 0, 0, 0, -0.7])
    mixing.fold_in.mix.assign(before)
    columns = []
    for place in range(2):
        mixing.fold_in.mix.assign(np.eye(8)[place])
        columns.append(predict(0)["clicked"][rows])
    mixing.fold_in.mix.assign(before)
    columns = np.column_stack([*columns, some["told"], np.ones(len(rows))])

    def likely(logits):
        return scipy.special.log_expit(np.where(labels, logits, -logits))

    def best(columns):
        start = np.zeros(columns.shape[1])
        return scipy.optimize.minimize(
            lambda w: -likely(columns @ w).sum(), start
        ).x

    is_told = columns.std(axis=0) > 0
    is_told[-1] = True
    found = np.zeros(8)
    found[is_told] = best(columns[:, is_told])
    assert (found[:-1] >= 0).all()
    alone = np.column_stack([columns @ before, np.ones(len(rows))])
    gains = likely(columns @ found) - likely(alone @ best(alone))
    gains = np.bincount(of, gains)
    z = gains.sum() / np.sqrt(gains @ gains)
    assert 1.2 < z < 4
    scale, level = best(alone)
    even = scale * before + level * np.eye(8)[-1]
    first = np.bincount(of, likely(columns @ even) - likely(alone[:, 0]))
    first = max(0, 1 - (first @ first) / first.sum() ** 2)
    assert told_by(mixing, some, labels, of)
    even = before + first * (even - before)
    expected = even + (1 - 1 / z**2) * (found - even)
    np.testing.assert_allclose(mixing.fold_in.mix, expected, atol=0.005)


def test_what_tells_other_users_nothing_is_no_mix():
    """Of every fifth of the users another part tells the labels, and alone.

    So a mix that was found on four fifths knows nothing of the rest, whom it
    suits well if their own rows are asked.
    """
    mixing, inputs, labels = mixing_of((0.5, 0.5), (0.8, 0.4))
    predict, labels = mixing.predict, labels[:2000]
    mixing.predict = lambda batches: {"clicked": predict(0)["clicked"][:2000]}
    some = {name: tensor[:2000] for name, tensor in inputs.items()}
    shuffled = np.random.default_rng(0).permutation(2000)
    users = shuffled % 30
    told = np.zeros([2000, 5])
    told[np.arange(2000), users % 5] = labels - 0.3
    some["told"] = tf.constant(told, tf.float32)
    told_by(mixing, some, labels, users)
    assert not mixing.fold_in.mix.numpy()[2:-1].any()
    told_by(mixing, some, labels, np.arange(2000))
    assert mixing.fold_in.mix.numpy()[2:-1].any()
