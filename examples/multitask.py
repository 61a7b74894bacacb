"""Several tasks on the same images, through one trunk: does any of them lose by the others?"""

import tl_jax

result = tl_jax.fit_tasks(
    ["digits:handwritten", "digits:parity", "digits:mass"],
    ["single", "equal", "pcgrad"],
    network="mlp(hidden=(128,), dropout=0.0)",
    steps=150,
    seeds=2,
)
print(result.table)
