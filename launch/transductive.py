"""python -m launch.transductive: as `tl-jax transductive`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("transductive")
