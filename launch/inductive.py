"""python -m launch.inductive: as `tl-jax inductive`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("inductive")
