"""What runs in the sandbox's own processes; the standard library is all that it imports.

Four kinds of processes work on a run. The *keeper* (`keeper.py`) is what the caller starts; it
shuts itself into new namespaces (`namespaces.py`). The *warden* (`warden.py`) is the first process
inside: it forks the two others for each run, watches what they use and ends them. The *guest*
(`guest.py`) runs the program. The *judge* (`judge.py`) runs the tests, and calls the program's
functions by messages (`remote.py`, `wire.py`). So the tests, what they expect and the verdict are
never in the guest's memory.
"""
