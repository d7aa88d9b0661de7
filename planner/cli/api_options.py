"""Options of endpoints with keys, and what they say together."""

from __future__ import annotations

import argparse
import os
from argparse import Namespace
from pathlib import Path

from executor.access import DEFAULT_KEY, NO_ACCESS, Access
from executor.servers.address import Api


class _NoKey(argparse.Action):
    """Refuses a key on the command line, without showing it."""

    def __call__(self, *_: object) -> None:
        """See argparse."""
        raise argparse.ArgumentError(
            self,
            "a key is never the value of an option; expected --api-key-env NAME or "
            "--api-key-file FILE",
        )


def add_api(command: argparse.ArgumentParser) -> None:
    """Add how a policy at an address is asked: its API, keys, headers and limits."""
    group = command.add_argument_group(
        "API of a policy at an address",
        "a chat policy is any OpenAI-compatible endpoint: --policy https://host/v1 "
        "--policy-model NAME; keys are never values of options",
    )
    group.add_argument(
        "--policy-api",
        choices=[one.value for one in Api],
        help="tokens: a vllm serve whose tokenizer is here; chat: any endpoint, over chat "
        "completions, for strategies over whole responses (default: chat if no model of the name "
        "--policy-model is here, else tokens; it is said)",
    )
    group.add_argument(
        "--api-key-env",
        metavar="NAME",
        help=f"environment variable of the key (default: {DEFAULT_KEY}, for chat policies)",
    )
    group.add_argument("--api-key", nargs="?", action=_NoKey, help=argparse.SUPPRESS)
    group.add_argument("--api-key-file", type=Path, metavar="FILE", help="file of the key")
    group.add_argument(
        "--api-header",
        action="append",
        default=[],
        metavar="NAME=VARIABLE",
        help="a further header, with the value of an environment variable: "
        "api-key=AZURE_OPENAI_API_KEY; may be given several times",
    )
    group.add_argument(
        "--api-query",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a further parameter of every URL: api-version=2024-10-21; may be given several times",
    )
    group.add_argument(
        "--api-requests",
        type=int,
        default=16,
        metavar="N",
        help="most requests at a chat policy at once (default: %(default)s)",
    )
    group.add_argument(
        "--api-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="longest wait for one answer of a chat policy (default: %(default)g)",
    )
    group.add_argument(
        "--one-per-request",
        action="store_true",
        help="ask a chat policy for one response a request, so that the length of each is known; "
        "its prompt is then billed for each",
    )


def access(arguments: Namespace) -> Access:
    """What lets requests into the policy's endpoint, from the API options and the environment."""
    if not hasattr(arguments, "api_key_env"):
        return NO_ACCESS
    return Access.load(
        os.environ,
        key_env=arguments.api_key_env,
        key_file=arguments.api_key_file,
        headers=arguments.api_header,
        query=arguments.api_query,
    )
