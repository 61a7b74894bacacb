"""Pictures of what was swept: what is drawn, on which axes, and what is said where it is not."""

from pathlib import Path

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.sweep.pictures.ablation import ablation, check
from tl_jax.sweep.pictures.diagram import diagram
from tl_jax.sweep.pictures.look import keep, title
from tl_jax.sweep.pictures.scales import geometric, position
from tl_jax.sweep.tables.pivot import Asked, pivot
from tl_jax.sweep.tables.ranks import friedman


def row(method, seed=0, score=0.5, **values):
    found = {"last/target/accuracy": score} if score is not None else {"diverged": "step 3"}
    return {"method": method, "seed": seed, "pair": "a -> b", "digest": "d", "run_dir": "r", **found, **values}


def texts(figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title, axes.xaxis.label)]
    legends = [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    return "; ".join([*found, *legends])


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ([0.1, 0.3, 1], True),
        ([0, 0.1, 0.3, 1], True),
        ([1, 2, 3, 4], False),
        ([0.2, 0.4, 0.6, 0.8], False),
        ([1e-4, 1e-1], True),
        ([1, 2], False),
        ([-1, 0, 1], False),
        ([0.5], False),
        ([16, 32, 64], True),
    ],
)
def test_an_axis_is_logarithmic_where_the_values_are_a_geometric_row(values, answer):
    assert geometric(values) == answer
    places = [position(values, value) for value in values]
    assert places == sorted(places)
    assert len(values) == 1 or (places[0], places[-1]) == (0, 1)


def test_one_number_is_a_line_with_a_band_and_a_level_for_what_has_none(tmp_path):
    rows = [row("mcc", s, 0.6 + s / 10, lam=lam) for lam in (0.1, 0.3, 1.0) for s in (0, 1)]
    rows += [row("dann", s, None if lam == 1 else 0.4, lam=lam) for lam in (0.1, 0.3, 1.0) for s in (0, 1)]
    rows += [row("source_only", s, 0.3) for s in (0, 1)]
    figure, said = ablation(pivot(rows, Asked(columns=("lam",))))
    (axes,) = figure.axes
    line = {one.get_label(): one for one in axes.lines}
    assert axes.get_xscale() == "log"
    np.testing.assert_allclose(line["mcc"].get_ydata(), 0.65)
    assert np.isnan(line["dann"].get_ydata()[2])
    assert "source_only (has no lam)" in texts(figure)
    assert "some trials diverged" in texts(figure)
    assert not said
    files = keep(figure, tmp_path / "one")
    assert [Path(file).read_bytes()[:4] for file in files] == [b"\x89PNG", b"%PDF"]


def test_two_numbers_are_a_map_a_row_and_what_is_not_drawn_is_said():
    rows = [row("mcc", 0, lam * lr, lam=lam, lr=lr) for lam in (0.1, 0.3, 1.0) for lr in (0.1, 1.0) if lam * lr != 1]
    rows += [row("dann", 0, None, lam=0.1, lr=0.1), row("source_only", lr=0.1)]
    figure, said = ablation(pivot(rows, Asked(columns=("lam", "lr"))))
    assert said == "Not drawn, as they have no lam and lr: source_only."
    shown = texts(figure)
    assert all(text in shown for text in ("missing", "diverged", "0.300", "mcc", "dann"))


def test_more_numbers_are_parallel_coordinates():
    rows = [row(m, 0, i / 9, lam=i / 9, lr=10.0**-i, steps=i % 3) for i in range(10) for m in ("mcc", "dann")]
    figure, _ = ablation(pivot(rows, Asked(columns=("lam", "lr", "steps"))))
    assert len([line for line in figure.axes[0].lines if len(np.asarray(line.get_xdata())) == 4]) == 20
    assert "mcc" in texts(figure)


def test_what_cannot_be_drawn_is_refused_by_name():
    rows = [row("mcc", network="cnn", lam=1.0), row("mcc", network="lenet", lam=2.0), row("source_only", network="cnn")]
    with pytest.raises(UserError, match="--plot=network: 'cnn' is no number"):
        check(rows, ["lam", "network"])
    with pytest.raises(UserError, match="--plot=lam: no row has a number of each"):
        ablation(pivot([row("dann", lam=None)], Asked(columns=("lam",))))
    dead = [row("mcc", 0, None, lam=lam, lr=1.0) for lam in (0.1, 1.0)] + [row("dann")]
    with pytest.raises(UserError, match="all trials diverged"):
        ablation(pivot(dead, Asked(columns=("lam", "lr"))))


def test_the_diagram_shows_every_row_and_the_critical_difference():
    scores = np.random.default_rng(0).uniform(size=(3, 4))
    rows = [{**row(f"m{m}", 0, float(s)), "pair": f"p{p}"} for (m, p), s in np.ndenumerate(scores)]
    found = friedman(pivot(rows, Asked()))
    shown = texts(diagram(found))
    assert all(text in shown for text in ("m0 (", "m1 (", "m2 (", f"CD = {found.critical:.2f}", "Friedman's test"))
    assert title("selected/target/knn_accuracy") == "knn accuracy on target (selected)"
