"""python -m launch.export: as `tl-jax export`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("export")
