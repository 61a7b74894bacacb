"""What every method promises. A new method needs one line in the table of names, and nothing here.

All of them: XLA_FLAGS= pytest -m 'slow or not slow' tests/contract
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import network, problem, with_noisy_target_labels
from quick import QUICK

from tl_jax.core.inputs import accepting_bytes
from tl_jax.core.trees import size_of
from tl_jax.core.types import At, Batch, Labeled, Labelling, Model, Network, Output, Unlabeled
from tl_jax.methods import METHODS
from tl_jax.methods.source_only import source_only
from tl_jax.training.create import create
from tl_jax.training.forward import PLANS, Entry, Forward, Weights
from tl_jax.training.freezing import resolve
from tl_jax.training.objective import Surroundings, objective, split_params
from tl_jax.training.optimizer import adamw
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, State, with_optimizer
from tl_jax.training.step import make_run, make_step

FROZEN = (("backbone/*", "frozen"),)
NEVER_CONFIDENT = {"threshold": 0.0, "margin": 10.0, "redundancy": 2.0}
"""A network that has hardly learned passes no threshold, and a term behind one would not be tested."""


class Run(NamedTuple):
    """One method's trials under two seeds and two trade-offs, backbone frozen, in 64 bits, as NumPy arrays.

    begin, early, late: states before step 0, before step 3 and after it; again: late, from a problem whose
    target labels are noise; logged: what the step logged, in the loop over trials; alone(): (state, logged) of step 3
    of each trial alone; programs, traces: how many, and how often the network was traced, by call; later: see LATER.
    """

    method: Any
    factors: dict[str, float]
    begin: State
    early: State
    late: State
    again: State
    logged: dict[str, Any]
    alone: Callable[[], list[tuple[State, dict[str, Any]]]]
    programs: int
    traces: list[int]
    later: tuple[str, ...]


@pytest.fixture
def unlike(request):
    """For tests of seconds a method: of those that ask what another one asks as well, that other is enough."""
    if request.node.callspec.params["run"] in REPEATING:
        pytest.skip("asks of a run what another method asks as well")


def made(name):
    """The method, small; its views, where there is a choice, are shifts: quick to compile, exact in any precision."""
    least, taken = {"view": "weak", "views": 2, "size": 8}, inspect.signature(METHODS[name]).parameters
    return METHODS[name](**{argument: value for argument, value in least.items() if argument in taken})


def starts(method, seeds, lam, lr):
    """Two trials; a method without a trade-off is given none."""
    values = {"weight_decay": 0.1, **method.values, **{k: v for k, v in NEVER_CONFIDENT.items() if k in method.values}}
    stacked = {name: jnp.full(2, value, float) for name, value in values.items()}
    swept = {"lr": jnp.array(lr)} | ({} if method.lam is None else {"lam": jnp.array(lam)})
    return Start(jnp.array(seeds, jnp.uint32), swept | stacked)


def reads_a_target(method):
    """Whether training needs anything of a target; where not, none is there."""
    views = (view.domain for view in method.views.values())
    return "target" in views or method.refresh is not None or method.labels != "source"


def arrays(given, method):
    data = jax.tree.map(jnp.asarray, given.training(method))
    return data if reads_a_target(method) else data._replace(target=None)


def one(tree, i):
    """Trial i of stacked trials."""
    return jax.tree.map(lambda x: x[i], tree)


def watched(net, calls):
    """The network; every tracing of it is noted in `calls`."""

    def apply(*args, **how):
        calls.append(1)
        return net.apply(*args, **how)

    return net._replace(apply=apply)


REPEATING = (
    *("dan", "deep_coral", "ddc", "cmd", "homm", "jan", "dsan", "afn", "bnm", "bsp", "mdd", "entropy_minimisation"),
    *("pseudo_label", "adamatch", "deep_jdot", "iwan", "pada", "flexmatch", "nrc", "dare_gram", "rsd"),
    *("ovanet", "uan", "dance", "mlls", "ulsif", "mfsan", "etn", "ba3us", "gvb", "symnets", "star", "rtn", "dd"),
    *("aad", "cbst", "mme", "swd", "daan", "vrex", "irm", "spectral_decoupling", "eqrm", "source_coral", "source_mmd"),
    *("source_dann", "source_cdann", "rsc", "selfreg", "fish"),
    *("dirt_t", "can", "cst", "spa", "cdac", "noisy_student", "cowa", "and_mask", "mixup", "swad", "memo", "note"),
    *("group_dro", "mixstyle", "l2_sp", "co_tuning", "wise_ft", "eata", "mdan", "bbse", "osbp", "jumbot"),
    *("lwf", "bss", "stoch_norm", "simsiam", "moco", "barlow_twins", "vicreg", "dino", "rotation", "ros"),
)
"""Methods that ask of a run what another one asks as well: their programs are compiled with the slow tests."""

LATER = {"ros": ("method/relative",)}
"""{method: parameters} of the second part of a run, which four steps do not reach: tests/methods has the gradients."""


def rows():
    """A parameter for each method; of a new one all tests run."""
    # joint reads a target that is labelled, which the problem here is not: see tests/methods/test_joint.py. What trains
    # nothing has no step to promise anything of: see tests/methods/test_streamed_methods.py.
    for name in METHODS:
        if name != "joint" and METHODS[name]().trained:
            yield pytest.param(name, marks=[pytest.mark.slow] if name in REPEATING else [])


@pytest.fixture(scope="module", params=rows())
def run(request):
    """The module's one training run of each method, and everything that is to be compared with it."""
    method, calls, traces, later = made(request.param), [], [], LATER.get(request.param, ())
    net = watched(accepting_bytes(network()), calls)
    sizes = {"batch_size": 4, "target_batch_size": 5}  # which no method may take for equal
    recipe = Recipe(net, method, "separate", total=20, **sizes, lam_schedule=method.lam_schedule, clip_norm=0.5)
    with jax.enable_x64(True):
        data = arrays(problem(), method)
        start = starts(method, (0, 1), (1.0, 0.3), (1e-2, 3e-3))
        shapes = jax.eval_shape(lambda s: create(recipe, data, s), one(start, 0))
        factors = resolve((*FROZEN, *method.freeze), shapes.params)

        @functools.partial(jax.jit, compiler_options=QUICK)
        def begin(start, data):
            fresh = lambda s: with_optimizer(create(recipe, data, s), method, adamw(), factors)
            return jax.vmap(fresh)(start)

        program = jax.jit(jax.vmap(make_run(make_step(recipe, factors)), (0, None, None)), compiler_options=QUICK)

        def go(state, until, data):
            before = len(calls)
            out = program(state, jnp.int32(until), data)
            traces.append(len(calls) - before)
            return out

        first = begin(start, data)
        early, _ = go(first, 3, data)
        late, progress = go(early, 4, data)
        noisy = arrays(with_noisy_target_labels(problem()), method)
        again, _ = go(begin(start, noisy), 4, noisy)
        go(begin(starts(method, (7, 8), (0.0, 2.0), (0.1, 0.0)), data), 2, data)
        step = jax.jit(make_step(recipe, factors), compiler_options=QUICK)

        def alone():
            with jax.enable_x64(True):
                return [jax.device_get(step(one(early, i), data)) for i in range(2)]

        states, logged = jax.device_get(((first, early, late, again), progress.means))
        return Run(method, factors, *states, logged, alone, program._cache_size(), traces, later)


