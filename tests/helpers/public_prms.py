"""Tiny models with random weights in the structure of the public PRMs.

The real ones cannot be had where tests run. Each comes with a tokenizer of the same structure, a
token a byte but for one, and with `reference`: what Transformers and the model's head say of a
token sequence, written down from the models' own descriptions and independent of vLLM.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HIDDEN = 64
MERGED = 256  # `.` and a line end; special tokens come after it

# The turns of Qwen2.5 and of Llama 3.1, without what they say of tools.
CHATML = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
)
HEADERS = (
    "{{ '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday<|eot_id|>' }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
)
QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>")
LLAMA_SPECIAL = (
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|reserved_special_token_0|>",
)


@dataclass(frozen=True)
class PublicPrm:
    """One of them.

    Attributes:
        folder: the checkpoint.
        special: its special tokens, whose ids come after those of the bytes.
        reference: P(right) at the last token of a sequence.
    """

    folder: Path
    special: tuple[str, ...]
    reference: Callable[[Sequence[int]], float]

    def ids(self, *pieces: str) -> list[int]:
        """Token ids by hand: special tokens by name, all else a token a byte but `.` before a line
        end within a piece."""
        ids: list[int] = []
        for piece in pieces:
            if piece in self.special:
                ids.append(MERGED + 1 + self.special.index(piece))
            else:
                spelt = piece.encode().split(b".\n")
                ids += spelt[0]
                for rest in spelt[1:]:
                    ids += [MERGED, *rest]
        return ids


def byte_tokenizer(special: Sequence[str], template: str | None, **named: str) -> Any:
    """A byte-level tokenizer whose id of a byte is the byte.

    As the public ones, it has a token for a full stop at a line end.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # GPT-2's letters for bytes: printable ones stand for themselves, the others come after them.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    vocabulary = {letter: byte for byte, letter in letters.items()}
    assert set(vocabulary) == set(pre_tokenizers.ByteLevel.alphabet())
    vocabulary["." + letters[10]] = MERGED
    spelt = Tokenizer(models.BPE(vocabulary, [(".", letters[10])]))
    spelt.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    spelt.decoder = decoders.ByteLevel()
    spelt.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelt, **named)
    tokenizer.chat_template = template
    return tokenizer


def _sizes(tokenizer: Any) -> dict[str, Any]:
    import torch

    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "dtype": torch.float32,
    }


