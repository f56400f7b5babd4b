"""The tests' own fence: `conftest` lets no test reach another machine."""

from __future__ import annotations

import asyncio
import socket

import pytest


@pytest.mark.parametrize('host', ['example.com', '192.0.2.1'])
def test_a_connection_to_another_machine_fails_the_test(host: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=host):
        socket.create_connection((host, 80), timeout=1)


async def test_an_event_loop_cannot_leave_this_machine_either() -> None:
    with pytest.raises(pytest.fail.Exception, match=r'example\.com'):
        await asyncio.open_connection('example.com', 80)


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
def test_a_connection_to_this_machine_is_tried(host: str) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        pass