# What a step may move ---------------------------------------------------------------------------


def test_frozen_parameters_are_equal_to_the_bit_and_all_others_move(run):
    for path, factor in run.factors.items():
        before, after = run.begin.params[path], run.late.params[path]
        if factor:
            assert path.startswith(run.later) or (before != after).any(axis=tuple(range(1, before.ndim))).all(), path
        else:
            np.testing.assert_array_equal(before, after, err_msg=path)


def test_statistics_of_frozen_modules_are_equal_to_the_bit_and_all_others_move(run):
    before, after = (state.stats["all"] for state in (run.begin, run.late))
    jax.tree.map(np.testing.assert_array_equal, before["backbone"], after["backbone"])
    moved = jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).any(), before["bottleneck"], after["bottleneck"]))
    passes = any(view.train and view.weights is None for view in run.method.views.values())
    assert set(moved) == {passes and run.factors["bottleneck/norm1/scale"] > 0}


def test_only_trained_parameters_have_optimiser_state(run):
    trained = {path: run.late.params[path] for path, factor in run.factors.items() if factor}
    counts = sum(state.count.nbytes for state in run.late.opt.values())
    assert size_of(run.late.opt)[1] == 2 * size_of(trained)[1] + counts


def test_what_is_compiled_with_the_slow_tests_are_methods():
    assert set(REPEATING) <= set(METHODS)


def test_the_target_has_no_labels_to_replace(run):
    assert Unlabeled._fields == ("x", "index")
    assert Data.__annotations__["target"] == jax.Array | None
    if run.method.labels == "target":  # the supervised bound, by name
        assert run.late.params["head/kernel"].tolist() != run.again.params["head/kernel"].tolist()
    else:
        jax.tree.map(np.testing.assert_array_equal, run.late, run.again)


