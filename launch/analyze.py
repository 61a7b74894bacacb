"""python -m launch.analyze: as `tl-jax analyze`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("analyze")
