"""The options of each command: one module a command, light enough for `--help` to load them all."""

from planner.cli.arguments import (
    budget,
    demo,
    evaluate,
    fit,
    fit_prm,
    grade,
    import_runs,
    measure,
    plan,
    profile,
    recommend,
    replay,
    report,
    run,
    serve,
    serve_command,
)

COMMANDS = tuple(
    module.COMMAND
    for module in (
        demo, recommend, profile, fit_prm, measure, import_runs, replay, fit, plan, run, budget,
        evaluate, report, grade, serve, serve_command,
    )
)  # fmt: skip
"""Every command, in the order of `apportion --help`."""
