"""python -m launch.select: as `tl-jax select`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("select")