@pytest.mark.parametrize("plan", [plan for plan in PLANS if plan not in ("frozen", "per_domain")])
def test_under_every_plan_with_shared_statistics_some_pass_of_every_method_updates_them(plan):
    def apply(params, stats, x, **how):
        return Output(x, x), {"passes": stats["passes"] + 1}

    forward = Forward(Network(lambda key, x: ({}, {}), apply), plan)
    weights = Weights({}, {"all": {"passes": 0}}, jax.random.key(0))
    made = [(name, make()) for name, make in METHODS.items() if make().trained]
    made += [(f"{name}: source model", method.start) for name, method in made if method.start is not None]
    for name, method in made:
        domains = [
            (view, of.domain.replace("source", "source0")) for view, of in method.views.items() if not of.weights
        ]
        _, stats = forward(weights, [Entry(view, domain, jnp.zeros((2, 1))) for view, domain in domains])
        assert stats["all"]["passes"] > 0, name


# One step, several ways -------------------------------------------------------------------------


@pytest.mark.slow  # seconds of compiling a method, for what vmap and the loop promise of every one
@pytest.mark.usefixtures("unlike")
def test_a_step_over_trials_in_the_loop_is_the_step_of_each_alone(run):
    # Random bits are the same; images are float32 in either mode, and differ in their last digit.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-8)
    for i, (after, logged) in enumerate(run.alone()):
        jax.tree.map(close, one(run.late, i), after)
        jax.tree.map(close, one(run.logged, i), logged)


def test_no_length_seed_or_value_compiles_again(run):
    assert run.programs == 1
    assert run.traces[0] > 0
    assert run.traces[1:] == [0] * (len(run.traces) - 1)


# The terms --------------------------------------------------------------------------------------


class Point(NamedTuple):
    """Where the objective is looked at: parameters, surroundings, and (losses and metrics, gradient) by phase."""

    params: dict[str, jax.Array]
    around: Surroundings
    look: Any


def gradients(method):
    """look(params, around) -> per phase (everything logged, gradient in all parameters)."""
    net = Forward(accepting_bytes(network()), "joint")
    of = [jax.value_and_grad(objective(method, net, phase.terms), has_aux=True) for phase in method.steps()]

    def look(params, around):
        found = [f(params, around) for f in of]
        return [(aside.logged, gradient) for (_, aside), gradient in found]

    return jax.jit(look, compiler_options=QUICK)


@pytest.fixture(scope="module")
def point(run):
    """The trained state of the first trial in float32, and one batch."""
    state = jax.tree.map(jnp.asarray, one(run.late, 0))
    images = lambda i: jnp.asarray(problem().sources[i].train.x[:6])
    rows = jnp.arange(6)
    # As many sources as the method is trained on, of six examples together.
    parts = np.array_split(np.arange(6), max(1, len(problem().training(run.method).sources)))
    sources = tuple(Labeled(images(i)[part], rows[part] % 3, rows[part]) for i, part in enumerate(parts))
    batch = Batch(sources, Unlabeled(images(1), rows) if reads_a_target(run.method) else None)
    at = At(state.step, jnp.float32(0.4), jnp.float32(0.8), state.values, jax.random.key(3))
    at = at._replace(labelling=Labelling(jnp.float32(0)))  # pyright: ignore
    around = Surroundings({}, state.stats, state.memory, batch, at)
    return Point(state.params, around, gradients(run.method))


def at_lam(around, lam):
    """There, with another trade-off; a penalty apart from it (bsp's) is left out."""
    values = {name: 0 * value if name == "penalty" else value for name, value in around.at.values.items()}
    return around._replace(at=around.at._replace(lam=jnp.float32(lam), values=values))


def assert_finite(found):
    for logged, gradient in found:
        for name, value in logged.items():
            assert value.shape == (), name
            assert np.isfinite(value), name
        for path, value in gradient.items():
            assert np.isfinite(value).all(), path


def test_every_trained_parameter_has_a_gradient(run, point):
    found = point.look(point.params, point.around)
    assert_finite(found)
    for path, factor in resolve(run.method.freeze, point.params).items():
        if factor and not path.startswith(run.later):
            assert max(np.abs(gradient[path]).max() for _, gradient in found) > 1e-6, path


def test_weights_and_source_name_terms_that_exist(run, point):
    terms = set().union(*(logged for logged, _ in point.look(point.params, point.around)))
    assert set(run.method.weights(point.around.at)) <= terms
    assert "total" in terms


