"""The classics: adaptation of features without a network, by a linear map or a few of them.

In: features of the source and the target, x_s [n, d] and x_t [m, d], and the source's labels y_s [n].
Out: both in other coordinates, (z_s [n, k], z_t [m, k]), in which a nearest neighbour or a linear model of the source
is the model of the target. Nothing is drawn at random.

The way in is the table `SHALLOW`. In NumPy and double precision: each is one decomposition, or ten, of a matrix that is
no larger than the features or the examples; there is no loop to compile. They stand under every table of vectors beside
the plain nearest neighbour (kinds/transductive/baselines.py).

Open first: `align.py` (second moments and subspaces), then `components.py` (TCA, JDA, BDA), `transport.py`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from tl_jax.shallow.align import coral, geodesic_flow_kernel, subspace_alignment
from tl_jax.shallow.components import bda, jda, tca
from tl_jax.shallow.transport import ot_mapping

Adapt = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
SHALLOW: Mapping[str, Adapt] = {
    "coral": coral,
    "subspace_alignment": subspace_alignment,
    "gfk": geodesic_flow_kernel,
    "tca": tca,
    "jda": jda,
    "bda": bda,
    "ot_mapping": ot_mapping,
}
"""(x_s [n, d], y_s [n] int, x_t [m, d]) -> (z_s [n, k], z_t [m, k])."""
LARGEST = 2000
"""Examples of both domains together, beyond which some are drawn once; of more than WIDE features half of that."""
WIDE = 1000
