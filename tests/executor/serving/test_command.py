"""The command line that serves a model as this process would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.engines import options
from executor.engines.options import EngineOptions, engine_arguments
from executor.models.tokens import Tokens, load_tokenizer
from executor.scorers.prm import convention_of, resolve_prm
from executor.serving.command import ServeCommand, serve_policy, serve_prm
from tests.helpers.tiny_gguf import write_tiny_gguf

OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.25)


def as_vllm_reads(command: ServeCommand) -> Any:
    """vLLM's own reading of a command line."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    words = list(command.arguments)
    first = next(i for i, word in enumerate(words) if word in ("--model", "serve"))
    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(["--model", *words[first + 1 :]])
    assert parsed.port == command.port
    return AsyncEngineArgs.from_cli_args(parsed), parsed


@pytest.mark.vllm
def test_a_served_policy_gets_the_arguments_of_one_in_process() -> None:
    arguments, parsed = as_vllm_reads(serve_policy("lab-0.4m", 8123, OPTIONS))
    for name, value in engine_arguments(arguments.model, OPTIONS, {}).items():
        assert getattr(arguments, name) == value, name
    assert parsed.enable_prompt_tokens_details
    assert parsed.enable_scale_out


@pytest.mark.vllm
def test_a_conversion_before_serving_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_CACHE", str(tmp_path / "cache"))
    write_tiny_gguf(tmp_path / "tiny.gguf")
    said: list[str] = []
    serve_policy(str(tmp_path / "tiny.gguf"), 8123, OPTIONS, said.append)
    assert [line.partition(",")[0] for line in said] == ["policy tiny.gguf: converting it for vLLM"]


@pytest.mark.vllm
@pytest.mark.parametrize("name", ["lab-0.4m-prm", "lab-0.4m-head"])
def test_a_served_prm_gets_the_arguments_of_one_in_process(name: str) -> None:
    arguments, parsed = as_vllm_reads(serve_prm(name, 8123, OPTIONS))
    checkpoint = resolve_prm(name)
    kind = convention_of(checkpoint)
    convention = kind.load(checkpoint, Tokens(load_tokenizer(checkpoint.location)))
    extra = {"runner": "pooling", **convention.engine_arguments()}
    for option, value in engine_arguments(arguments.model, OPTIONS, extra).items():
        assert getattr(arguments, option) == value, option
    assert arguments.io_processor_plugin == "apportion_steps"
    assert parsed.served_model_name == [name]


def test_the_cache_of_a_server_does_not_depend_on_the_memory_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(options, "on_cpu", lambda: True)
    monkeypatch.setattr(options, "memory_for", lambda _: 1 / 0)
    words = serve_policy("lab-0.4m", 8123, EngineOptions()).arguments
    assert words[words.index("--kv-cache-memory-bytes") + 1] == str(2 * 2**30)


def test_a_line_for_a_shell_is_quoted() -> None:
    command = ServeCommand(("vllm", "serve", "my model"), {"A": "1,2", "B": "x y"}, 1)
    assert str(command) == "A=1,2 B='x y' vllm serve 'my model'"
