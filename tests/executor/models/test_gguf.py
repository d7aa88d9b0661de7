"""GGUF files become checkpoints: whole, once, without the names that fill a vocabulary up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.loading import portable, resolve
from executor.models import gguf
from executor.models.checkpoint import parameter_count
from executor.models.stopping import Finish, Stopping
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from tests.helpers.tiny_gguf import HIDDEN, PADS, words, write_tiny_gguf


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APPORTION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.Q8.gguf"
    write_tiny_gguf(path)
    return path


def test_a_file_becomes_a_checkpoint_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    found = resolve(str(tiny), "policy", said.append)
    assert found.name == "tiny.Q8"
    assert found.folder is not None
    assert said == [
        "policy tiny.Q8.gguf: converting it for vLLM, once; a minute per billion parameters"
    ]
    monkeypatch.setattr(gguf, "convert", _must_not_be_called)
    assert resolve(str(tiny), "policy", said.append) == found
    assert len(said) == 1


def _must_not_be_called(*_: object) -> None:
    raise AssertionError


def test_the_checkpoint_has_no_padding_and_ends_turns(tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = resolve(str(tiny), "policy").folder
    assert folder is not None
    vocabulary = words()
    config = json.loads((folder / "config.json").read_text())
    assert config["vocab_size"] == len(vocabulary)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.get_vocab() == {word: at for at, word in enumerate(vocabulary)}
    ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    assert [vocabulary[end] for end in ends] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.get_output_embeddings().weight.shape == (len(vocabulary), HIDDEN)
    whole = parameter_count(folder)
    assert whole == model.num_parameters()


def test_a_policy_reads_its_chat_template(tiny: Path) -> None:
    folder = resolve(str(tiny), "policy").folder
    assert folder is not None
    tokens = Tokens(load_tokenizer(folder))
    prompt = PromptTemplate().render(tokens.tokenizer, "aa?")
    assert tokens.tokenizer.decode(prompt) == (
        "<|im_start|>user\naa?<|im_end|>\n<|im_start|>assistant\n"
    )
    # The beginning of another turn ends the response, as its own end does.
    another = words().index("<|im_start|>")
    assert Stopping(tokens, PromptTemplate()).finish("stop", another, ["\n\n"]) is Finish.EOS


def test_a_changed_file_is_another_checkpoint(tiny: Path) -> None:
    before = resolve(str(tiny), "policy").folder
    content = bytearray(tiny.read_bytes())
    content[-1] ^= 1
    tiny.write_bytes(bytes(content))
    assert resolve(str(tiny), "policy").folder != before


@pytest.mark.parametrize(
    ("make", "role", "match"),
    [
        (lambda path: None, "policy", "no such file"),
        (lambda path: path.write_bytes(b"GGML...."), "policy", "does not begin with GGUF"),
        (lambda path: path.write_bytes(b""), "policy", "does not begin with GGUF"),
        (lambda path: path.write_bytes(b"GGUF" + b"\1" * 99), "policy", "transformers cannot read"),
        (lambda path: path.mkdir(), "policy", "the folder holds no config.json"),
        (lambda path: path.write_bytes(b"GGUF"), "PRM", "read as policies only"),
    ],
)
def test_what_is_no_model_is_one_line(
    make: Callable[[Path], object], role: str, match: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    make(path)
    with pytest.raises(InputError, match=match) as caught:
        resolve(str(path), role)
    assert "\n" not in str(caught.value)


def test_one_part_of_several_is_told_to_be_joined(tmp_path: Path) -> None:
    part = tmp_path / "m-00001-of-00003.gguf"
    part.write_bytes(b"GGUF")
    with pytest.raises(InputError, match="llama-gguf-split --merge"):
        resolve(str(part), "policy")


def test_other_processes_find_it_by_its_full_path(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    assert portable(tiny.name) == str(tiny.resolve())
    assert portable("nothing.gguf") == "nothing.gguf"


def test_only_names_at_the_end_that_tell_their_number_are_padding() -> None:
    assert gguf.padding({"a": 0, "[PAD1]": 1, "b": 2, "[PAD3]": 3, "[PAD4]": 4}) == [
        "[PAD4]",
        "[PAD3]",
    ]
    assert gguf.padding({"a": 0, "[PAD7]": 1}) == []
    assert PADS == 5
