"""python -m launch.rank: as `tl-jax rank`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("rank")
