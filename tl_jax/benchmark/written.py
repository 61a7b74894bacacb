"""The table in every form, into its directory."""

from tl_jax.benchmark import table
from tl_jax.benchmark.figure import figure
from tl_jax.benchmark.read import Found
from tl_jax.benchmark.rows import Asked, Place
from tl_jax.core.files import write_atomically
from tl_jax.run.report.plots import save
from tl_jax.sweep.tables.files import keep_rows

PICTURE = "benchmark.png"


def written(found: Found, asked: Asked, place: Place) -> str:
    """Write table.md, table.tex, table.csv, trials.csv and the picture; returns the table for a terminal."""
    root = place.root
    texts = {
        "table.md": table.as_markdown(found, asked, place),
        "table.tex": table.as_latex(found, asked, place),
        "table.csv": table.as_csv(found),
    }
    for name, text in texts.items():
        write_atomically(root / name, text.encode())
    save(figure(found, f"{' + '.join(asked.base.source)} -> {asked.base.target}"), root / PICTURE)
    said = [*keep_rows(root, found.trials), *(str(root / name) for name in (*texts, PICTURE))]
    return f"{table.as_text(found, asked, place)}\n{', '.join(said)}"
