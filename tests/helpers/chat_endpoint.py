"""A chat endpoint on this machine, with a key, that bills, limits and fails as it is told to."""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from executor.policies.simulated import reference_answer

MODEL = "somebody/chat-model"
KEY = "sk-test-4f9a7c21e0b84d6d"
CACHED = 3
_QUESTION = re.compile(r"\w+ problem \d+: what is x\?")  # of `simulated_problems`


class ChatEndpoint(ThreadingHTTPServer):
    """The endpoint; its model is right with the probability `right`.

    Attributes:
        model: name of its model.
        faults: what befalls the next requests, one each; "" is none. `429` comes with Retry-After,
            `busy` without; `quota` is a 429 that no wait mends; `500`, `401`, `404`; `drop` closes
            the connection without an answer; `garbage` is no JSON; `hidden` is an error with status
            200; `slow` answers late; `empty`, `length`, `filter` are responses that are so, and
            `refused` is a question that the filter refuses; `silent` has no usage.
        honours_n: whether it writes several responses to one request.
        usage: whether it says what it bills.
        thinks: whether it writes a thought before each response, and bills it.
        key: the key that it wants; None lets everybody in.
        header, query: the header of the key, and parameters that it wants.
        context: most characters of a conversation and of `max_tokens` together.
        dialect: fields that it refuses, with the words of its refusal.
        delay: seconds before an answer.
        billed: tokens of all answers that it gave: `prompt`, `cached`, `generated`, `thought`.
        untold: the same of those that did not say so.
        given: responses to each question.
        bodies: the requests, in order.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, right: float = 0.7) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.right = right
        self.model = MODEL
        self.faults: deque[str] = deque()
        self.honours_n = True
        self.usage = True
        self.thinks = False
        self.key: str | None = KEY
        self.header = "Authorization"
        self.query: dict[str, str] = {}
        self.context = 100_000
        self.dialect: dict[str, str] = {}
        self.delay = 0.0
        self.billed: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.given: Counter[str] = Counter()
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.serial = itertools.count()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatEndpoint

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if not self._let_in():
            return
        if urlsplit(self.path).path == "/v1/models":
            self._say(200, {"data": [{"id": MODEL}, {"id": "somebody/other"}]})
        else:
            self._say(404, {"error": {"message": "no such page"}})

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._let_in():
            return
        if not urlsplit(self.path).path.endswith("/chat/completions"):
            self._say(404, {"error": {"message": "no such page"}})
            return
        with server.lock:
            server.bodies.append(body)
            fault = server.faults.popleft() if server.faults else ""
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            self._answer(body, fault)
        finally:
            with server.lock:
                server.under_way -= 1

    def _let_in(self) -> bool:
        server, given = self.server, self.headers.get(self.server.header, "")
        wanted = f"Bearer {server.key}" if server.header == "Authorization" else server.key
        query = dict(parse_qsl(urlsplit(self.path).query))
        if server.key is not None and given != wanted:
            # As some proxies do, it quotes what it was sent.
            self._say(401, {"error": {"message": f"wrong key {given}", "code": "invalid_api_key"}})
            return False
        if query != server.query:
            self._say(404, {"error": {"message": f"expected {server.query}, got {query}"}})
            return False
        return True

    def _answer(self, body: dict[str, Any], fault: str) -> None:
        server = self.server
        time.sleep(server.delay)
        if fault in ("429", "busy"):
            after = {"Retry-After": "0.05"} if fault == "429" else {}
            self._say(429, {"error": {"message": "too many requests"}}, after)
        elif fault == "quota":
            error = {"message": "you have spent your quota", "code": "insufficient_quota"}
            self._say(429, {"error": error})
        elif fault == "hidden":
            self._say(200, {"error": {"message": "provider is down", "code": 502}})
        elif fault.isdigit():
            self._say(int(fault), {"error": {"message": f"told to say {fault}"}})
        elif fault == "drop":
            self.close_connection = True
            self.connection.close()
        elif fault == "garbage":
            self._send(200, b"<html>busy</html>", {})
        elif fault == "refused":
            self._say(400, {"error": {"message": "blocked", "code": "content_filter"}})
        elif body["model"] != server.model:
            self._say(404, {"error": {"message": f"no model {body['model']}"}})
        elif unknown := [name for name in server.dialect if name in body]:
            words = server.dialect[unknown[0]]
            self._say(400, {"error": {"message": words, "param": unknown[0]}})
        else:
            if fault == "slow":
                time.sleep(0.3)
            self._write(body, fault)

    def _write(self, body: dict[str, Any], fault: str) -> None:
        server = self.server
        prompt = sum(len(one["content"]) for one in body["messages"])
        most = body.get("max_tokens", body.get("max_completion_tokens"))
        if prompt + (most or 1) > server.context:
            error = {"message": "too long", "code": "context_length_exceeded"}
            self._say(400, {"error": error})
            return
        n = body.get("n", 1) if server.honours_n else 1
        asked = body["messages"][-1]["content"]
        found = _QUESTION.search(asked)
        question = asked if found is None else found[0]
        choices, usage = [], Counter(prompt=prompt, cached=min(CACHED, prompt))
        for index in range(n):
            choice, generated, thought = self._choice(question, fault, index, body)
            choices.append(choice)
            usage.update(generated=generated, thought=thought)
        with server.lock:
            told = server.usage and fault != "silent"
            (server.billed if told else server.untold).update(usage)
            server.given[question] += n
        answer: dict[str, Any] = {"model": MODEL, "choices": choices}
        if told:
            answer["usage"] = {
                "prompt_tokens": usage["prompt"],
                "completion_tokens": usage["generated"],
                "total_tokens": usage["prompt"] + usage["generated"],
                "prompt_tokens_details": {"cached_tokens": usage["cached"]},
                "completion_tokens_details": {"reasoning_tokens": usage["thought"]},
            }
        self._say(200, answer)

    def _choice(
        self, question: str, fault: str, index: int, body: dict[str, Any]
    ) -> tuple[dict[str, Any], int, int]:
        server = self.server
        rng = random.Random(f"{body.get('seed')} {index} {question}")
        reference = reference_answer(question)
        value = reference if rng.random() < server.right else str(int(reference) + 1)
        text = "so " * rng.randrange(1, 9) + rf"\boxed{{{value}}}"
        reason = "stop"
        if fault == "empty":
            text = ""
        if fault == "length":
            text, reason = text[:4], "length"
        if fault == "filter":
            text, reason = "so", "content_filter"
        thought = "hm " * rng.randrange(1, 5) if server.thinks else ""
        message = {"role": "assistant", "content": text}
        if thought:
            message["reasoning_content"] = thought
        record = {"index": index, "message": message, "finish_reason": reason}
        return record, len(text) + len(thought) + 1, len(thought)

    def _say(self, status: int, record: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(record).encode(), headers or {})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def chat_endpoint(right: float = 0.7) -> Iterator[ChatEndpoint]:
    """A running endpoint."""
    server = ChatEndpoint(right)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
