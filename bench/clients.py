"""Programs that were written for OpenAI, with their defaults, against this project's service.

OpenAI's own client, LiteLLM, LangChain and openai-agents ask what they ask other servers; only the
address and the model's name are ours. A client that is not installed is skipped with a word. Every
request goes over a socket, and what the server said is recorded: answered, answered with notes, or
refused, and why. The bench fails if something is refused that should be answered, or the other way
round.

By default the service has a simulated policy. With `--plan` it follows a plan with real models:

    python bench/clients.py --plan data/plans/lab-0.8m.json
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy
from planner.plans.serialization import load_plan
from planner.service.answering.answerer import Answerer
from planner.service.answering.simulated import SimulatedAnswerer
from planner.service.http.app import create_app
from planner.service.http.server import DrainingServer

QUESTION = "Hugo has 30 books. Hugo keeps one of 2 equal parts. How many books has Hugo now?"
SYSTEM = "You are a helpful assistant. Answer briefly."
ASKED: Any = [{"role": "user", "content": QUESTION}]
HISTORY: Any = [
    {"role": "system", "content": SYSTEM},
    *ASKED,
    {"role": "assistant", "content": "15"},
    {"role": "user", "content": "Hugo finds 7 more books. How many books has Hugo now?"},
]
IMAGE: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        ],
    }
]
TOOL: Any = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
}
_CODES = re.compile(rb'"note_codes": (\[[^\]]*\])')
_START_SECONDS = 300.0


class Answer(BaseModel):
    """The form of an answer that a program may ask for."""

    value: int


@dataclass
class Heard:
    """What the server said to the requests of one call, the last one counting."""

    status: int = 0
    notes: list[str] = field(default_factory=list)
    error: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


class Recorder:
    """Middleware that keeps what the server said."""

    def __init__(self, app: ASGIApp, heard: list[Heard]) -> None:
        self._app = app
        self._heard = heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said, body = Heard(), bytearray()
        self._heard.append(said)

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                said.status = message["status"]
                head = {name.decode(): value.decode() for name, value in message["headers"]}
                said.notes = [one for one in head.get("x-apportion-notes", "").split(", ") if one]
            else:
                body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, record)
        if not said.notes and (found := _CODES.search(bytes(body))):
            said.notes = json.loads(found[1])  # a stream has no header for them
        if said.status >= 400:
            said.error = json.loads(body)["error"]["message"]
        said.ended.set()


@dataclass
class Service:
    """The service, and what it said so far."""

    url: str
    model: str
    heard: list[Heard]


@contextmanager
def serving(plan: Path | None) -> Iterator[Service]:
    """The service on a free port of this machine."""
    heard: list[Heard] = []
    with ExitStack() as stack:
        answerer = stack.enter_context(answering(plan))
        app: FastAPI = create_app(answerer)
        app.add_middleware(Recorder, heard=heard)
        address: list[str] = []
        listening = threading.Event()

        def listen(found: str) -> None:
            address.append(found)
            listening.set()

        server = DrainingServer(app, "127.0.0.1", 0, listen)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert listening.wait(_START_SECONDS), "the service does not listen"
            yield Service(f"{address[0]}/v1", answerer.model, heard)
        finally:
            server.drain()
            thread.join()


@contextmanager
def answering(plan: Path | None) -> Iterator[Answerer]:
    """What answers: a simulated policy, or a plan with its models."""
    if plan is None:
        with MathGrader() as grader:
            yield SimulatedAnswerer(SimulatedPolicy(1.0), grader)
        return
    from planner.runtime.reporter import SilentReporter
    from planner.runtime.settings import SessionSettings
    from planner.service.factory import create_plan_service
    from planner.usecases.open_session import open_session

    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/store.db"
        settings = SessionSettings(early_stop=True)
        with open_session(None, store, settings, SilentReporter()) as session:
            answerer = create_plan_service(session, load_plan(plan)).answerer
            asyncio.run(answerer.executor())  # the first client does not wait for the models
            yield answerer


Call = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """Something that a program does.

    Attributes:
        what: in words.
        call: does it.
        answered: whether it should be answered; None: the policy decides.
    """

    what: str
    call: Call
    answered: bool | None = True


def openai_cases(url: str, model: str) -> Iterator[Case]:
    """OpenAI's client."""
    from openai import AsyncOpenAI, OpenAI

    client = OpenAI(base_url=url, api_key="none", max_retries=0)
    chat, text, responses = client.chat.completions, client.completions, client.responses

    def ask(**more: Any) -> Call:
        return lambda: chat.create(**({"model": model, "messages": ASKED} | more))

    def respond(**more: Any) -> Call:
        return lambda: responses.create(**({"model": model, "input": QUESTION} | more))

    async def at_once() -> Any:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as many:
            calls = (many.chat.completions.create(model=model, messages=ASKED) for _ in range(4))
            return await asyncio.gather(*calls)

    yield Case("models", lambda: [client.models.list().data, client.models.retrieve(model)])
    yield Case("chat", ask())
    yield Case("chat, streamed", lambda: list(ask(stream=True)()))
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    yield Case("chat, streamed with usage", lambda: list(ask(**usage)()))
    yield Case("chat, four at once (async)", lambda: asyncio.run(at_once()))
    yield Case("chat with system prompt and history", ask(messages=HISTORY))
    yield Case("chat, the answer begun", ask(messages=[*ASKED, _assistant("Hugo")]))
    yield Case("chat, temperature=0", ask(temperature=0))
    yield Case("chat, temperature=1, top_p=0.9", ask(temperature=1, top_p=0.9))
    yield Case("chat, max_tokens=32000", ask(max_tokens=32000))
    yield Case("chat, n=2, seed=7, stop", ask(n=2, seed=7, stop=["###"]))
    yield Case("chat, store=True, service_tier='flex'", ask(store=True, service_tier="flex"))
    yield Case("chat, reasoning_effort='high'", ask(reasoning_effort="high"))
    yield Case("chat, tools", ask(tools=[TOOL]))
    yield Case("chat, tool_choice='required'", ask(tools=[TOOL], tool_choice="required"), False)
    yield Case("chat, logprobs=True", ask(logprobs=True), False)
    yield Case("chat, frequency_penalty=0.5", ask(frequency_penalty=0.5), False)
    yield Case("chat with an image", ask(messages=IMAGE), False)
    as_json = {"response_format": {"type": "json_object"}}
    yield Case("chat, JSON", ask(**as_json), None)
    yield Case(
        "chat, JSON by a schema (`parse`)",
        lambda: chat.parse(model=model, messages=ASKED, response_format=Answer),
        None,
    )
    yield Case("completions", lambda: text.create(model=model, prompt=QUESTION))
    yield Case("responses", respond())
    yield Case("responses, streamed", lambda: list(respond(stream=True)()))
    yield Case("responses, instructions and history", respond(instructions=SYSTEM, input=HISTORY))
    yield Case("responses, previous_response_id", respond(previous_response_id="resp_1"), False)


