"""From a config to a setup: everything is decided and checked, nothing is trained or written.

In: a `Config` (`config.py`: every choice that can change a number), `Options` (`types.py`: those that cannot), and a
`Planning`: what the kind of transfer decides (its defaults, what it makes of domains, what says nothing to it).
Out: a `Setup`: the problem (matched domains and what training may see of them), and a `Task` a job: method, trials,
parameter shapes, freezing rules, labelled rows.

The one way in is `prepare(how, config, options, domains)` (`prepare.py`). A mistake of the user's ends there, with one
message and before a file is touched.

On the way a `Config` becomes `Job`s (`jobs.py`: a method and its trials, seeds times swept values), domains a
`Problem` (`problem.py`), a job with its problem a `Part`, and a part, once network and shapes are known, a `Task`
(`setup.py`). `networks.py` and `scaling.py` say what `auto` stands for, `weights.py` reads --init_from, `devices.py`
and `fits.py` ask the machine, `effects.py` says what settings come to.

Open first: `config.py` and `types.py`, which hold the words; then `prepare.py`.
"""