def _save(folder: Path, tokenizer: Any, config: Any, weights: dict[str, Any], kind: str) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    config.architectures = [kind]
    config.save_pretrained(folder)
    save_file(
        {name: weight.contiguous() for name, weight in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    tokenizer.save_pretrained(folder)


def _qwen_backbone(tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    from transformers import Qwen2Config, Qwen2Model

    config = Qwen2Config(**_sizes(tokenizer), tie_word_embeddings=False)
    backbone = Qwen2Model(config).eval()
    weights = {f"model.{name}": weight for name, weight in backbone.state_dict().items()}
    return config, backbone, weights


def qwen_math(parent: Path) -> PublicPrm:
    """Qwen2.5-Math-PRM: Qwen2 and a head of two layers with two labels."""
    import torch

    torch.manual_seed(1)
    tokenizer = byte_tokenizer(QWEN_SPECIAL, CHATML, eos_token="<|im_end|>")
    config, backbone, weights = _qwen_backbone(tokenizer)
    head = torch.nn.Sequential(
        torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2)
    )
    weights |= {f"score.{name}": weight for name, weight in head.state_dict().items()}
    # The public checkpoints keep the output matrix of the language model they were made from.
    weights["lm_head.weight"] = torch.randn(len(tokenizer), HIDDEN)
    folder = parent / "Qwen2.5-Math-PRM-tiny"
    _save(folder, tokenizer, config, weights, "Qwen2ForProcessRewardModel")

    def reference(ids: Sequence[int]) -> float:
        with torch.inference_mode():
            logits = head(backbone(torch.tensor([list(ids)]))[0])
        return float(logits.softmax(-1)[0, -1, 1])

    return PublicPrm(folder, QWEN_SPECIAL, reference)


def skywork(parent: Path) -> PublicPrm:
    """Skywork-o1-Open-PRM: Qwen2 and a value head."""
    import torch

    torch.manual_seed(2)
    tokenizer = byte_tokenizer(
        QWEN_SPECIAL, CHATML, bos_token="<|endoftext|>", eos_token="<|im_end|>"
    )
    config, backbone, weights = _qwen_backbone(tokenizer)
    head = torch.nn.Linear(HIDDEN, 1)
    weights |= {f"v_head.summary.{name}": weight for name, weight in head.state_dict().items()}
    weights["lm_head.weight"] = torch.randn(len(tokenizer), HIDDEN)
    folder = parent / "Skywork-o1-Open-PRM-tiny"
    _save(folder, tokenizer, config, weights, "Qwen2ForPrmModel")

    def reference(ids: Sequence[int]) -> float:
        with torch.inference_mode():
            value = head(backbone(torch.tensor([list(ids)]))[0])
        return float(value.sigmoid()[0, -1, 0])

    return PublicPrm(folder, QWEN_SPECIAL, reference)


def _written(model: Any, right: int, wrong: int) -> Callable[[Sequence[int]], float]:
    import torch

    def reference(ids: Sequence[int]) -> float:
        with torch.inference_mode():
            logits = model(torch.tensor([list(ids)])).logits[0, -1]
        return float(logits[[right, wrong]].softmax(-1)[0])

    return reference


def rlhflow(parent: Path) -> PublicPrm:
    """RLHFlow's: a Llama that writes its verdicts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    tokenizer = byte_tokenizer(
        LLAMA_SPECIAL, HEADERS, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"
    )
    model = LlamaForCausalLM(LlamaConfig(**_sizes(tokenizer), tie_word_embeddings=False)).eval()
    folder = parent / "Llama3.1-8B-PRM-Deepseek-Data"
    _save(folder, tokenizer, model.config, model.state_dict(), "LlamaForCausalLM")
    return PublicPrm(folder, LLAMA_SPECIAL, _written(model, ord("+"), ord("-")))


def math_shepherd(parent: Path) -> PublicPrm:
    """Math-Shepherd: a Mistral that writes its verdicts; with Mistral's own vocabulary.

    vLLM's package `mistral_common` brings it along.
    """
    from importlib.resources import files

    import torch
    from tokenizers import Tokenizer
    from transformers import (
        LlamaTokenizer,
        MistralConfig,
        MistralForCausalLM,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(4)
    source = parent / "mistral"
    source.mkdir(parents=True)
    vocabulary = files("mistral_common") / "data" / "tokenizer.model.v1"
    (source / "tokenizer.model").write_bytes(vocabulary.read_bytes())
    converted: Any = LlamaTokenizer.from_pretrained(source, add_bos_token=True)
    # As the tokenizer.json of that time has it: Transformers' own conversion has changed since.
    spelt = json.loads(converted.backend_tokenizer.to_str())
    spelt["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    }
    spelt["pre_tokenizer"] = None
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spelt)), bos_token="<s>", eos_token="</s>"
    )
    model = MistralForCausalLM(MistralConfig(**_sizes(tokenizer), sliding_window=4096)).eval()
    folder = parent / "math-shepherd-mistral-7b-prm"
    _save(folder, tokenizer, model.config, model.state_dict(), "MistralForCausalLM")
    return PublicPrm(folder, (), _written(model, 648, 387))


MAKERS: dict[str, Callable[[Path], PublicPrm]] = {
    "qwen_math": qwen_math,
    "skywork": skywork,
    "rlhflow": rlhflow,
    "math_shepherd": math_shepherd,
}
