"""The fates of `vendor` over sockets: a handler for a server on loopback, with the same record of what was sent."""

from __future__ import annotations

import asyncio
import json

from tests.faults.machine.vendor import GOOD, REQUEST, SILENCE, Fate, Sent, Visit, stream_of, whole_of
from tests.transport.server import Exchange


class SocketVendor:
    """Handles requests by the fates of `plan`, then with good responses."""

    def __init__(self, plan: list[Fate]) -> None:
        self.plan = plan
        self.visits: list[Visit] = []

    async def __call__(self, exchange: Exchange) -> None:
        body = json.loads(exchange.body)
        found = REQUEST.search(exchange.body)
        fate = self.plan.pop(0) if self.plan else GOOD
        visit = Visit(
            len(self.visits), int(found[1]) if found else -1, body['model'], fate, asyncio.get_running_loop().time()
        )
        self.visits.append(visit)
        if fate.latency >= SILENCE:
            await exchange.wait_until_gone()
        elif fate.refuses:
            exchange.reset()
        elif fate.status != 200:
            headers = {} if fate.retry_after is None else {'retry-after': fate.retry_after}
            error = {'error': {'message': f'status {visit.number}'}}
            await exchange.respond(error, status=fate.status, headers=headers)
        elif body.get('stream'):
            await self._send(exchange, visit, stream_of(visit), 'text/event-stream')
        else:
            await self._send(exchange, visit, whole_of(visit), 'application/json')

    async def _send(self, exchange: Exchange, visit: Visit, sent: list[Sent], content_type: str) -> None:
        fate = visit.fate
        await exchange.begin(content_type)
        for number, (data, pieces, _) in enumerate(sent):
            if fate.breaks is not None and number == min(fate.breaks_after, len(sent) - 1):
                await self._break_off(exchange, fate, data)
                return
            visit.pieces = [visit.piece(n) for n in range(pieces)]
            await exchange.chunk(data)
            await asyncio.sleep(0)
        visit.is_complete = True
        if content_type == 'text/event-stream' and fate.ending == 'done':
            await exchange.chunk(b'data: [DONE]\n\n')
        if fate.ending == 'reset':
            exchange.reset()
        else:
            await exchange.end()

    async def _break_off(self, exchange: Exchange, fate: Fate, data: bytes) -> None:
        if fate.breaks in ('half event', 'half event reset'):
            await exchange.chunk(data[: len(data) // 2])
        if fate.breaks in ('reset', 'half event reset'):
            exchange.reset()
        elif fate.breaks == 'silence':
            await exchange.wait_until_gone()
        else:
            await exchange.end()
