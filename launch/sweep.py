"""python -m launch.sweep: as `tl-jax sweep`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("sweep")
