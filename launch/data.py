"""python -m launch.data: as `tl-jax data`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("data")
