"""Statistics: exact tables, brute force, and intervals that cover as often as they say."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from evaluation.scores.metrics import confusion, uar
from evaluation.scores.significance import EXACT, holm, mcnemar, uar_difference, uar_interval

N_CLASSES = 4
CLIPS = np.array([5, 8, 12, 15])  # a class, of each speaker


def experiment(seed, n_speakers, *, models=1):
    """Return truth, predictions a model, speakers: some speakers are easier than others."""
    rng = np.random.default_rng(seed)
    ability = 0.4 + 0.8 * rng.normal(size=(n_speakers, 1)) + 0.4 * rng.normal(size=(n_speakers, N_CLASSES))
    truth = np.tile(np.repeat(np.arange(N_CLASSES), CLIPS), n_speakers)
    speakers = np.repeat([f"s{i:02}" for i in range(n_speakers)], CLIPS.sum())
    predicted = []
    for _ in range(models):
        own = ability + 0.4 * rng.normal(size=ability.shape)
        hit = rng.random(len(truth)) < np.repeat(1 / (1 + np.exp(-own)), np.tile(CLIPS, n_speakers))
        predicted.append(np.where(hit, truth, (truth + 1) % N_CLASSES))
    return truth, predicted, speakers


def score(truth, predicted):
    return uar(confusion(truth, predicted, N_CLASSES))


def test_interval_equals_a_bootstrap_written_out():
    """Whole speakers drawn with replacement, their clips pooled, UAR: the slow way gives the same limits."""
    truth, (predicted,), speakers = experiment(0, 12)
    rng = np.random.default_rng(5)
    names, slow = np.unique(speakers), []
    for _ in range(2000):
        chosen = np.concatenate([np.flatnonzero(speakers == s) for s in rng.choice(names, 12)])
        slow.append(score(truth[chosen], predicted[chosen]))
    tail = stats.norm.cdf(np.sqrt(12 / 11) * stats.t.ppf(0.025, 11))  # Hesterberg 2015
    lo, hi, informative = uar_interval(truth, predicted, speakers, N_CLASSES, draws=20_000, seed=1)
    assert informative
    assert (lo, hi) == pytest.approx(np.quantile(slow, [tail, 1 - tail]), abs=0.01)
    assert lo < score(truth, predicted) < hi


@pytest.mark.parametrize("n_speakers", [6, 24])
def test_interval_covers_the_true_value_as_often_as_it_says(n_speakers):
    """Of 300 experiments about 95 % cover; over clips, as if speakers did not matter, few do."""
    truth, (predicted,), _ = experiment(99, 40_000)
    true = score(truth, predicted)
    covered = np.zeros(2)
    for seed in range(300):
        truth, (predicted,), speakers = experiment([n_speakers, seed], n_speakers)
        for i, units in enumerate((speakers, np.full(len(truth), ""))):
            lo, hi, _ = uar_interval(truth, predicted, units, N_CLASSES, draws=500, seed=seed)
            covered[i] += lo <= true <= hi
    assert 0.9 <= covered[0] / 300 <= 0.99
    assert covered[1] / 300 < 0.75


@pytest.mark.parametrize(("n_speakers", "informative"), [(1, False), (5, False), (6, True)])
def test_few_speakers_are_marked(n_speakers, informative):
    truth, (predicted,), speakers = experiment(1, n_speakers)
    lo, hi, marked = uar_interval(truth, predicted, speakers, N_CLASSES, seed=1)
    assert marked is informative
    assert lo < score(truth, predicted) < hi


def test_unknown_speakers_are_drawn_as_clips():
    """The spread then is that of a stratified mean of coin tosses, worked out from the recalls."""
    truth, (predicted,), speakers = experiment(2, 40)
    lo, hi, informative = uar_interval(truth, predicted, np.full(len(truth), ""), N_CLASSES, draws=20_000, seed=1)
    recall = np.array([np.mean(predicted[truth == c] == c) for c in range(N_CLASSES)])
    spread = np.sqrt(np.sum(recall * (1 - recall) / (40 * CLIPS))) / N_CLASSES
    assert not informative
    assert (hi - lo) / 2 == pytest.approx(1.96 * spread, rel=0.05)
    partly = np.where(speakers == "s00", "", speakers)
    assert not uar_interval(truth, predicted, partly, N_CLASSES, seed=1).informative


def test_same_seed_same_figures_whatever_the_order_of_the_clips():
    truth, (a, b), speakers = experiment(3, 20, models=2)
    order = np.random.default_rng(0).permutation(len(truth))
    shuffled = truth[order], a[order], b[order], speakers[order]
    assert uar_difference(truth, a, b, speakers, N_CLASSES, seed=1) == uar_difference(*shuffled, N_CLASSES, seed=1)
    result = [uar_interval(truth, a, speakers, N_CLASSES, draws=200, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert result[0] == result[1] and len(set(result)) > 1


def test_permutation_equals_all_swaps_written_out():
    truth, (a, b), speakers = experiment(4, 8, models=2)
    observed = abs(score(truth, a) - score(truth, b))
    names, extreme = np.unique(speakers), 0
    for code in range(2**8):
        swapped = np.isin(speakers, names[[code >> i & 1 == 1 for i in range(8)]])
        c, d = np.where(swapped, b, a), np.where(swapped, a, b)
        extreme += abs(score(truth, c) - score(truth, d)) >= observed - 1e-12
    assert uar_difference(truth, a, b, speakers, N_CLASSES, seed=1).p == extreme / 2**8


def test_random_swaps_agree_with_the_paired_t_test():
    """With equal clips a speaker UAR is the mean over speakers, so a t-test is a fair reference."""
    truth, (a, b), speakers = experiment(8, EXACT + 10, models=2)
    gains = [
        score(truth[speakers == s], a[speakers == s]) - score(truth[speakers == s], b[speakers == s])
        for s in np.unique(speakers)
    ]
    result = uar_difference(truth, a, b, speakers, N_CLASSES, draws=20_000, seed=1)
    t_test = stats.ttest_1samp(gains, 0)
    assert result.difference == pytest.approx(np.mean(gains))
    assert result.p == pytest.approx(t_test.pvalue, abs=0.03)
    assert (result.lo, result.hi) == pytest.approx(tuple(t_test.confidence_interval()), abs=0.01)


def test_clear_differences_and_none():
    truth, (a,), speakers = experiment(5, 10)
    better = np.where(np.random.default_rng(0).random(len(a)) < 0.7, truth, a)
    result = uar_difference(truth, better, a, speakers, N_CLASSES, seed=1)
    assert result.lo > 0.05 and result.p == 2 / 2**10  # all ten speakers gain: only this and its mirror
    mirror = uar_difference(truth, a, better, speakers, N_CLASSES, seed=1)
    assert (mirror.difference, mirror.p) == (-result.difference, result.p)
    assert uar_difference(truth, a, a, speakers, N_CLASSES, seed=1) == (0, 0, 0, 1)
    over_clips = uar_difference(truth, better, a, np.full(len(a), ""), N_CLASSES, seed=1)
    assert over_clips.p == 1 / 2001


def test_false_alarms_are_as_rare_as_promised():
    p = []
    for seed in range(300):
        truth, (a, b), speakers = experiment([7, seed], 10, models=2)
        p.append(uar_difference(truth, a, b, speakers, N_CLASSES, draws=200, seed=seed).p)
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_five_speakers_cannot_be_significant():
    truth, _, speakers = experiment(6, 5)
    wrong = (truth + 1) % N_CLASSES
    assert uar_difference(truth, truth, wrong, speakers, N_CLASSES, seed=1).p == 2 / 2**5


@pytest.mark.parametrize(("only_a", "only_b"), [(9, 1), (1, 9), (5, 5), (6, 5), (0, 12), (40, 61), (0, 1)])
def test_mcnemar_is_the_binomial_test(only_a, only_b):
    truth = np.zeros(only_a + only_b + 20, int)
    a, b = np.ones_like(truth), np.ones_like(truth)
    a[:only_a] = b[only_a : only_a + only_b] = 0
    a[-10:] = b[-10:] = 0  # right in both: of no influence, as the ten wrong in both
    assert mcnemar(truth, a, b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-12)


def test_mcnemar_by_hand():
    truth, a, b = np.zeros(10, int), np.array([0] * 9 + [1]), np.array([1] * 9 + [0])
    assert mcnemar(truth, a, b) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(truth, a, a) == 1.0


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1, 1])
    np.testing.assert_allclose(holm([0.02]), [0.02])
    assert len(holm([])) == 0


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_holm_is_that_of_statsmodels(n):
    p = np.random.default_rng(n).beta(0.3, 3, n)
    p[: n // 3] = p[0]  # ties
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@pytest.mark.parametrize("table", [[[101, 121], [59, 33]], [[30, 12], [40, 18]], [[5, 0], [3, 2]]])
def test_mcnemar_is_that_of_statsmodels(table):
    (both, only_a), (only_b, neither) = table
    truth = np.zeros(both + only_a + only_b + neither, int)
    a = np.repeat([0, 0, 1, 1], [both, only_a, only_b, neither])
    b = np.repeat([0, 1, 0, 1], [both, only_a, only_b, neither])
    assert mcnemar(truth, a, b) == pytest.approx(reference_mcnemar(table, exact=True).pvalue, rel=1e-9)


@pytest.mark.parametrize("n_speakers", [7, EXACT])
def test_permutation_is_that_of_scipy(n_speakers):
    """With every speaker's clips alike in number, the gain in UAR is the mean of the speakers' gains."""
    truth, (a, b), speakers = experiment(n_speakers, n_speakers, models=2)
    each = [[score(truth[speakers == s], p[speakers == s]) for s in np.unique(speakers)] for p in (a, b)]
    result = stats.permutation_test(
        each, lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    )  # fmt: skip
    ours = uar_difference(truth, a, b, speakers, N_CLASSES, seed=1)
    assert ours.difference == pytest.approx(result.statistic)
    assert ours.p == pytest.approx(result.pvalue, rel=1e-9)
