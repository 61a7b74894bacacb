"""What people write becomes objects: names and calls on the command line, files of their own, objects from Python.

In: a text such as "cdan(entropy=True)" or "mine.py:f(x=1)", and a table of functions. Out: a `Call`, which carries its
function and its checked arguments; every mistake is a `UserError` that lists what there is and the nearest match.

`calls.py` is the grammar (one Python call of literals, never run as code), `own_code.py` runs a user's file once from
the very bytes that are digested, `from_python.py` names objects that were handed over.

Open first: `calls.py`.
"""
