"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from executor.answers.grader import MathGrader
from executor.loading import resolve
from tests.helpers.postgres import PostgresServer, missing

pytest.register_assert_rewrite("executor.testing")

pytest_plugins = ["tests.helpers.guard"]

# How long an example takes says nothing on a busy machine. `make test-slow` asks for more of them
# with --hypothesis-profile thorough, `make check` for fewer with quick; pytest loads either after
# this.
settings.register_profile("unhurried", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def grader() -> Iterator[MathGrader]:
    """One grader for all tests; a test that needs its child process is marked `process`."""
    with MathGrader() as shared:
        yield shared


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; they are skipped if there is none here."""
    if reason := missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


POSTGRES = pytest.param("postgresql", marks=[pytest.mark.process, pytest.mark.socket])


@pytest.fixture(params=["sqlite", POSTGRES])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    # By name: the marks of a fixture that starts a server are not those of SQLite's tests.
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The bundled policy's checkpoint; converted at first use."""
    folder = resolve("smollm2-135m", "policy").folder
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def tiny_llama(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real but tiny Llama with random weights and SmolLM2's tokenizer: quick to load and run."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer: Any = AutoTokenizer.from_pretrained(smollm2)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.float32,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def without_engines() -> str:
    """A program that runs the command line where torch, vllm and transformers are not installed."""
    return (
        "import sys\n"
        "class NotInstalled:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'vllm', 'transformers'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NotInstalled())\n"
        "from planner.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
