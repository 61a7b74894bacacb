"""Nothing labelled: learn a representation from both domains, then judge it by protocols that have labels."""

import tl_jax

result = tl_jax.fit(
    "digits:handwritten",
    "digits:photo",
    ["vicreg", "untrained", "pixels"],
    kind="unsupervised",
    network="cnn(widths=(8, 16), dense=64, bottleneck=0, dropout=0.0)",
    align=["none", "coral"],
    steps=60,
    seeds=1,
)
print(result.table)
print(*sorted(path.name for path in result.run_dir.glob("*.safetensors")))  # trunks, for init_from=
