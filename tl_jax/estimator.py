"""Adaptation in scikit-learn's way: `fit(X, y, X_target)`, `predict`, `predict_proba`, `score`."""

import functools
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from tl_jax.api import fit, load
from tl_jax.core.batching import batch_of, sent_in_batches
from tl_jax.data.domain import Domain, Examples
from tl_jax.evaluation.metrics import log_softmax
from tl_jax.methods import ADAPTATION, named_method
from tl_jax.programs.trained.program import program
from tl_jax.training.state import model_of


class Adapted(ClassifierMixin, BaseEstimator):
    """A classifier of a target without labels, trained on a labelled source: one method and one seed of `tl_jax.fit`.

    method, network, steps, lr: as there; batch_size: at most as many as there are examples of either domain. settings:
    any other field of it, such as {"lam": 0.3}.
    random_state: the seed, or what one is drawn from. run_dir: where the run is kept; "" keeps the model alone.
    The model is that of the last step; nothing is held back for validation.

    Attributes after `fit`: classes_ [c]; n_features_in_; form_, shape and type of an example; program_, the trained
    model as a serialised StableHLO program, with which the estimator is pickled and copied; run_dir_.
    """

    def __init__(
        self,
        method: str = "dann",
        network: str = "auto",
        *,
        steps: int = 600,
        batch_size: int = 64,
        lr: float = 3e-3,
        settings: dict[str, Any] | None = None,
        random_state: Any = 0,
        run_dir: str = "",
        verbose: bool = False,
    ):
        self.method = method
        self.network = network
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.settings = settings
        self.random_state = random_state
        self.run_dir = run_dir
        self.verbose = verbose

    def fit(self, X: Any, y: Any, X_target: Any = None) -> "Adapted":
        """Train on X [n, ...] with classes y [n], and on X_target [m, ...] without any; X: vectors [n, d], series
        [n, t, c] or uint8 images [n, h, w, c], as arrays, frames, lists or tensors.

        Raises ValueError for arrays that are none of these and where the method adapts and there is no X_target, and
        UserError with the message of the launch script for settings.
        """
        X, y = validate_data(self, X, y, allow_nd=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y has one class; a classifier needs two.")
        source = self._domain("source", X, numbers)
        self.form_ = (source.train.x.shape[1:], source.train.x.dtype.name)
        if X_target is not None:
            target = self._domain("target", self._checked(X_target))
        elif any(view.domain == "target" for view in named_method(self.method, ADAPTATION)[1].views.values()):
            raise ValueError(f"{self.method} adapts to a target: fit(X, y, X_target=...), or method='source_only'.")
        else:
            target = self._domain("target", X)
        settings = {"eval_every": self.steps, "pictures": False, **(self.settings or {})}
        if (space := settings.get("label_space", "closed")) not in ("closed", "partial"):
            raise ValueError(
                f"label_space={space!r}: what is unknown has no class here. Use tl_jax.fit and tl_jax.load."
            )
        random = self.random_state
        seed = random if isinstance(random, int | np.integer) else check_random_state(random).randint(2**31 - 1)
        batch = min(self.batch_size, len(source.train.x), len(target.train.x))
        how = {"network": self.network, "steps": self.steps, "batch_size": batch, "lr": self.lr}
        run = fit(
            source,
            target,
            self.method,
            seeds=[int(seed)],
            run_dir=self.run_dir,
            quiet=not self.verbose,
            **{**how, **settings},
        )
        model = load(run.run_dir, source=source, target=target)
        self.program_ = bytes(program(model.task, model_of(model.state), model.values).serialize())
        self.run_dir_ = str(run.run_dir)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The softmax of X [n, ...], taken as examples of the target: [n, c], in the order of `classes_`."""
        check_is_fitted(self)
        x = _like(_examples(self._checked(X)), self.form_)
        said = sent_in_batches(_opened(self.program_), x, batch=batch_of(len(x)))
        return np.exp(log_softmax(np.asarray(said)))

    def predict(self, X: Any) -> np.ndarray:
        """The class of every example, as y had it: [n]."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(1)]

    def _checked(self, x: Any) -> np.ndarray:
        found: Any = validate_data(self, x, reset=False, allow_nd=True)
        return found

    def _domain(self, name: str, x: np.ndarray, y: np.ndarray | None = None) -> Domain:
        """All examples thrice: to train on, and where a run would look in between."""
        whole = Examples(_examples(x)) if y is None else Examples(_examples(x), y.astype(np.int32))
        names = tuple(map(str, self.classes_.tolist()))
        classes = None if y is None else names if len(set(names)) == len(names) else tuple(map(str, range(len(names))))
        return Domain(name, classes, whole, whole, whole)  # pyright: ignore[reportArgumentType]


def _examples(x: np.ndarray) -> np.ndarray:
    """uint8 stays what it is (pixels); other numbers are float32."""
    return x if x.dtype == np.uint8 and x.ndim > 2 else np.asarray(x, np.float32)


def _like(x: np.ndarray, form: tuple[tuple[int, ...], str]) -> np.ndarray:
    """x itself. Raises ValueError where its examples are of another shape or type than those of the training."""
    shape, kind = form
    if x.shape[1:] != shape or (x.dtype.name != kind and "uint8" in (x.dtype.name, kind)):
        raise ValueError(
            f"X holds {x.dtype} {list(x.shape[1:])}; the estimator was trained on {kind} {list(shape)}, and a pixel of "
            "other numbers is another colour."
        )
    return x


@functools.lru_cache(maxsize=8)
def _opened(serialised: bytes) -> Any:
    return jax.jit(jax.export.deserialize(bytearray(serialised)).call)
