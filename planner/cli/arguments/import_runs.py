"""Options of `apportion import`."""

from pathlib import Path

from planner.cli.options import Command, Parser, add_domain, add_scorer, whole


def add_arguments(parser: Parser) -> None:
    """Format and path, and names that the files do not give."""
    parser.add_argument(
        "--format",
        required=True,
        choices=("compute-optimal-tts", "search-and-learn", "jsonl", "csv"),
        help='program that wrote the files; jsonl is {"problem", "answer", "policy", "prm", '
        '"samples": [{"text", "answer", "correct", "rewards", "tokens"}]} a line, or {"problem", '
        '"strategy", "n", "correct", "generated_tokens", ...}: see profiling/importers/jsonl.py; '
        "csv has one sample a line, in columns found by their names (--column)",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="file, folder or tar archive")
    parser.add_argument(
        "--policy", metavar="NAME", help="name of the policy (default: as the files say)"
    )
    add_scorer(parser, "name of the scorer (default: as the files say)")
    parser.add_argument(
        "--benchmark", metavar="NAME", help="name of the benchmark that the problems are of"
    )
    add_domain(parser, "maths")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="KIND=NAME",
        help="column of a csv file, if its name is not a usual one; several times. KIND is "
        "problem, answer, reference, correct, model, benchmark, sample, tokens, prompt_tokens, "
        "cached_tokens, finish_reason or score:SCORER",
    )
    parser.add_argument(
        "--prompt-tokens",
        type=whole,
        metavar="N",
        help="prompt tokens of a request, if a csv file does not count them; 0 leaves prompts out "
        "of the costs",
    )
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="new name of a policy, PRM or benchmark of the files; several times",
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
    "apportion import --format jsonl --policy my-model --prm my-prm samples.jsonl\n"
    "apportion import --format csv --domain exact --rename gpqa=GPQA-Diamond samples.csv.gz",
    add_arguments=add_arguments,
)
