"""python -m launch.unsupervised: as `tl-jax unsupervised`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("unsupervised")
