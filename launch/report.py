"""python -m launch.report: as `tl-jax report`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("report")
