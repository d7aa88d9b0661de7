"""Resolution of model names: from a name to a checkpoint on this machine or on servers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from executor.errors import InputError, did_you_mean
from executor.files import is_folder
from executor.models.bundled import CONVERTED, bundled, models_folder
from executor.models.checkpoint import Checkpoint, is_on_hub, is_scorer, name_of
from executor.servers.address import Address, read_address

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve(name: str, role: str) -> Checkpoint:
    """Return the checkpoint that `name` stands for: a catalog name, folder, hub id or address.

    An address (`executor.servers.address`) names servers of a model. Its tokenizer and template
    come from the model that the address names, or else from the model that the first server names.

    Args:
        name: name as the user gave it.
        role: `policy` or `PRM`, for messages.

    Raises:
        InputError: there is no such model here.
    """
    address = read_address(name)
    if address is not None:
        return _resolve_address(address, role)
    if name in CONVERTED:
        return Checkpoint(name, str(CONVERTED[name]()))
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
        return Checkpoint(name_of(folder.resolve()), str(folder.resolve()))
    if _HUB_ID.fullmatch(name) and is_on_hub(name):
        return Checkpoint(name, name)
    names = [*(CONVERTED if role == "policy" else ()), *bundled(role)]
    known = ", ".join(names)
    made = "" if role == "policy" else " made by apportion fit-prm or of another known PRM"
    raise InputError(
        f"{role} {name}: no such model; give {f'one of {known}, ' if known else ''}"
        f"a checkpoint folder{made}, or a hub id that can be reached from here"
        f"{did_you_mean(name, names)}"
    )


def portable(name: str) -> str:
    """Return a name of the same model for another process: folders by their absolute path."""
    if name in (*CONVERTED, *bundled("policy"), *bundled("PRM")):
        return name
    folder = Path(name).expanduser()
    return str(folder.resolve()) if is_folder(folder) else name


def _resolve_address(address: Address, role: str) -> Checkpoint:
    """Return the checkpoint that is served at an address; InputError if it is not served there."""
    # Only users of servers pay for the import of an HTTP client.
    from executor.servers.probe import check_served, served_root

    name = address.model or served_root(address.urls[0], role)
    try:
        checkpoint = resolve(name, role)
    except InputError:
        if address.model:
            raise
        raise InputError(
            f"{role} {address}: that server loaded its model from {name or 'an unknown place'}, "
            f"which is no model here; name the model with --{role.lower()}-model NAME"
        ) from None
    for url in address.urls:
        check_served(url, role, checkpoint.name, checkpoint.location)
    return replace(checkpoint, servers=address.urls)
