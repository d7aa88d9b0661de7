"""Options of `apportion import`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_scorer, whole


def add_arguments(parser: Parser) -> None:
    """Format and path, and names that the files do not give."""
    parser.add_argument(
        "--format",
        required=True,
        choices=("compute-optimal-tts", "search-and-learn", "jsonl"),
        help='program that wrote the files; jsonl is {"problem", "answer", "policy", "prm", '
        '"samples": [{"text", "answer", "correct", "rewards", "tokens"}]} a line, or {"problem", '
        '"strategy", "n", "correct", "generated_tokens", ...}: see profiling/importers/jsonl.py',
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="file, folder or tar archive")
    parser.add_argument(
        "--policy", metavar="NAME", help="name of the policy (default: as the files say)"
    )
    add_scorer(parser, "name of the scorer (default: as the files say)")
    parser.add_argument(
        "--benchmark", metavar="NAME", help="name of the benchmark that the problems are of"
    )
    parser.add_argument(
        "--study",
        metavar="NAME",
        help="name of the study; studies are never mixed: name one for each grader, prompt or "
        "sampling (default: the format)",
    )
    parser.add_argument(
        "--strategy",
        metavar="NAME",
        help="strategy of all records, if the files' names do not say it",
    )
    parser.add_argument(
        "--width",
        type=whole,
        help="number of branches a beam or subtree, if the files do not say it",
    )


COMMAND = Command(
    name="import",
    module="import_runs",
    summary="make evidence of what another program recorded; keeps that program's grading",
    examples="apportion import --format compute-optimal-tts src/output\n"
    "apportion import --format search-and-learn --prm RLHFlow-PRM-Deepseek-8B "
    "data/meta-llama/Llama-3.2-1B-Instruct/best_of_n_completions.jsonl\n"
    "apportion import --format jsonl --policy my-model --prm my-prm samples.jsonl",
    add_arguments=add_arguments,
)
