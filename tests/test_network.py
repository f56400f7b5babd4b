"""`conftest.refuse_other_machines` fails every test that connects to another machine."""

from __future__ import annotations

import asyncio
import socket

import pytest


@pytest.mark.parametrize('host', ['example.com', '192.0.2.1'])
def test_a_connection_to_another_machine_fails_the_test(host: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=host):
        socket.create_connection((host, 80), timeout=1)


async def test_a_connection_of_an_event_loop_fails_the_test_too() -> None:
    with pytest.raises(pytest.fail.Exception, match=r'example\.com'):
        await asyncio.open_connection('example.com', 80)


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
def test_a_connection_to_this_machine_is_allowed(host: str) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        pass
