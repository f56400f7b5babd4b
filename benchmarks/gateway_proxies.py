"""The proxies that `benchmarks.gateway` compares: `python -m benchmarks.gateway_proxies gateway http://127.0.0.1:1234`.

Each forwards Chat Completions requests to a URL, and prints its port. `bare` is the least that Starlette and httpx2 can
do; `gateway` is `pydantic_llm.serve`.
"""

from __future__ import annotations

import socket
import sys

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

JSON = {'content-type': 'application/json'}


def serve_gateway(url: str) -> None:
    """Forward as the gateway: decode the request, send it, and encode the response."""
    from pydantic_llm.models.openai import OpenAIChatModel
    from pydantic_llm.providers.openai import OpenAIProvider
    from pydantic_llm.serve import create_app, run_server

    model = OpenAIChatModel('m', provider=OpenAIProvider(api_key='k', base_url=url))
    run_server(create_app(model), port=0, log_level='critical', on_start=_print_port)


def serve_bare(url: str) -> None:
    """Forward the bytes."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx2.AsyncClient(limits=limits, timeout=60)

    async def forward(request: Request) -> Response:
        body = await request.body()
        sent = client.build_request('POST', f'{url}/chat/completions', content=body, headers=JSON)
        if b'"stream":true' not in body:
            received = await client.send(sent)
            return Response(received.content, received.status_code, media_type='application/json')
        received = await client.send(sent, stream=True)
        close = BackgroundTask(received.aclose)
        return StreamingResponse(received.aiter_raw(), media_type='text/event-stream', background=close)

    app = Starlette(routes=[Route('/v1/chat/completions', forward, methods=['POST'])])
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    _print_port(f':{port}')
    uvicorn.run(app, port=port, log_level='critical')


def _print_port(url: str) -> None:
    print(url.rpartition(':')[2], flush=True)


PROXIES = {'bare': serve_bare, 'gateway': serve_gateway}

if __name__ == '__main__':
    PROXIES[sys.argv[1]](sys.argv[2])
