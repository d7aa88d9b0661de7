"""The sandbox: it runs a model's program against tests, and the program cannot fake a pass.

`sandbox.py` is what others use; `suite.py` has the words. The modules of `inside` run in processes
of their own and import nothing but the standard library.
"""
