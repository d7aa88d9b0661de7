"""Whether checkpoints may bring Python code of their own, which would run with the user's rights.

Transformers asks on standard input if nobody has said; here the answer is no, unless the user said
yes for the whole process and its children. vLLM and Transformers know many architectures of such
checkpoints themselves, and then their code is not needed.
"""

from __future__ import annotations

import os
from pathlib import Path

from executor.errors import InputError

VARIABLE = "APPORTION_TRUST_REMOTE_CODE"
_OPTION = "trust_remote_code"  # in the messages of Transformers and vLLM


def trust_remote_code() -> None:
    """Let the checkpoints of this process, and of those that it starts, run their own code."""
    os.environ[VARIABLE] = "1"


def trusts_remote_code() -> bool:
    """Whether checkpoints may run their own code."""
    return os.environ.get(VARIABLE) == "1"


def needs_remote_code(error: BaseException) -> bool:
    """Whether an error of Transformers or vLLM says that a checkpoint needs code of its own."""
    return _OPTION in str(error)


def refusal(checkpoint: Path | str) -> InputError:
    """Return the error for a checkpoint that needs code of its own and may not run it."""
    return InputError(
        f"model {checkpoint}: brings Python code of its own, which would run with your rights; "
        "read it, then give --trust-remote-code"
    )
