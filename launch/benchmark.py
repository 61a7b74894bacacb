"""python -m launch.benchmark: as `tl-jax benchmark`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("benchmark")