def _assistant(content: str) -> Any:
    return {"role": "assistant", "content": content}


def litellm_cases(url: str, model: str) -> Iterator[Case]:
    """LiteLLM."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    def ask(name: str = f"openai/{model}", **more: Any) -> Call:
        own = {"model": name, "messages": ASKED, "api_base": url, "api_key": "none"}
        return lambda: litellm.completion(**(own | {"num_retries": 0} | more))

    yield Case("completion, openai/NAME", ask())
    yield Case("completion, hosted_vllm/NAME", ask(f"hosted_vllm/{model}"))
    yield Case("completion, streamed", lambda: list(ask(stream=True)()))
    yield Case("completion with system prompt and history", ask(messages=HISTORY))
    yield Case("completion, temperature=0", ask(temperature=0))
    yield Case("completion, tools", ask(tools=[TOOL], tool_choice="auto"))
    yield Case("completion, JSON", ask(response_format={"type": "json_object"}), None)
    yield Case(
        "responses",
        lambda: litellm.responses(
            model=f"openai/{model}", input=QUESTION, api_base=url, api_key="none"
        ),
    )


def langchain_cases(url: str, model: str) -> Iterator[Case]:
    """LangChain."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI, OpenAI

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    def made(**more: Any) -> Any:
        return ChatOpenAI(model=model, base_url=url, api_key="none", max_retries=0, **more)

    plain = made()
    turns = [SystemMessage(SYSTEM), HumanMessage(QUESTION), AIMessage("15"), HumanMessage("And?")]
    called = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}])
    agent = [HumanMessage(QUESTION), called, ToolMessage("3", tool_call_id="c1")]
    yield Case("ChatOpenAI.invoke", lambda: plain.invoke(QUESTION))
    yield Case("ChatOpenAI.stream", lambda: list(plain.stream(QUESTION)))
    yield Case("ChatOpenAI.batch", lambda: plain.batch([QUESTION, QUESTION]))
    yield Case("ChatOpenAI.ainvoke", lambda: asyncio.run(made().ainvoke(QUESTION)))
    yield Case("system prompt and history", lambda: plain.invoke(turns))
    yield Case("temperature=0", lambda: made(temperature=0).invoke(QUESTION))
    yield Case("bind_tools", lambda: plain.bind_tools([add]).invoke(QUESTION))
    yield Case(
        "bind_tools, tool_choice='any'",
        lambda: plain.bind_tools([add], tool_choice="any").invoke(QUESTION),
        False,
    )
    yield Case("history with calls of tools", lambda: plain.invoke(agent))
    yield Case(
        "with_structured_output",
        lambda: plain.with_structured_output(Answer).invoke(QUESTION),
        None,
    )
    yield Case("use_responses_api=True", lambda: made(use_responses_api=True).invoke(QUESTION))
    yield Case(
        "OpenAI.invoke (completions)",
        lambda: OpenAI(model=model, base_url=url, api_key="none", max_retries=0).invoke(QUESTION),
        None,
    )


