"""A small HTTP server that speaks as `vllm serve` does, and fails as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "fake-model"
STEP = 4
"""Tokens a chunk."""


def drawn(seed: int, length: int) -> list[int]:
    """The tokens this server's model continues any prompt with."""
    return [97 + (seed * 7 + place) % 26 for place in range(length)]


def reward(end: int) -> float:
    """The score of a step that ends at a place."""
    return 1 / (1 + end)


class FakeServer(ThreadingHTTPServer):
    """The server.

    Attributes:
        faults: what befalls the next completions, one each: `500`, `400`, `refuse` (503), `close`
            (the connection, after a chunk), `hang` (silence after a chunk), `error` (an error in
            the stream), `bare` (one without a message), `ended` (the engine ends the request); no
            fault is `""`.
        well: whether `/health` says so.
        pause: seconds between chunks.
        may_write: no chunk is written while it is cleared.
        bodies: the requests for completions, in order.
        seeds: seeds of the completions that were asked for, in order.
        generated: tokens sent.
        prompts: tokens of the prompts that were answered; of each, `cached` count as cached.
        prompts_cached: how many of them count as cached.
        plugin: whether it scores steps as `--io-processor-plugin apportion_steps` does.
        scored: places that scores were asked for, a request each.
        cached: what it says was cached of each prompt.
        reports: whether it reports log-probabilities of tokens that a request names: -3, -2, ...
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.faults: deque[str] = deque()
        self.well = True
        self.pause = 0.0
        self.may_write = threading.Event()
        self.may_write.set()
        self.cached = 2
        self.reports = False
        self.bodies: list[dict[str, Any]] = []
        self.seeds: list[int] = []
        self.generated = 0
        self.prompts = 0
        self.prompts_cached = 0
        self.aborted: set[str] = set()
        self.aborts = True
        self.plugin = True
        self.scored: list[list[int]] = []
        self.healthy_asked = 0
        self.under_way = 0
        self.most_under_way = 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeServer

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self.server.healthy_asked += 1
            self._say(200 if self.server.well else 503, {})
        elif self.path == "/v1/models":
            entry = {"id": MODEL, "root": f"/models/{MODEL}", "max_model_len": 128}
            self._say(200, {"data": [entry]})
        elif self.path == "/metrics":
            text = (
                'vllm:cache_config_info{block_size="32",num_gpu_blocks="10"} 1.0\n'
                f'vllm:generation_tokens_total{{engine="0"}} {float(self.server.generated)}\n'
                f'vllm:prompt_tokens_total{{engine="0"}} {float(self.server.prompts)}\n'
                'vllm:prompt_tokens_cached_total{engine="0"} '
                f"{float(self.server.prompts_cached)}\n"
            )
            self._say_text(200, text)
        else:
            self._say(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/completions":
            self._complete(body)
        elif self.path == "/inference/v1/abort_requests" and self.server.aborts:
            self.server.aborted.update(body["request_ids"])
            self._say(200, {})
        elif self.path == "/tokenize":
            self._say(200, {"tokens": [ord(character) for character in body["prompt"]]})
        elif self.path == "/pooling" and self.server.plugin:
            data = body["data"]
            scores = {"rewards": [reward(end) for end in data["ends"]],
                      "cached": [1] * len(data["ends"])}  # fmt: skip
            self._score(data["ends"], {"data": scores})
        elif self.path == "/classify":
            ends = [len(prompt) for prompt in body["input"]]
            probs = [[1 - reward(end), reward(end)] for end in ends]
            self._score(ends, {"data": [{"probs": one} for one in probs]})
        else:
            self._say(404, {"detail": "Not Found"})

    def _score(self, ends: list[int], record: dict[str, Any]) -> None:
        server = self.server
        with server.lock:
            server.prompts += sum(ends)
            server.prompts_cached += len(ends)
            server.scored.append(ends)
            fault = server.faults.popleft() if server.faults else ""
        if fault == "hang":
            server.stopped.wait(20)
        elif fault:
            self._say(int(fault), {"error": {"message": f"told to say {fault}"}})
        else:
            time.sleep(server.pause)
            self._say(200, record)

    def _complete(self, body: dict[str, Any]) -> None:
        server = self.server
        with server.lock:
            server.bodies.append(body)
            server.seeds.append(body["seed"])
            fault = server.faults.popleft() if server.faults else ""
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            if fault in ("500", "400", "503"):
                self._say(int(fault), {"error": {"message": f"told to say {fault}"}})
            elif body.get("stream"):
                self._stream(body, fault)
            else:
                server.generated += 1
                answer = _chunk([0], "length", named=self._named(body))
                self._say(200, answer | {"usage": {"prompt_tokens_details": {}}})
        finally:
            with server.lock:
                server.under_way -= 1

    def _named(self, body: dict[str, Any]) -> dict[str, float] | None:
        """The log-probabilities beside a token, of those that a request names or the likeliest.

        As on vLLM, the token that was written is there too: here it is none of the likeliest.
        """
        if body.get("logprobs") and "logprob_token_ids" not in body:
            likeliest = {f"token_id:{900 + i}": -1.0 - i for i in range(body["logprobs"])}
            return {"token_id:899": -50.0} | likeliest
        if not self.server.reports or "logprob_token_ids" not in body:
            return None
        named = body["logprob_token_ids"]
        return {f"token_id:{token}": -3.0 + place for place, token in enumerate(named)}

    def _stream(self, body: dict[str, Any], fault: str) -> None:
        server = self.server
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        tokens, met = _stopped(drawn(body["seed"], body["max_tokens"]), body.get("stop") or [])
        request = f"cmpl-{body['request_id']}-0"
        reason = None
        for start in range(0, len(tokens), STEP):
            server.may_write.wait(20)
            if request in server.aborted:
                reason = "abort"
                self._event(_chunk([], reason))
                break
            if start == 0:  # as vLLM: a prompt counts with its first token, not if aborted before
                with server.lock:
                    server.prompts += len(body["prompt"])
                    server.prompts_cached += server.cached
            if fault == "ended":
                self._event({"error": {"message": "Internal server error", "code": 500}})
                break
            piece = tokens[start : start + STEP]
            if start + STEP >= len(tokens):
                reason = "length" if met is None else "stop"
            met_now = met if reason == "stop" else None
            self._event(_chunk(piece, reason, met_now, self._named(body)))
            server.generated += len(piece)
            if fault == "close":
                self.connection.close()
                self.close_connection = True
                return
            if fault == "hang":
                server.stopped.wait(20)
                return
            if fault in ("error", "bare"):
                message = {"message": "told to fail"} if fault == "error" else {}
                self._event({"error": {"code": 500, **message}})
                break
            time.sleep(server.pause)
        details = {"cached_tokens": server.cached}
        self._event({"choices": [], "usage": {"prompt_tokens_details": details}})
        self._write(b"data: [DONE]\n\n")
        self._write(b"")

    def _event(self, record: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(record).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _say(self, status: int, record: dict[str, Any]) -> None:
        self._say_text(status, json.dumps(record))

    def _say_text(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def _stopped(tokens: list[int], stops: list[str]) -> tuple[list[int], str | None]:
    """The tokens up to the end of the first stop string, and that string."""
    text = "".join(map(chr, tokens))
    ends = [(at + len(stop), stop) for stop in stops if (at := text.find(stop)) >= 0]
    end, met = min(ends, default=(len(tokens), None))
    return tokens[:end], met


def _chunk(
    tokens: list[int],
    reason: str | None,
    met: str | None = None,
    named: dict[str, float] | None = None,
) -> dict[str, Any]:
    logprobs: dict[str, Any] = {"token_logprobs": [-0.5] * len(tokens)}
    if named is not None:
        logprobs["top_logprobs"] = [named] * len(tokens)
    choice = {
        "token_ids": tokens, "logprobs": logprobs, "finish_reason": reason, "stop_reason": met,
    }  # fmt: skip
    return {"choices": [choice]}


@contextmanager
def serving(port: int = 0) -> Iterator[FakeServer]:
    """A server that runs."""
    server = FakeServer(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stop(server)


def stop(server: FakeServer) -> None:
    """End a server; its port refuses from here on."""
    server.stopped.set()
    with suppress(OSError):
        server.shutdown()
        server.server_close()
