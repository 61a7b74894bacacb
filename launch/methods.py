"""python -m launch.methods: as `tl-jax methods`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("methods")
