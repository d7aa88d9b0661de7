"""A nursery whose children compare words, and sleep or die if a word says so."""

from __future__ import annotations

from pathlib import Path

from executor.answers import pool

WORKER = Path(pool.__file__).with_name("worker.py")

_SCRIPT = """
import importlib.util, os, time

spec = importlib.util.spec_from_file_location("worker", {worker!r})
worker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker)
worker.WARM_UP = ()

def equal(gold, target):
    with open({log!r}, "a") as log:
        log.write(gold + "=" + target + "\\n")
    for word in (gold, target):
        if word == "die":
            os._exit(1)
        if word.startswith("sleep"):
            time.sleep(float(word.removeprefix("sleep").partition("-")[0] or 60))
        while "sqrt" in word:
            pass
    if {{gold, target}} == {{"odd", "couple"}}:
        time.sleep(60)
    return gold.casefold() == target.casefold()

worker.equal = equal
worker.main()
"""


def toy_nursery(folder: Path) -> Path:
    """Write the script into a folder and return its path.

    Words are equal without regard to case. `sleep0.5` takes half a second and `sleep` a minute,
    also with a name (`sleep-a`). `die` ends the child, and roots
    (`sqrt`) keep a core busy without end. `odd` and `couple` take a minute together, but not with
    others. `asked` reads what was compared.
    """
    script = folder / "toy.py"
    script.write_text(_SCRIPT.format(worker=str(WORKER), log=str(folder / "log")))
    return script


def asked(folder: Path) -> list[str]:
    """Return the comparisons that children began, in order."""
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []
