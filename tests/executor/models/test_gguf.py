"""GGUF files become checkpoints: whole, once, without the names that fill a vocabulary up."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from executor.errors import InputError
from executor.loading import portable, resolve
from executor.models import gguf
from executor.models.checkpoint import parameter_count
from executor.models.gguf_header import read_header
from executor.models.stopping import Finish, Stopping
from executor.models.templates import PromptTemplate
from executor.models.tokens import Tokens, load_tokenizer
from tests.helpers.tiny_gguf import HIDDEN, PADS, SPECIAL, words, write_tiny_gguf


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
    content[len(content) // 2] ^= 1
    tiny.write_bytes(bytes(content))
    os.utime(tiny, ns=(1, 1))
    assert resolve(str(tiny), "policy").folder != before


def test_a_change_in_the_middle_of_a_large_file_changes_its_digest(tmp_path: Path) -> None:
    path, content = tmp_path / "large.gguf", bytearray(3 << 20)
    path.write_bytes(content)
    before = gguf.digest(path)
    content[len(content) // 2] = 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert gguf.digest(path) != before


def test_a_large_file_is_read_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = gguf.digest(tiny)
    monkeypatch.setattr("hashlib.file_digest", _must_not_be_called)
    assert gguf.digest(tiny) == before


def test_a_checkpoint_in_a_cache_that_cannot_be_written_is_used(tiny: Path, cache: Path) -> None:
    before = resolve(str(tiny), "policy")
    digests = gguf.checkpoint_folder(".digests")
    shutil.rmtree(digests)
    digests.write_text("")
    assert resolve(str(tiny), "policy") == before


@pytest.mark.parametrize(
    ("scaling", "named"),
    [
        (("linear", 2.0), "linear"),
        (("yarn", 4.0), "yarn"),
        (("rope_freqs", 8.0), "llama3"),
        (("linear", 1.0), None),
        (("none", 4.0), None),
        (("rope_freqs", 1.0), None),
    ],
)
def test_a_scaling_of_positions_that_would_be_lost_is_refused(
    tmp_path: Path, scaling: tuple[str, float], named: str | None
) -> None:
    path = tmp_path / "scaled.gguf"
    write_tiny_gguf(path, rope_scaling=scaling)
    header = read_header(path)
    assert header.rope_scaling == named
    if named is not None:
        with pytest.raises(InputError, match=rf"RoPE scaling {named}\), .* original checkpoint$"):
            gguf.convert(path, tmp_path / "made")
        carried = SimpleNamespace(
            rope_parameters={"rope_type": named, "factor": header.rope_factor}
        )
        assert header.is_scaled_in(carried)


def test_weights_are_those_that_were_rounded_at_the_end(tiny: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    gguf.convert(tiny, tmp_path / "made")
    made = AutoModelForCausalLM.from_pretrained(tmp_path / "made").state_dict()
    exact = AutoModelForCausalLM.from_pretrained(
        str(tiny.parent), gguf_file=tiny.name, dtype=torch.float32
    )
    for name, weights in exact.to(torch.bfloat16).state_dict().items():
        assert torch.equal(made[name], weights[: len(made[name])]), name
    header = read_header(tiny)
    assert header.parameters == exact.num_parameters()
    assert header.largest == (len(words()) + PADS) * HIDDEN


def test_a_file_that_names_no_end_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "endless.gguf"
    write_tiny_gguf(path, ends=False)
    gguf.convert(path, tmp_path / "made")
    record = json.loads((tmp_path / "made" / "generation_config.json").read_text())
    assert [words()[end] for end in record["eos_token_id"]] == list(SPECIAL)


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), SafetensorError("I/O error")])
def test_what_cannot_be_written_is_one_line(
    tiny: Path, cache: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise failure

    monkeypatch.setattr(gguf, "_save", full)
    with pytest.raises(InputError, match=rf"cache folder {cache}.*: cannot be written \("):
        resolve(str(tiny), "policy")


def test_a_cache_that_is_no_folder_is_said_before_the_work(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("")
    monkeypatch.setattr(gguf, "convert", _must_not_be_called)
    with pytest.raises(InputError, match="cannot be written"):
        resolve(str(tiny), "policy")


def test_a_missing_package_is_told_with_its_extra(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match=r"gguf and accelerate; .* its extra cpu or gpu"):
        resolve(str(tiny), "policy")


@pytest.mark.parametrize(
    ("make", "role", "match"),
    [
        (lambda path: None, "policy", "no such file"),
        (lambda path: path.write_bytes(b"GGML...."), "policy", "does not begin with GGUF"),
        (lambda path: path.write_bytes(b""), "policy", "does not begin with GGUF"),
        (lambda path: path.write_bytes(b"GGUF"), "policy", "transformers cannot read"),
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


def test_a_gap_in_the_vocabulary_costs_no_word_its_row() -> None:
    assert gguf.rows_of_words({"a": 0, "c": 2, "[PAD3]": 3, "[PAD4]": 4}) == 3
    assert gguf.rows_of_words({"a": 0, "c": 2}) is None
