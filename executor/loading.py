"""Resolution of model names: from a name to a checkpoint on this machine or on servers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from executor.access import NO_ACCESS, Access
from executor.errors import InputError, did_you_mean
from executor.files import is_folder
from executor.models import gguf
from executor.models.bundled import CONVERTED, bundled, models_folder
from executor.models.checkpoint import Checkpoint, Role, is_on_hub, is_scorer, name_of
from executor.models.fused import fused_policy, served_name
from executor.servers.address import Address, Api, read_address, shows_keys

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve(
    name: str,
    role: Role,
    say: Callable[[str], None] = lambda text: None,
    access: Access = NO_ACCESS,
) -> Checkpoint:
    """Return the checkpoint that `name` stands for.

    The name is a catalog name, a checkpoint folder, a policy's GGUF file, which is converted once,
    a hub id or an address.

    An address (`executor.servers.address`) names servers of a model. Its tokenizer and template
    come from the model that the address names, or else from the model that the first server names.
    If the address names a policy that is no model here, and does not say that it is asked for
    tokens, it is a chat policy, and a remark says so.

    Args:
        name: name as the user gave it.
        role: `policy` or `PRM`, for messages.
        say: receives remarks for people.
        access: what lets requests into the servers at an address.

    Raises:
        InputError: there is no such model here, or it cannot be converted.
    """
    address = read_address(name)
    if address is not None:
        return _resolve_address(address, role, say, access)
    if name in CONVERTED:
        return Checkpoint(name, CONVERTED[name](say))
    if gguf.names_file(name):
        return _resolve_gguf(Path(name).expanduser(), role, say)
    folder = Path(name).expanduser()
    if name in (*bundled("policy"), *bundled("PRM")):
        folder = models_folder() / name
    if is_folder(folder):
        if not (folder / "config.json").is_file():
            raise InputError(f"{role} {name}: the folder holds no config.json; not a checkpoint")
        if role == "policy" and is_scorer(folder):
            raise InputError(
                f"policy {name}: is a classifier, no language model; PRMs go with --prm"
            )
        return Checkpoint(stored_name(name, role), str(folder.resolve()))
    if _HUB_ID.fullmatch(name) and is_on_hub(name):
        return Checkpoint(name, name)
    names = [*(CONVERTED if role == "policy" else ()), *bundled(role)]
    known = ", ".join(names)
    made = (
        ", a GGUF file,"
        if role == "policy"
        else " made by apportion fit-prm or of another known PRM,"
    )
    raise InputError(
        f"{role} {name}: no such model; give {f'one of {known}, ' if known else ''}"
        f"a checkpoint folder{made} or a hub id that can be reached from here"
        f"{did_you_mean(name, names)}"
    )


def stored_name(name: str, role: Role) -> str:
    """Return the name by which evidence knows a model: the one of its runs in a store.

    It is a folder's name, the name of a GGUF file without its suffix, and any other name as it is.
    A policy that holds a reward head goes by its name without the head. The full path of a folder
    that is gone, which a plan may hold, still gives its name.

    Args:
        name: name as the user or a plan gave it; no address.
        role: `policy` or `PRM`.
    """
    path = Path(os.path.expanduser(name))
    if is_folder(path):
        if role == "policy" and (fused := fused_policy(path)) is not None:
            return fused.name
        return name_of(path.resolve()) or name
    if gguf.names_file(name):
        return path.stem
    return name_of(path) if path.is_absolute() else name


def portable(name: str) -> str:
    """Return a name of the same model for another process: folders and files by their full path."""
    if name in (*CONVERTED, *bundled("policy"), *bundled("PRM")):
        return name
    path = Path(name).expanduser()
    lasting = is_folder(path) or (gguf.names_file(name) and path.is_file())
    return str(path.resolve()) if lasting else name


def _resolve_gguf(weights: Path, role: Role, say: Callable[[str], None]) -> Checkpoint:
    """Return the checkpoint of a GGUF file; InputError if there is none."""
    if role != "policy":
        raise InputError(f"{role} {weights}: GGUF files are read as policies only")
    if not weights.is_file():
        raise InputError(f"policy {weights}: no such file")
    return Checkpoint(stored_name(str(weights), role), str(gguf.converted(weights.resolve(), say)))


def _resolve_address(
    address: Address, role: Role, say: Callable[[str], None], access: Access
) -> Checkpoint:
    """Return the checkpoint that is served at an address; InputError if it is not served there."""
    if address.api is Api.CHAT:
        return _chat(address, role, access)
    # Only users of servers pay for the import of an HTTP client.
    from executor.servers.probe import check_served, served_root

    given, access = access, access.of_tokens
    name = address.model or served_root(address.urls[0], role, access)
    try:
        checkpoint = resolve(name, role, say)
    except InputError:
        if address.model and role == "policy" and address.api is None:
            chat = address.as_chat()
            if given.is_default and shows_keys(chat.urls[0]):
                raise InputError(
                    f"policy {address.model}: no such model is here; if {chat.urls[0]} is to be "
                    "asked over chat completions, with the key of OPENAI_API_KEY unencrypted, say "
                    "so: --policy-api chat"
                ) from None
            say(
                f"policy {address.model}: no such model is here, so {chat.urls[0]} is asked "
                "over chat completions (--policy-api chat says so without this search)"
            )
            return _chat(chat, role, given)
        if address.model:
            raise
        raise InputError(
            f"{role} {address}: that server loaded its model from {name or 'an unknown place'}, "
            f"which is no model here; name the model with --{role.lower()}-model NAME"
        ) from None
    for url in address.urls:
        check_served(url, role, served_name(checkpoint), checkpoint.location, access)
    return replace(checkpoint, servers=address.urls)


def _chat(address: Address, role: Role, access: Access) -> Checkpoint:
    """Return what stands for the model at a chat endpoint; InputError if it lets nobody in."""
    from executor.servers.endpoint import Endpoint, EndpointLimits
    from executor.servers.server import Patience

    if role != "policy":
        raise InputError(
            f"{role} {address}: a chat endpoint does not score; expected a server of a PRM"
        )
    (base,) = address.urls
    Endpoint(f"policy {address.model}", base, access, EndpointLimits(), Patience()).probe()
    return Checkpoint(address.model, str(address), address.urls)
