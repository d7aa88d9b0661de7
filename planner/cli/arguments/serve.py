"""Options of `apportion serve`."""

from pathlib import Path

from planner.cli.options import (
    Command,
    Parser,
    add_engine,
    add_prices,
    add_scorer,
    add_servers,
    runnable,
    whole,
)


def add_arguments(parser: Parser) -> None:
    """Plan, models, the service, prices, engine and servers."""
    parser.add_argument("--plan", type=Path, required=True, help="plan made by apportion plan")
    parser.add_argument("--policy", type=runnable, help="where the plan's policy lies now")
    add_scorer(parser, "where the plan's PRM lies now", runnable)
    _add_service(parser)
    add_prices(parser, " on the page (of requests: by what the plan was made with)")
    add_engine(parser)
    # Clients hear of an outage soon, and may ask again.
    add_servers(parser, outage=5.0)
    # Answers are those of all N responses; draws that cannot change them are left out.
    parser.set_defaults(early_stop=True)


def _add_service(parser: Parser) -> None:
    """Where the service listens, whom it answers, and how much a request may take."""
    group = parser.add_argument_group("service")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help="name or address to listen at (default: %(default)s, this machine)",
    )
    group.add_argument(
        "--port",
        type=whole,
        default=8080,
        help="port to listen at; 0: any that is free (default: %(default)s)",
    )
    group.add_argument(
        "--api-keys",
        type=Path,
        metavar="FILE",
        help="keys of those who may ask, one a line (default: those of APPORTION_API_KEYS, "
        "separated by commas; without either everybody may ask)",
    )
    group.add_argument(
        "--queue",
        type=whole,
        metavar="N",
        help="most questions that wait while --concurrency others are answered; a client with "
        "more must come again (default: 128)",
    )
    group.add_argument(
        "--max-per-key",
        type=whole,
        metavar="N",
        help="most of these places that one key may take (default: all that are not kept for the "
        "first questions of the others)",
    )
    group.add_argument(
        "--max-prompts", type=whole, metavar="N", help="most questions of a request (default: 64)"
    )
    group.add_argument(
        "--max-body", type=whole, metavar="BYTES", help="largest request (default: 1048576)"
    )
    group.add_argument(
        "--max-connections",
        type=whole,
        metavar="N",
        help="most connections of one address, behind which a proxy may have many clients "
        "(default: 1024)",
    )
    group.add_argument(
        "--max-tokens",
        type=whole,
        metavar="N",
        help="most tokens of a response that a request may ask for (default: 8192)",
    )
    group.add_argument(
        "--max-budget",
        type=whole,
        metavar="N",
        help="most generations a question that a request may ask for (default: 256)",
    )
    group.add_argument(
        "--temperature-zero",
        choices=("plan", "greedy"),
        default="plan",
        help="what a request with temperature 0 gets, which many clients send without being told "
        "to: an answer by the plan (default), or one greedy response",
    )
    group.add_argument(
        "--drain-seconds",
        type=float,
        metavar="S",
        help="how long running questions may go on after SIGTERM or SIGINT (default: 30)",
    )
    group.add_argument(
        "--log-prompts",
        action="store_true",
        help="write questions and answers to the log, too",
    )


COMMAND = Command(
    name="serve",
    module="serve",
    summary="start an OpenAI-compatible server that routes every query to its own strategy",
    examples="apportion serve --plan plan.json\n"
    "apportion serve --plan plan.json --policy http://127.0.0.1:8000/v1 "
    "--prm http://127.0.0.1:8100/v1\n"
    "apportion serve --plan plan.json --host 0.0.0.0 --api-keys keys.txt",
    add_arguments=add_arguments,
)
