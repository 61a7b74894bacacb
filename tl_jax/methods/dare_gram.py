"""DARE-GRAM: adaptation of a regression by aligning inverse Gram matrices."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.spectra.inverse_gram import inverse_gram_alignment
from tl_jax.methods.contract import Method, Own, Terms


def dare_gram(threshold: float = 0.9, angle: float = 0.05, scale: float = 1e-3) -> Method:
    """L = L_S + lam * (angle * mean_j |1 - cos(G_s^+[:, j], G_t^+[:, j])| + scale * ||l_s - l_t|| / k).

    G: the Gram matrix of a batch's features with a column of ones, G^+ its inverse in the k leading directions, l
    their eigenvalues (losses/spectra/inverse_gram.py). Least squares is G^+ A^T y: where G^+ agrees, so does the head
    that a domain asks for. Made for values; works with classes too. The gradient is the exact derivative of the cut
    inverse; the published code's takes what is cut as zero, and is .3 to .8 as long: angle and scale were tuned for it.
    Nejjar et al. 2023, arXiv 2303.13325.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        found = inverse_gram_alignment(s.features, t.features, at.values["threshold"])
        losses = {"source": supervised(s.logits, batch.y, at), "angle": found.angle, "scale": found.scale}
        return Terms(losses, {"rank": found.rank.astype(s.features.dtype)})

    return Method(
        terms,
        weights=lambda at: {name: at.lam * at.values[name] for name in ("angle", "scale")},
        values={"threshold": threshold, "angle": angle, "scale": scale},
        regression=True,
    )
