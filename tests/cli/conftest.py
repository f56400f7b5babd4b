"""Fixtures of the tests of the command line: a folder of its own, no keys, and `cli`, which runs a command here."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.cli import main
from pydantic_llm.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.names import LOADERS


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Remove the keys and addresses that the machine of the tests has set, and use a folder of the test."""
    endings = ('_API_KEY', '_TOKEN', '_BASE_URL', '_API_BASE')
    for name in list(os.environ):
        if name.endswith(endings) or name.startswith(('AWS_', 'AZURE_', 'PYDANTIC_LLM_')):
            monkeypatch.delenv(name)
    folder = tmp_path / 'home'
    monkeypatch.setenv('PYDANTIC_LLM_HOME', str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@dataclass
class Result:
    """The result of a command."""

    code: int | str | None
    out: str
    err: str


Cli = Callable[..., Result]


class Pipe(io.TextIOWrapper):
    """A standard input that is a pipe."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding='utf-8')


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a function that runs a command in this process."""

    def run(*arguments: str, stdin: bytes | str = b'') -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, 'stdin', Pipe(data))
        before = {**os.environ}
        capsys.readouterr()
        try:
            code: int | str | None = main(arguments)
        except SystemExit as error:
            code = error.code
        finally:  # stored keys become variables of the process
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
        return Result(code, *capsys.readouterr())

    return run


@dataclass
class Scripted:
    """The responses of the model `scripted:...`, and the requests that it got."""

    responses: list[Sequence[ModelResponsePart] | str | Exception | BaseException] = field(default_factory=list[Any])
    requests: list[tuple[list[ModelMessage], AgentInfo]] = field(default_factory=list[Any])

    def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.requests.append((messages, info))
        response = self.responses.pop(0) if self.responses else 'Yes.'
        if isinstance(response, BaseException):
            raise response
        return ModelResponse([TextPart(response)] if isinstance(response, str) else [*response], finish_reason='stop')

    async def stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        for number, part in enumerate(self.respond(messages, info).parts):
            yield part.content if isinstance(part, TextPart) else {number: part}

    @property
    def last_request(self) -> list[ModelMessage]:
        return self.requests[-1][0]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Make `scripted:NAME` a model string of this test."""
    script = Scripted()

    def make(name: str, **options: Any) -> FunctionModel:
        return FunctionModel(script.respond, stream_function=script.stream, model_name=name)

    monkeypatch.setitem(LOADERS, 'scripted', lambda: make)
    return script
