"""A real GGUF file of a tiny Qwen2 with random weights, whose vocabulary is filled up."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from transformers.convert_slow_tokenizer import bytes_to_unicode

HIDDEN, LAYERS, HEADS, INNER, PADS = 32, 2, 2, 64, 5
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def words() -> list[str]:
    """The vocabulary without padding: bytes, a merge, a word of HTML, and the special tokens."""
    return [*bytes_to_unicode().values(), "aa", "</s>", *SPECIAL]


def write_tiny_gguf(
    path: Path, *, rope_scaling: tuple[str, float] | None = None, ends: bool = True
) -> None:
    """Write the file.

    Args:
        path: the file.
        rope_scaling: type and factor of a scaling of positions; `rope_freqs` writes the tensor of
            factors instead; None: none.
        ends: whether the file names a token that ends a text.
    """
    draw = np.random.default_rng(0)
    tokens = words()
    padded = [*tokens, *(f"[PAD{len(tokens) + n}]" for n in range(PADS))]
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("tiny")
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10_000.0)
    if rope_scaling is not None and rope_scaling[0] != "rope_freqs":
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope_scaling[0]))
        writer.add_rope_scaling_factor(rope_scaling[1])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(padded)
    special = {*SPECIAL, *padded[len(tokens) :]}
    writer.add_token_types([3 if token in special else 1 for token in padded])
    writer.add_token_merges(["a a"])
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    if ends:
        writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_chat_template(_CHAT)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, draw.normal(size=shape, scale=0.05).astype(np.float32))

    width = HIDDEN // HEADS
    if rope_scaling is not None and rope_scaling[0] == "rope_freqs":
        factors = np.full(HIDDEN // HEADS // 2, rope_scaling[1], np.float32)
        writer.add_tensor("rope_freqs.weight", factors)
    tensor("token_embd.weight", len(padded), HIDDEN)
    tensor("output.weight", len(padded), HIDDEN)
    tensor("output_norm.weight", HIDDEN)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for name, rows in (("q", HIDDEN), ("k", width), ("v", width)):
            tensor(f"{block}.attn_{name}.weight", rows, HIDDEN)
            tensor(f"{block}.attn_{name}.bias", rows)
        tensor(f"{block}.attn_output.weight", HIDDEN, HIDDEN)
        tensor(f"{block}.attn_norm.weight", HIDDEN)
        tensor(f"{block}.ffn_norm.weight", HIDDEN)
        tensor(f"{block}.ffn_gate.weight", INNER, HIDDEN)
        tensor(f"{block}.ffn_up.weight", INNER, HIDDEN)
        tensor(f"{block}.ffn_down.weight", HIDDEN, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
