"""Adapt to an unlabelled target: printed digits have labels, handwritten ones have none."""

import tl_jax

result = tl_jax.fit(
    "digits:printed",
    "digits:handwritten",
    ["source_only", "dann", "mcc", "target_only"],
    network="mlp(hidden=(128,), bottleneck=0)",
    steps=300,
    seeds=2,
)
print(result.table)

# A record a trial, as in results.json: which step was chosen by what, and what it scores there.
for record in result.records:
    scores = {chosen_by: scored["target/accuracy"] for chosen_by, scored in record["selectors"].items()}
    print(record["method"], record["seed"], scores)