def test_smoothed_labels_reach_the_loss_of_every_method_that_learns_from_labels(run, point):
    if run.method.labels == "none" or run.method.start is not None:
        return
    at = point.around.at._replace(labelling=Labelling(jnp.float32(0.5)))  # pyright: ignore
    sharp, smooth = point.look(point.params, point.around), point.look(point.params, point.around._replace(at=at))
    assert any(not np.isclose(a[0]["total"], b[0]["total"]) for a, b in zip(sharp, smooth, strict=True))


def test_without_a_trade_off_the_network_has_the_gradient_of_source_only(run, point):
    trained = [view.domain for view in run.method.views.values() if view.weights is None]
    if run.method.phases or trained.count("source") != 1 or run.method.adapt is not None or "source" not in run.logged:
        # An alternating method has no single gradient (its phases also train a second head on the source), a
        # source-free one no source term, one that sees the source in two views another, as has one that changes the
        # network, and one that holds a domain out the loss of the rest alone.
        pytest.skip("no source term of its own")
    views = {name: view for name, view in run.method.views.items() if view.weights is None}
    ((_, want),) = source_only_gradients(tuple(views.items()))(network_part(point.params), at_lam(point.around, 0))
    ((_, without),) = point.look(point.params, at_lam(point.around, 0))
    ((_, with_it),) = point.look(point.params, at_lam(point.around, 1))
    for path in want:
        np.testing.assert_allclose(without[path], want[path], rtol=1e-5, atol=1e-7, err_msg=path)
    # What is adversarial or a distance must reach the network where there is a trade-off.
    change = max(np.abs(without[path] - with_it[path]).max() for path in want)
    assert (change > 1e-5) == (run.method.lam is not None)


@functools.cache
def source_only_gradients(views):
    return gradients(source_only()._replace(views=dict(views)))


def network_part(params):
    return {path: x for path, x in params.items() if not path.startswith("method/")}


def test_equal_domains_and_saturated_logits_are_finite(point):
    batch = point.around.batch
    same = Unlabeled(jnp.concatenate([source.x for source in batch.sources]), jnp.arange(6))
    equal = point.around._replace(batch=batch._replace(target=batch.target and same))
    assert_finite(point.look(point.params, equal))
    huge = {path: x * 1e4 if "head/" in path else x for path, x in point.params.items()}
    for around in (point.around, equal):
        found = point.look(huge, around)
        assert_finite(found)
        assert all(logged.get("source", 1e4) > 100 for logged, _ in found)


@pytest.mark.slow  # compiles six forward plans of every method; that each passes through every plan is seen above
@pytest.mark.usefixtures("unlike")
def test_terms_are_finite_under_every_forward_plan(run, point):
    # What a view adds to an image is no concern of the plan.
    views = {name: view._replace(augment="none") for name, view in run.method.views.items()}
    method, net = run.method._replace(views=views), accepting_bytes(network())
    data, start = arrays(problem(), method), one(starts(method, (0, 0), (1.0, 1.0), (0.0, 0.0)), 0)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def logged(data, start, around):
        state, found = create(Recipe(net, method, "per_domain"), data, start), {}
        for plan in PLANS:
            stats = state.stats if plan == "per_domain" else {"all": state.stats["target"]}
            here = around._replace(stats=stats, memory=state.memory)
            totals = [objective(method, Forward(net, plan), phase.terms) for phase in method.steps()]
            found[plan] = [total(state.params, here)[1].logged for total in totals]
        return found

    for plan, phases in logged(data, start, point.around).items():
        for terms in phases:
            assert all(np.isfinite(value) for value in terms.values()), (plan, terms)


def test_every_target_is_predicted_and_a_refresh_keeps_the_shape_of_the_memory(run, point):
    net, x = accepting_bytes(network()), jnp.asarray(problem().target.train.x)
    params, own = split_params(point.params)
    model = Model(params, point.around.stats["all"], point.around.memory, own)
    plain = lambda network, model, x, domain: network.apply(model.params, model.stats, x)[0]
    out = jax.jit(lambda model: (run.method.predict or plain)(net, model, x, "target"), compiler_options=QUICK)(model)
    assert (out.features.shape, out.logits.shape) == ((10, 8), (10, 3))
    assert np.isfinite(out.logits).all()
    if run.method.refresh:
        # Another shape or type would compile the run again.
        shapes = jax.eval_shape(lambda model: run.method.refresh(net, model, x, point.around.at), model)
        assert shapes == jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), model.memory)
