"""Chromium over its remote-debugging pipe: pages as people see them, without another package.

The protocol (https://chromedevtools.github.io/devtools-protocol) is JSON, every message ended by a
zero byte; the browser reads file descriptor 3 and writes 4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CODES = {
    "Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "End": 35, "Home": 36, "ArrowLeft": 37,
    "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip
BROWSER = next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """One page in a browser without a window.

    Attributes:
        requests: every address that was asked for.
        complaints: what the page wrote to its console as a warning or an error, what it threw,
            and what the browser had to say of it.
    """

    def __init__(self, profile: Path) -> None:
        assert BROWSER is not None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]  # fmt: skip
        # The shell gives the pipes the numbers that the browser knows them by.
        wired = ["sh", "-c", f'exec "$@" 3</dev/fd/{to_read} 4>/dev/fd/{to_write}', "sh", *command]
        self._process = subprocess.Popen(
            wired,
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self("Page.enable")
        self("Network.enable")
        self("Runtime.enable")
        self("Log.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        os.close(self._write)  # which ends the browser
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def __call__(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _receive(self) -> Any:
        while b"\0" not in self._buffer:
            more = os.read(self._read, 1 << 20)
            assert more, "the browser has ended"
            self._buffer += more
        text, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(text)
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case "Page.loadEventFired":
                self._loaded = True
            case "Log.entryAdded":
                entry = message["params"]["entry"]
                self.complaints.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")
            case "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if message["params"]["type"] in ("warning", "error"):
                self.complaints.append(str(message["params"]["args"]))
        return message

    def open(
        self, page: Path | str, width: int = 1280, *, dark: bool = False, paper: bool = False
    ) -> None:
        """Open a file or an address, so many pixels wide; as a screen, light or dark, or paper
        shows it."""
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])
        self._loaded = False
        self("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while not self._loaded:
            self._receive()

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page; the page itself may forbid all scripts."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 20) -> Any:
        """The value of an expression as soon as it is true in the page."""
        give_up = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < give_up, f"never true: {expression}; {self.complaints}"
            time.sleep(0.02)
        return value

    def press(self, *keys: str) -> None:
        """Press and let go of keys, one after the other, wherever the focus is.

        Keys go by their names (`Tab`, `ArrowRight`, `Enter`), texts by their characters; `Shift+`
        before one holds that down.
        """
        for pressed in keys:
            shift, _, key = pressed.rpartition("+")
            code = _CODES.get(key, ord(key.upper()[0]))
            text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
            what = {
                "key": " " if key == "Space" else key, "modifiers": 8 if shift else 0,
                "windowsVirtualKeyCode": code,
            }  # fmt: skip
            self("Input.dispatchKeyEvent", type="keyDown", text=text, **what)
            self("Input.dispatchKeyEvent", type="keyUp", **what)

    def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = self("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def printed(self) -> bytes:
        """The page as PDF, on A4."""
        self("Emulation.setEmulatedMedia", media="")  # not a screen
        made = self("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(made["data"])
