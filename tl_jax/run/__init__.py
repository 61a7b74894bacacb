"""A config becomes results: plan, train, keep, report.

In: a `Kind` (`kind.py`), which is a value that says what one kind of transfer does differently; a `Config`; `Options`
that change no number; domains by name.
Out: a run directory with results.json, table.md, predictions and pictures; the same as a `Result` (`conclude.py`).

The one way in is `experiment.run(kind, config, options, domains)`. It reads as a page:

    plan/      everything is decided and checked; nothing is trained or written
    store/     the run directory: what it is a run of, what is finished, what is damaged
    execute/   how a job runs on this machine: devices, vmap or one after the other, streaming
    report/    what a person sees: lines while it goes on, tables, pictures
    attempt.py one job: where it is trained, with which trials at once; extend.py what another run has of it
    loop.py    one job: run to the next evaluation, observe, save, and again (work.py: what it goes by)

Open first: `experiment.py`, then `loop.py`. No file here asks for the name of a kind: what differs is handed down in
`Kind`, so a new kind is a folder in tl_jax/kinds and no change here.
"""
