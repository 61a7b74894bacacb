"""Label-free selection: every criterion against its equation, what is refused, and who wins."""

import json
import math

import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

from tl_jax.evaluation.label_free import criteria, weighted
from tl_jax.evaluation.label_free.criteria import CRITERIA, NEED_SOURCE
from tl_jax.evaluation.label_free.mixtures import partners
from tl_jax.evaluation.label_free.record import Labelled, Record, Seen
from tl_jax.evaluation.label_free.selection import refusal, select

C = 4


def record(seed=0, m=24, scale=2.0, target=None):
    rng = np.random.default_rng(seed)
    source = Labelled(rng.normal(size=(30, C)) * scale, rng.integers(0, C, 30), rng.normal(size=(30, 3)))
    logits = rng.normal(size=(m, C)) * scale if target is None else np.asarray(target, float)
    seen = Seen(logits, rng.normal(size=(len(logits), 3)) + 0.5)
    return Record(seen._replace(intra=rng.normal(size=logits.shape), inter=rng.normal(size=logits.shape)), source)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def confident(classes, size=20.0):
    return size * np.eye(C)[list(classes)]


# Criteria ---------------------------------------------------------------------------------------


def test_the_table_holds_every_criterion_under_its_own_name():
    named = [
        "source_val",
        "entropy",
        "im",
        "snd",
        "bnm",
        "mano",
        "dev",
        "iwcv",
        "class_ami",
        "rankme",
        "knn",
        "circular",
        "mixval",
    ]
    assert list(CRITERIA) == named
    assert all(name == criterion.__name__ for name, criterion in CRITERIA.items())


def test_criteria_are_their_equations():
    r = record()
    p = softmax(r.target.logits)
    hits = [np.argmax(z) == y for z, y in zip(r.source.logits, r.source.y, strict=True)]
    mean_entropy = scipy.stats.entropy(p, axis=1).mean()
    assert criteria.source_val(r) == pytest.approx(np.mean(hits))
    assert criteria.entropy(r) == pytest.approx(-mean_entropy)
    assert criteria.im(r) == pytest.approx(scipy.stats.entropy(p.mean(0)) - mean_entropy)


