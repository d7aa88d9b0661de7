"""Conformance suites: tests that every policy, step scorer, grader, strategy and store must pass.

Each module holds one class of pytest tests. To test an implementation of your own, subclass the
class and override its fixtures; the class's docstring has an example. pytest must be installed. Put
`pytest.register_assert_rewrite("executor.testing")` into your `conftest.py`, so that failed
assertions show their values.
"""
