"""python -m launch.multitask: as `tl-jax multitask`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("multitask")
