"""`apportion profile`: pass@1 and difficulty of problems for one policy."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from executor.thinking.budget import Thinking
from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.cli.tables import beyond_context, only_thoughts
from planner.report import scorer_wording
from planner.usecases.profile import Profile, profile
from planner.usecases.thinking_grid import ThinkingGrid, profile_budgets
from profiling.pass_rate import Difficulty

_NAMED = 10  # unresolved problems named on the screen; --json has all
_SHOWN = 12  # problems shown at each end of the table


def run(arguments: Namespace, output: Output) -> None:
    """Profile, and print the result."""
    budgets: tuple[Thinking, ...] = arguments.thinking or ()
    arguments.thinking = budgets[0] if budgets else None
    if len(budgets) > 1:
        grid = profile_budgets(
            common.problem_files(arguments),
            budgets,
            policy=arguments.policy,
            prm=arguments.prm,
            max_samples=arguments.max_samples,
            confidence=arguments.confidence,
            store=arguments.store,
            settings=common.settings(arguments),
            reporter=output,
        )
        output.result(grid.to_dict(), lambda console: show_grid(console, grid))
        return
    found = profile(
        common.problem_files(arguments),
        policy=arguments.policy,
        prm=arguments.prm,
        max_samples=arguments.max_samples,
        confidence=arguments.confidence,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: Profile) -> None:
    """Print the mix of difficulties, the least and the most certain problems, and the PRM."""
    _show_difficulties(console, found)
    _show_problems(console, found)
    console.print(unresolved(found), highlight=False)
    covered = ", ".join(f"pass@{k} {value:.3f}" for k, value in found.pass_at_k.items())
    if covered:
        console.print(f"{covered} (means over {len(found.problems)} problems)")
    if hidden := sum(not one.held_out for one in found.problems):
        console.print(f"{hidden} problems are left out below: the PRM was trained on them")
    if found.rewards is not None:
        console.print(f"{found.prm} on these samples:", highlight=False)
        for sentence in scorer_wording.rewards(found.rewards.to_dict(), found.prm):
            console.print(f"  {sentence}", highlight=False)
    if beyond := found.context_exceeded:
        named = ", ".join(beyond[:_NAMED]) + (", ..." if len(beyond) > _NAMED else "")
        said = f"{beyond_context(len(beyond))}, and no row above counts them ({named})"
        console.print(said, highlight=False, markup=False)
    ledger = found.ledger
    console.print(
        f"tokens: {count(ledger.generated)} generated, {count(ledger.prompt)} prompt "
        f"(+ {count(ledger.cached)} cached), {count(ledger.prm)} PRM"
    )
    if ledger.executions:
        console.print(
            f"executions: {count(ledger.executions)} different programs on public tests and inputs "
            f"(isolation: {' and '.join(found.isolation) or 'not known'})",
            highlight=False,
        )
    if said := only_thoughts(found.only_thoughts, ledger.thought):
        console.print(said, highlight=False, markup=False)
    if found.spending is not None:
        console.print(str(found.spending), highlight=False)


def show_grid(console: Console, grid: ThinkingGrid) -> None:
    """Print the difficulties and thoughts of every budget, and the grid of samples and thoughts."""
    for found in grid.profiles:
        console.print(f"--thinking {found.thinking}", highlight=False)
        _show_difficulties(console, found)
        if said := only_thoughts(found.only_thoughts, found.ledger.thought):
            console.print(said, highlight=False, markup=False)
    if not grid.points:
        console.print("no grid: pools differ in size, since sampling stopped early")
        return
    rows = [
        [
            str(point.thinking),
            str(point.n),
            f"{point.accuracy:.3f}"
            + (f" ±{point.standard_error:.3f}" if point.standard_error > 0 else ""),
            count(point.generated_tokens),
            "yes" if point.on_front else "",
        ]
        for point in grid.points
    ]
    problems = grid.points[0].problems
    title = f"majority of N samples, thoughts of at most B tokens: {problems} problems"
    columns = ["B", "N", "accuracy ± standard error", "tokens a problem", "Pareto front"]
    console.print(table(title, columns, rows))
    console.print(
        "Pareto front: no other row is at least as accurate at no more tokens, on these problems"
    )


def _show_difficulties(console: Console, found: Profile) -> None:
    rows = []
    for level in Difficulty:
        members = [one for one in found.problems if one.pass_rate.difficulty is level]
        right = sum(one.pass_rate.successes for one in members)
        trials = sum(one.pass_rate.trials for one in members)
        unsure = sum(not one.resolved for one in members)
        mean = f"{right / trials:.3f}" if trials else "-"
        rows.append([level.value, str(len(members)), mean, str(unsure)])
    title = f"{len(found.problems)} problems by difficulty"
    console.print(table(title, ["difficulty", "problems", "mean pass@1", "unresolved"], rows))


def _show_problems(console: Console, found: Profile) -> None:
    rows = [
        [
            one.outcome.problem.id,
            share(one.pass_rate.pass_at_1, one.pass_rate.interval()),
            one.pass_rate.difficulty.value + ("" if one.resolved else ", unresolved"),
            f"{one.pass_rate.confidence:.2f}",
            str(one.pass_rate.trials),
        ]
        for one in sorted(found.problems, key=lambda one: -one.pass_rate.pass_at_1)
    ]
    if len(rows) > 2 * _SHOWN:
        rows = [*rows[:_SHOWN], ["..."] + [""] * 4, *rows[-_SHOWN:]]
    columns = ["problem", "pass@1 [95 %]", "difficulty", "P(class)", "samples"]
    console.print(table("pass@1 by problem", columns, rows))


def unresolved(found: Profile) -> str:
    """A sentence that names the problems whose difficulty is not sure."""
    left = found.unresolved
    level = f"{found.problems[0].resolved_from:.0%} sure" if found.problems else "sure"
    if not left:
        return f"every problem's difficulty is at least {level}"
    named = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" * (len(left) > _NAMED))
    return f"unresolved, their difficulty less than {level}: {len(left)} problems ({named})"
