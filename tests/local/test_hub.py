"""Errors of the Hugging Face Hub, by a server on loopback: each engine reports them as one sentence with the cause."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.exceptions import LLMError, ModelConnectionError, UserError
from tests.local.engines import on

REFUSALS: dict[str, tuple[int, str | None, type[LLMError], str]] = {
    'gated': (403, 'GatedRepo', UserError, "'gated/x' is gated: accept its terms on its page of the hub"),
    'missing': (401, 'RepoNotFound', UserError, 'give a name on the hub'),
    'disabled': (403, None, UserError, "'disabled/x' is disabled on the hub"),
    'revision': (404, 'RevisionNotFound', UserError, 'has no such revision on the hub'),
    'token': (401, None, UserError, 'the hub refuses the token'),
    'broken': (501, None, ModelConnectionError, 'the hub cannot be reached: .*501'),
}
"""The first part of a repository's name -> the status and code of the hub, and the error."""


class Handler(BaseHTTPRequestHandler):
    """Refuses every request as the hub does: https://huggingface.co/docs/hub/api."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:
        status, code, _, _ = REFUSALS[self.path.removeprefix('/api/models').split('/')[1]]
        self.send_response(status)
        if code is not None:
            self.send_header('X-Error-Code', code)
        elif status == 403:
            self.send_header('X-Error-Message', 'Access to this resource is disabled.')
        body = json.dumps({'error': 'refused'}).encode()
        self.send_header('Content-Length', f'{len(body)}')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 -- the name that the library calls

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Make a server the hub, for the time of a test."""
    library = pytest.importorskip('huggingface_hub')
    constants = library.constants
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}'
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr(constants, 'ENDPOINT', url)
    monkeypatch.setattr(library.hf_api.api, 'endpoint', url)
    monkeypatch.setattr(
        constants, 'HUGGINGFACE_CO_URL_TEMPLATE', f'{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}'
    )
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path))
    yield
    server.shutdown()
    server.server_close()


@on('transformers', 'mlx', 'llamacpp')
@pytest.mark.usefixtures('hub')
async def test_a_refusal_of_the_hub_is_one_sentence_with_the_cause(make: Callable[..., Any]) -> None:
    for name, (_, _, error, message) in REFUSALS.items():
        with pytest.raises(error, match=message) as caught:
            await make(f'{name}/x').load()
        assert '\n' not in str(caught.value)


@pytest.mark.usefixtures('hub')
async def test_a_refusal_of_an_adapter_names_the_adapter(make: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="'gated/x' is gated"):
        await make(adapter='gated/x').load()
    with pytest.raises(UserError, match=r"adapters\['sql'\] 'missing/x' was not found"):
        await make(adapters={'sql': 'missing/x'}).load()
    with pytest.raises(ModelConnectionError, match="'broken/x' is not on this machine"):
        await make(adapters={'sql': 'broken/x'}).load()