def test_dev_is_its_equation_and_weighs_what_looks_like_the_target():
    """With weights of one it is minus the source's error; a shift gives the mistakes there more weight."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    z = rng.normal(size=(400, 2))
    wrong = z[:, 0] > 1.0  # all its mistakes are on one side
    logits = 5.0 * np.eye(2)[np.where(wrong, 1 - y, y)]
    near = lambda shift: Record(
        Seen(logits, rng.normal(size=(400, 2)) + np.array([shift, 0.0])), Labelled(logits, y, z)
    )
    assert criteria.dev(near(0.0)) == pytest.approx(-wrong.mean(), abs=0.04)
    assert criteria.dev(near(0.0)) > criteria.dev(near(1.0)) + 0.1
    same = near(0.0)._replace(target=Seen(logits, z))
    w = weighted._density_ratio(z, z[rng.permutation(400)])
    loss = w * wrong
    eta = -((loss * w).mean() - loss.mean() * w.mean()) / w.var()
    assert w.mean() == pytest.approx(1.0)
    assert -(loss.mean() + eta * w.mean() - eta) == pytest.approx(criteria.dev(same), abs=0.02)


def snd_by_loops(logits, temperature=0.05):
    p = softmax(logits)
    total = 0.0
    for i in range(len(p)):
        cosine = [p[i] @ p[j] / math.sqrt(p[i] @ p[i] * (p[j] @ p[j])) for j in range(len(p)) if j != i]
        weights = np.exp(np.array(cosine) / temperature)
        total += scipy.stats.entropy(weights / weights.sum())
    return total / len(p)


@pytest.mark.parametrize("cells", [1, 100, 2**22], ids=["row by row", "in parts", "at once"])
def test_snd_is_its_equation_in_any_number_of_parts(cells, monkeypatch):
    monkeypatch.setattr(criteria, "_CELLS", cells)
    r = record()
    assert criteria.snd(r) == pytest.approx(snd_by_loops(r.target.logits), rel=1e-9)
    assert criteria.snd(r, 0.5) == pytest.approx(snd_by_loops(r.target.logits, 0.5), rel=1e-9)


def test_snd_counts_neighbours():
    """Two equal clusters of k: each row has k - 1 neighbours, all equally near."""
    assert criteria.snd(record(target=confident([0, 1] * 6, 50.0))) == pytest.approx(math.log(5), abs=1e-3)
    assert criteria.snd(record(target=np.zeros((8, C)))) == pytest.approx(math.log(7))


@hypothesis.given(
    npst.arrays(np.float64, (6, C), elements=st.floats(-1e4, 1e4)),
    st.permutations(range(6)),
    st.permutations(range(C)),
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_bounds_and_the_order_of_rows_and_classes(target, rows, classes):
    r = record(target=target)
    moved = r._replace(target=Seen(r.target.logits[rows][:, classes]))
    bounds = {
        "source_val": (0, 1),
        "entropy": (-math.log(C), 0),
        "im": (0, math.log(C)),
        "snd": (0, math.log(5)),
    }
    for name, (low, high) in bounds.items():
        score = CRITERIA[name](r)
        assert type(score) is float
        assert low - 1e-9 <= score <= high + 1e-9
        assert CRITERIA[name](moved) == pytest.approx(score, abs=1e-9)


def test_target_criteria_do_not_read_the_source_nor_source_val_the_target():
    r = record()
    only_target = Record(r.target)
    for name in ("entropy", "im", "snd"):
        assert CRITERIA[name](only_target) == CRITERIA[name](r)
    assert criteria.source_val(r._replace(target=Seen(np.zeros((2, C))))) == criteria.source_val(r)


def test_what_the_module_says_of_collapse():
    """Everything in two of four classes: entropy and snd prefer it to a good hesitant model, im does not."""
    good = record(target=confident(range(C), 4.0).repeat(6, 0))
    collapsed = record(target=confident([0, 1], 20.0).repeat(12, 0))
    assert criteria.entropy(collapsed) > criteria.entropy(good)
    assert criteria.snd(collapsed) > criteria.snd(good)
    assert criteria.im(collapsed) < criteria.im(good)


# Refusal ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(score):
    assert str(score) in str(refusal(record(), score))


def test_one_class_is_refused_and_named():
    assert refusal(record(target=confident([2] * 9)), 0.0) == "all 9 target predictions are class 2"
    assert refusal(record(target=confident([2] * 9 + [1])), 0.0) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_diverged_candidate_is_refused_by_every_criterion(criterion, value):
    r = record()
    r.target.logits[3, 1] = value
    reason = refusal(r, CRITERIA[criterion](r))
    assert reason is not None
    if criterion in NEED_SOURCE:
        assert reason == "1 of 24 target rows have logits that are not finite"


# Selection --------------------------------------------------------------------------------------


def score(r):
    return float(r.target.features[0, 0])


def scored(value, logits=None):
    """A record that carries its score where a criterion would read features."""
    r = record(target=logits)
    return r._replace(target=r.target._replace(features=np.full((1, 1), value)))


def test_the_highest_score_wins_and_of_equals_the_latest_step():
    found = select([(0, scored(1)), (10, scored(3)), (20, scored(2))], score)
    assert found == (10, 3.0, {}, "")
    for order in ((20, 0, 10), (0, 10, 20)):
        assert select([(step, scored(3)) for step in order], score).step == 20


def test_the_order_of_records_does_not_matter_and_they_are_read_once():
    candidates = [(step, record(seed=step)) for step in range(6)]
    for criterion in CRITERIA.values():
        assert select(iter(candidates[::-1]), criterion) == select(candidates, criterion)


def test_the_refused_are_listed_and_cannot_win():
    collapsed = scored(99, confident([1] * 5))
    found = select([(0, scored(1)), (10, collapsed), (20, scored(math.nan))], score)
    assert found.step == 0
    assert found.refused == {10: "all 5 target predictions are class 1", 20: "its score is nan"}


def test_if_all_are_refused_the_last_is_returned_without_a_score_and_says_so():
    found = select([(10, scored(math.nan)), (5, scored(math.inf))], score)
    assert (found.step, found.score) == (10, None)
    assert found.note == "all 2 candidates were refused, this is the last one: its score is nan"
    assert json.loads(json.dumps(found._asdict()))["score"] is None


def test_a_collapse_that_entropy_would_crown_is_not_chosen():
    collapsed = record(target=confident([0] * 24))
    sound = record(target=confident(range(C), 2.0).repeat(6, 0))
    assert criteria.entropy(collapsed) > criteria.entropy(sound)
    assert select([(1, sound), (2, collapsed)], criteria.entropy).step == 1


def test_jax_arrays_are_welcome():
    jnp = pytest.importorskip("jax.numpy")
    jax = pytest.importorskip("jax")
    r = jax.tree.map(lambda x: np.asarray(x, np.float32 if x.dtype == np.float64 else np.int32), record())
    on_device = jax.tree.map(jnp.asarray, r)
    for criterion in CRITERIA.values():
        assert select([(1, on_device)], criterion) == select([(1, r)], criterion)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no records"):
        select([], criteria.im)
    with pytest.raises(ValueError, match="no labelled validation examples of a source"):
        criteria.source_val(Record(record().target))
    with pytest.raises(ValueError, match="need a source's labels and features"):
        criteria.dev(record()._replace(target=Seen(record().target.logits)))
    with pytest.raises(ValueError, match="at least 2 target rows, the record has 1"):
        criteria.snd(record(m=1))


# More criteria ----------------------------------------------------------------------------------

LOGITS = record().target.logits


def test_bnm_is_the_sum_of_the_singular_values():
    p = softmax(LOGITS)
    want = np.sqrt(np.maximum(np.linalg.eigvalsh(p.T @ p), 0)).sum() / len(p)
    np.testing.assert_allclose(CRITERIA["bnm"](Record(Seen(LOGITS))), want, rtol=1e-6)


def test_mano_takes_the_softmax_where_logits_are_certain_and_a_series_elsewhere():
    for logits, by_softmax in ((0.1 * LOGITS, False), (100 * LOGITS, True)):
        series = 1 + logits + logits**2 / 2
        s = softmax(logits) if by_softmax else series / series.sum(1, keepdims=True)
        want = np.mean([x**4 for row in s for x in row]) ** 0.25
        np.testing.assert_allclose(CRITERIA["mano"](Record(Seen(logits))), want, rtol=1e-6)


def test_predictions_that_are_the_clusters_agree_with_them():
    y = np.arange(60) % 3
    z = np.eye(5)[y] + 0.05 * np.random.default_rng(0).normal(size=(60, 5))
    of = lambda labels: CRITERIA["class_ami"](Record(Seen(5.0 * np.eye(3)[labels], z)))
    assert of((y + 1) % 3) == pytest.approx(1.0)
    assert of(np.random.default_rng(1).permutation(y)) < 0.1
    with pytest.raises(ValueError, match="needs features"):
        CRITERIA["class_ami"](Record(Seen(np.eye(3))))


def test_neighbours_tell_domains_apart_or_not():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, 4))
    of = lambda z_s, z_t: CRITERIA["knn"](
        Record(Seen(np.zeros((len(z_t), 2)), z_t), Labelled(LOGITS, np.zeros(1), z_s))
    )
    assert of(z, rng.normal(size=(160, 4)) + 50) == -1.0
    assert of(z, rng.normal(size=(160, 4))) == pytest.approx(-0.5, abs=0.12)
    # By hand: the nearest of 0 is 1 (other), of 1 is 0 (other), of 5 is 5.5 (own), of 5.5 is 5 (own).
    assert of(np.array([[0.0], [5.0]]), np.array([[1.0], [5.5]])) == 0.0
    assert of(np.array([[0.0], [1.0]]), np.array([[5.0], [5.5]])) == -1.0


def test_reverse_validation_classifies_the_source_by_the_target_s_predictions():
    y = np.arange(60) % 3
    z = np.eye(5)[y] + 0.05 * np.random.default_rng(0).normal(size=(60, 5))
    source = Labelled(np.eye(3)[y], y, z)
    of = lambda said: CRITERIA["circular"](Record(Seen(5.0 * np.eye(3)[said], z), source))
    assert of(y) == 1.0
    assert of((y + 1) % 3) == 0.0
    assert of(np.where(y == 2, 0, y)) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="needs features"):
        CRITERIA["circular"](Record(Seen(np.eye(3)), source))
    with pytest.raises(ValueError, match="no labelled"):
        CRITERIA["knn"](Record(Seen(np.eye(3), z)))


def test_the_effective_rank_is_that_of_the_singular_values():
    z = np.diag([4.0, 2.0, 1.0, 1.0])
    share = np.array([4, 2, 1, 1]) / 8
    want = np.exp(-(share * np.log(share)).sum())
    assert CRITERIA["rankme"](Record(Seen(np.eye(4), z))) == pytest.approx(want)
    assert CRITERIA["rankme"](Record(Seen(np.eye(4), np.ones((4, 6))))) == pytest.approx(1.0)


def test_iwcv_is_dev_without_its_control_variate():
    draw = np.random.default_rng(0)
    z_s, z_t, y = draw.normal(size=(200, 3)), draw.normal(0.3, 1, size=(150, 3)), np.arange(200) % 2
    logits = np.stack([z_s[:, 0], 2 * y - 1.0], 1)
    record = Record(Seen(draw.normal(size=(150, 2)), z_t), Labelled(logits, y, z_s))
    w = weighted._density_ratio(z_s, z_t)
    wrong = logits.argmax(1) != y
    assert CRITERIA["iwcv"](record) == pytest.approx(-(w * wrong).mean())
    assert -1 < CRITERIA["iwcv"](record) < 0
    assert CRITERIA["dev"](record) != CRITERIA["iwcv"](record)


def test_partners_are_others_of_the_same_class_and_of_another_one():
    y = np.random.default_rng(3).integers(0, 5, 40)
    y[7] = 9  # alone in its class
    found = partners(y)
    rows = np.arange(40)
    np.testing.assert_array_equal(y[found.intra], y)
    np.testing.assert_array_equal(np.sort(found.intra), rows)  # each is once the lesser part
    np.testing.assert_array_equal(rows[found.intra == rows], [7])
    assert (y[found.inter] != y).all()
    # By hand, along the fixed order: the next of another class, around.
    order = np.random.default_rng(0).permutation(40)
    for place, row in enumerate(order):
        others = [j for j in (*order[place + 1 :], *order[:place]) if y[j] != y[row]]
        assert found.inter[row] == others[0]
    one_class = partners(np.zeros(4, int))
    np.testing.assert_array_equal(one_class.inter, range(4))
    assert (one_class.intra != range(4)).all()


def test_mixval_counts_mixtures_that_keep_the_class_of_their_greater_part():
    y, of = [0, 0, 1, 1, 2], np.eye(C)
    intra, inter = [0, 1, 1, 1, 3], [0, 0, 2, 2, 2]  # the last is alone in its class
    r = Record(Seen(of[y], intra=of[intra], inter=of[inter]))
    assert criteria.mixval(r) == pytest.approx((3 / 4 + 3 / 5) / 2)
    assert criteria.mixval(r, inter=1.0) == pytest.approx(3 / 5)
    assert criteria.mixval(r, inter=0.0) == pytest.approx(3 / 4)
    with pytest.raises(ValueError, match="needs predictions of mixed"):
        criteria.mixval(Record(Seen(of)))
