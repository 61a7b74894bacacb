"""Representation subspace distance: adaptation of a regression that leaves the scale of features alone."""

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.spectra.subspaces import subspace_distance
from tl_jax.methods.contract import Method, Own, Terms


def rsd(bases: float = 0.01) -> Method:
    """L = L_S + lam * (sum_i sin theta_i + bases * || |P| - |Q| ||_F),  lam = 1e-3, bases = .01.

    theta: the principal angles between the spans of a batch's source and target features, P and Q how they weigh the
    bases of singular vectors (losses/spectra/subspaces.py, which says where its gradient differs). The lengths of
    features, which a regression lives by, are in none of it. Made for values; works with classes too. A batch has to
    be smaller than the features are many; of several sources the mean over their distances. TLLib has bases = .1.
    Chen et al. 2021 (ICML), "Representation Subspace Distance for Domain Adaptation Regression".
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        found = [subspace_distance(part, t.features) for part in batch.split(s.features)]
        mean = lambda each: jnp.stack(each).mean()
        angles, mismatch = mean([one.sines for one in found]), mean([one.bases for one in found])
        return Terms({"source": supervised(s.logits, batch.y, at), "angles": angles, "bases": mismatch})

    return Method(
        terms,
        weights=lambda at: {"bases": at.lam * at.values["bases"]},
        values={"bases": bases},
        lam=1e-3,
        regression=True,
    )
