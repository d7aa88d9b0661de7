"""The laboratory's tokenizer: whole words, and numbers in pairs of digits from the right.

A number below 100 is one token, as a number below 1,000 is in the tokenizers of large models. Small
models then need not learn to carry before they can count. Text and tokens are one-to-one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiling.laboratory.task import vocabulary

PAD, END, UNKNOWN = "<pad>", "<end>", "<unknown>"
_PAIR = r"[0-9]{1,2}(?=(?:[0-9]{2})*(?![0-9]))"
_GAP = r"(?: (?=[0-9]))?"  # the space before a number belongs to the token before it
_PIECES = rf"\n\n| \\boxed\{{| ?[A-Za-z]+{_GAP}| [-+*/=?]{_GAP}|{_PAIR}|[\s\S]"


def make_tokenizer(words: Sequence[str] = (), marks: Sequence[str] = ()) -> Any:
    """Return the transformers tokenizer; `save_pretrained` writes it beside a model.

    Args:
        words: further words of the vocabulary.
        marks: added tokens, which no other tokens spell.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = [PAD, END, UNKNOWN, *vocabulary(), *words]
    backend = Tokenizer(
        models.WordLevel({name: number for number, name in enumerate(names)}, unk_token=UNKNOWN)
    )
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), behavior="isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return tokenizer