def agents_cases(url: str, model: str) -> Iterator[Case]:
    """OpenAI's agents, which ask /v1/responses by default."""
    from agents import (
        Agent,
        ModelSettings,
        OpenAIChatCompletionsModel,
        Runner,
        function_tool,
        set_default_openai_client,
        set_tracing_disabled,
    )
    from openai import AsyncOpenAI

    set_tracing_disabled(True)

    @function_tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def ask(question: Any, *, stream: bool, over_chat: bool, **more: Any) -> Any:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            set_default_openai_client(client, use_for_tracing=False)
            own = OpenAIChatCompletionsModel(model, client) if over_chat else model
            agent = Agent(name="helper", **({"instructions": SYSTEM, "model": own} | more))
            if not stream:
                return await Runner.run(agent, question)
            return [event async for event in Runner.run_streamed(agent, question).stream_events()]

    def run(
        question: Any = QUESTION, *, stream: bool = False, over_chat: bool = False, **more: Any
    ) -> Call:
        return lambda: asyncio.run(ask(question, stream=stream, over_chat=over_chat, **more))

    yield Case("an agent with instructions", run())
    yield Case("an agent without instructions", run(instructions=None))
    yield Case("an agent, streamed", run(stream=True))
    yield Case("an agent with tools", run(tools=[add]))
    yield Case("an agent, chat completions", run(over_chat=True))
    yield Case("an agent with history", run([*HISTORY[1:]]))
    yield Case("an agent, temperature=0", run(model_settings=ModelSettings(temperature=0)))
    yield Case(
        "an agent that must call a tool",
        run(tools=[add], model_settings=ModelSettings(tool_choice="required")),
        False,
    )
    yield Case("an agent with an output type", run(output_type=Answer), None)


CLIENTS: dict[str, tuple[str, Callable[[str, str], Iterator[Case]]]] = {
    "openai": ("openai", openai_cases),
    "litellm": ("litellm", litellm_cases),
    "langchain-openai": ("langchain_openai", langchain_cases),
    "openai-agents": ("agents", agents_cases),
}


def tried(case: Case, service: Service) -> dict[str, Any]:
    """What came of a case."""
    service.heard.clear()
    failure = ""
    try:
        case.call()
    except Exception as error:
        failure = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    for one in service.heard:
        one.ended.wait(10)  # a client may go on before the server has ended
    heard = service.heard[-1] if service.heard else Heard()
    refused = 400 <= heard.status < 500
    answered = 200 <= heard.status < 300 and not failure
    right = (answered or refused) if case.answered is None else answered is case.answered
    return {
        "what": case.what,
        "outcome": "answered" if answered else "refused" if refused else "failed",
        "requests": len(service.heard),
        "notes": heard.notes,
        "error": heard.error or failure,
        "as_expected": right and (answered or refused),
    }


def table(found: dict[str, Any]) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield "| client | asks for | outcome | notes, or why not |"
    yield "|---|---|---|---|"
    for name, client in found.items():
        for row in client.get("cases", ()):
            why = row["error"] or ", ".join(f"`{note}`" for note in row["notes"])
            mark = "" if row["as_expected"] else " (!)"
            title = f"{name} {client['version']}"
            yield f"| {title} | {row['what']} | {row['outcome']}{mark} | {why} |"


def main() -> None:
    """All clients, one after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, help="serve this plan (default: a simulated policy)")
    parser.add_argument("--client", action="append", choices=tuple(CLIENTS), help="only these")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with serving(arguments.plan) as service:
        for name in arguments.client or CLIENTS:
            module, cases = CLIENTS[name]
            if importlib.util.find_spec(module) is None:
                found[name] = {"skipped": "not installed"}
                continue
            version = importlib.metadata.version(name)
            rows = [tried(case, service) for case in cases(service.url, service.model)]
            found[name] = {"version": version, "cases": rows}
    rows = [row for client in found.values() for row in client.get("cases", ())]
    wrong = [row for row in rows if not row["as_expected"]]
    skipped = [name for name, client in found.items() if "skipped" in client]
    if not arguments.json:
        print("\n".join(table(found)))
    day = datetime.now(UTC).date()
    line = (
        f"{day}: {len(rows)} ways of asking, {sum(r['outcome'] == 'answered' for r in rows)} "
        f"answered, {sum(r['outcome'] == 'refused' for r in rows)} refused, {len(wrong)} not as "
        f"expected; skipped: {', '.join(skipped) or 'none'}"
    )
    finish({"date": str(day), "clients": found}, line, as_json=arguments.json)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
