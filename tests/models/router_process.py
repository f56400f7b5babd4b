"""A process with a router whose state is in Redis: `python -m tests.models.router_process URL SERVER NUMBER LIMIT`.

Writes a line `ready`, sends NUMBER requests to the server, and writes the name of the deployment of each.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx2

from pydantic_llm.exceptions import ModelHTTPError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import Model
from pydantic_llm.models.router.model import Deployment, RouterModel
from pydantic_llm.usage import RequestUsage


class Plain(Model):
    """Posts to a URL whose response has the name of the deployment and its usage."""

    def __init__(self, name: str, server: str) -> None:
        super().__init__()
        self._name = name
        self._url = f'{server}/{name}'
        self._client = httpx2.AsyncClient()

    @property
    def model_name(self) -> str:
        return self._name

    async def request(self, *_: Any) -> ModelResponse:
        reply = await self._client.post(self._url, json={})
        if reply.status_code != 200:
            raise ModelHTTPError(reply.status_code, self._name)
        body = reply.json()
        return ModelResponse([TextPart(body['name'])], usage=RequestUsage(output_tokens=body['tokens']))

    async def aclose(self) -> None:
        await self._client.aclose()


async def main(redis: str, server: str, number: int, limit: float) -> None:
    router = RouterModel(
        [Deployment(Plain('a', server), name='a', tokens_per_minute=limit)],
        fallbacks=[[Deployment(Plain('b', server), name='b')]],
        state_url=redis,
        settings={'max_tokens': 50},
    )
    write_line('ready')
    for _ in range(number):
        response = await router.request([ModelRequest.user_text_prompt('Hello?')])
        write_line(response.text or '')
        await asyncio.sleep(0.005)
    await router.aclose()


def write_line(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
