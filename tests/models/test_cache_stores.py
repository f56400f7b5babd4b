"""The stores of responses: they are bounded and shared, and no request fails because of them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm.exceptions import ModelTimeoutError, UserError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart
from pydantic_llm.models.cached import CachedModel, CacheStore, MemoryCache, RedisCache, SQLiteCache, open_cache
from pydantic_llm.models.cached.entry import encode_entry
from tests.faults.scaling import Work, assert_linear
from tests.models.redis_server import Redis, needs_redis, redis as redis  # a fixture
from tests.models.scripted import Scripted
from tests.models.test_cached import ask

ROOT = Path(__file__).parents[2]
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]


def key(number: int) -> str:
    return f'{number:064x}'


@pytest.fixture(params=['memory', 'sqlite', pytest.param('redis', marks=needs_redis)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CacheStore:
    match request.param:
        case 'memory':
            return MemoryCache()
        case 'sqlite':
            return SQLiteCache(tmp_path / 'cache.db')
        case _:
            return RedisCache(request.getfixturevalue('redis').url)


# ---------------------------------------------------------------------- every store


async def test_a_store_returns_what_was_stored(store: CacheStore) -> None:
    assert isinstance(store, CacheStore)
    assert await store.get(key(1)) is None
    for value in (b'{"a": 1}', b'\x00\xff', b'', b'x' * 100_000):
        await store.set(key(1), value, None)
        assert await store.get(key(1)) == value
    assert await store.get(key(2)) is None
    await store.aclose()
    await store.aclose()
    assert await store.get(key(1)) == b'x' * 100_000
    await store.clear()  # type: ignore[attr-defined]
    assert await store.get(key(1)) is None
    await store.aclose()


async def test_a_value_is_gone_after_its_time(store: CacheStore) -> None:
    await store.set(key(1), b'short', 0.05)
    await store.set(key(2), b'long', 60)
    await store.set(key(3), b'first', 0.05)
    await store.set(key(3), b'forever', None)
    assert await store.get(key(1)) == b'short'
    await asyncio.sleep(0.06)
    assert [await store.get(key(number)) for number in (1, 2, 3)] == [None, b'long', b'forever']
    await store.aclose()


def test_a_store_works_in_many_loops_and_threads(store: CacheStore) -> None:
    errors: list[BaseException] = []

    async def work(number: int) -> None:
        for turn in range(10):
            await store.set(key(number), b'%d' % number, None)
            assert await store.get(key(number)) == b'%d' % number, turn
        await store.aclose()

    def run(number: int) -> None:
        try:
            asyncio.run(work(number))
        except BaseException as error:  # noqa: BLE001 -- raised by the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize(
    'value',
    [
        b'',
        b'no JSON',
        b'[]',
        b'{}',
        b'\x80\x04\x95pickle',
        b'{"format": 2, "stored_at": 1, "response": {"parts": [{"content": "Hi", "part_kind": "text"}]}}',
        b'{"format": 1, "stored_at": "x", "response": {"parts": []}}',
        b'{"format": 1, "stored_at": NaN, "response": {"parts": [{"content": "Hi", "part_kind": "text"}]}}',
        b'{"format": 1, "stored_at": 1, "response": {"parts": [{"part_kind": "other"}]}}',
        b'{"format":1,"stored_at":1,"response":{"parts":[{"content":"Hi","part_kind":"text"}],"state":"incomplete"}}',
        b'[' * 100_000,
    ],
    ids=lambda value: repr(value[:70]),
)
async def test_a_malformed_entry_is_a_miss(value: bytes, tmp_path: Path) -> None:
    for store in (MemoryCache(), SQLiteCache(tmp_path / 'cache.db')):
        inner = Scripted('a')
        model = CachedModel(inner, store)
        await model.request(HELLO)
        await store.set(model.describe_request(HELLO).fingerprint, value, None)
        for _ in range(2):
            async with model.request_stream(HELLO) as stream:
                async for _ in stream:
                    pass
            assert stream.get().text == 'Hi'
        assert len(inner.requests) == 2
        await model.aclose()


@pytest.mark.parametrize(
    'fragments', [[[1, 1], [2]], [[-1, 3]], [[5]], [[1]], [None], [[2, 0]], 'x', [['x']], [[1, 1], None]]
)
async def test_malformed_fragments_change_no_text(fragments: Any) -> None:
    model = CachedModel(Scripted('a', ['H', 'i']))
    await model.request(HELLO)
    name = model.describe_request(HELLO).fingerprint
    entry = json.loads(await model.store.get(name) or b'')
    await model.store.set(name, json.dumps({**entry, 'fragments': fragments}).encode(), None)
    async with model.request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert stream.get().text == 'Hi'


async def test_an_entry_of_a_later_version_with_more_fields_is_read() -> None:
    model = CachedModel(Scripted('a'))
    await model.request(HELLO)
    name = model.describe_request(HELLO).fingerprint
    entry = json.loads(await model.store.get(name) or b'')
    changed = {**entry, 'new': 1, 'response': {**entry['response'], 'new_field': {'x': 1}}}
    await model.store.set(name, json.dumps(changed).encode(), None)
    assert (await model.request(HELLO)).from_cache is not None


def test_an_entry_holds_no_key_and_nothing_of_the_run() -> None:
    response = ModelResponse([TextPart('Hi')], run_id='run-1', conversation_id='talk-1', metadata={'x': 'private'})
    response.headers = {'x': 'secret'}
    stored = encode_entry(response) or b''
    assert stored
    assert [word for word in (b'run-1', b'talk-1', b'private', b'secret') if word in stored] == []


@pytest.mark.parametrize('spec', ['memory', 'sqlite:x.db', 'sqlite:///tmp/../x.db'])
def test_a_text_names_a_store(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kind = MemoryCache if spec == 'memory' else SQLiteCache
    assert isinstance(open_cache(spec.replace('/tmp/..', str(tmp_path))), kind)


@pytest.mark.parametrize(
    'spec',
    ['', 'disk', 'memory:5', 'sqlite:', 'sqlite::memory:', 'redis', 'redis://localhost:port', 'http://x', 5, None],
)
def test_another_text_is_an_error(spec: Any) -> None:
    with pytest.raises(UserError) as caught:
        open_cache(spec)
    assert 'redis://' in str(caught.value) or 'MemoryCache()' in str(caught.value)


def test_the_password_of_a_redis_is_not_shown() -> None:
    store = RedisCache('redis://:secret-password@127.0.0.1:1')
    assert 'secret' not in repr(CachedModel('test', store))
    with pytest.raises(UserError) as caught:
        RedisCache('redis://:secret-password@127.0.0.1:port')
    assert 'secret' not in repr(caught.value)


# ---------------------------------------------------------------------- a store that fails


class Failing:
    """A store that raises, or that takes its time."""

    def __init__(self, error: Exception | None = None, seconds: float = 0.0) -> None:
        self.error = error
        self.seconds = seconds
        self.calls = 0

    async def get(self, key: str) -> bytes | None:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return None

    async def set(self, key: str, value: bytes, ttl: float | None) -> None:
        await self.get(key)

    async def aclose(self) -> None: ...


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_a_store_that_fails_is_a_miss_with_one_warning(caplog: pytest.LogCaptureFixture, stream: bool) -> None:
    store = Failing(OSError('the disk is full'))
    model = CachedModel(Scripted('a'), store)
    with caplog.at_level(logging.WARNING, 'pydantic_llm.cache'):
        for _ in range(3):
            if stream:
                async with model.request_stream(HELLO) as streamed:
                    assert [event async for event in streamed]
            else:
                assert (await model.request(HELLO)).text == 'Hi'
    assert store.calls == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{store!r} failed, so responses are not cached for 5.0 s: OSError('the disk is full')"
    ]


async def test_a_store_that_hangs_is_left_after_a_second_and_then_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Failing(seconds=60)
    model = CachedModel(Scripted('a'), store)
    model._guarded.pausing.timeout = 0.05
    began = time.monotonic()
    for _ in range(3):
        assert (await model.request(HELLO)).text == 'Hi'
    assert time.monotonic() - began < 0.2
    assert store.calls == 1


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_a_slow_store_counts_towards_the_deadline_of_the_request(stream: bool) -> None:
    store = Failing(seconds=0.15)
    model = CachedModel(Scripted('a', [0.15, 'Hi']), store, single_flight=False)
    deadline = 'first_token_timeout' if stream else 'timeout'
    began = time.monotonic()
    with pytest.raises(ModelTimeoutError) as caught:
        await ask(model, {deadline: 0.2}, stream=stream)
    assert caught.value.deadline == deadline
    assert time.monotonic() - began < 0.3


async def test_a_deadline_that_passes_during_a_slow_operation_is_no_failure_of_the_store() -> None:
    store = Failing(seconds=0.1)
    model = CachedModel(Scripted('a'), store)
    assert (await model.request(HELLO, {'timeout': 0.02})).text == 'Hi'
    assert not model._guarded.pausing.is_paused


async def test_the_last_operation_does_not_exceed_the_deadline() -> None:
    class SlowToStore(Failing):
        async def get(self, key: str) -> bytes | None:
            return None

        async def set(self, key: str, value: bytes, ttl: float | None) -> None:
            await asyncio.sleep(60)

    model = CachedModel(Scripted('a', [0.1, 'Hi']), SlowToStore())
    began = time.monotonic()
    assert (await model.request(HELLO, {'timeout': 0.2})).text == 'Hi'
    assert time.monotonic() - began < 0.3


async def test_a_store_that_returns_something_else_is_a_miss() -> None:
    class Odd(Failing):
        async def get(self, key: str) -> Any:
            return {'not': 'bytes'}

    assert (await CachedModel(Scripted('a'), Odd()).request(HELLO)).text == 'Hi'


# ---------------------------------------------------------------------- memory


async def test_memory_keeps_the_entries_that_were_used_last() -> None:
    store = MemoryCache(max_entries=3)
    for number in range(3):
        await store.set(key(number), b'x', None)
    await store.get(key(0))
    await store.set(key(3), b'x', None)
    assert [await store.get(key(number)) is not None for number in range(4)] == [True, False, True, True]
    assert len(store) == 3


async def test_memory_is_bounded_by_bytes() -> None:
    store = MemoryCache(max_bytes=10_000, max_entries=None)
    for number in range(100):
        await store.set(key(number), b'x' * 1000, None)
        assert store.size <= 10_000
    assert len(store) == 7
    await store.set(key(1000), b'x' * 10_000, None)
    assert await store.get(key(1000)) is None
    assert len(store) == 7
    for number in range(100):
        await store.set(key(5), b'y' * number, None)
    await store.clear()
    assert (store.size, len(store)) == (0, 0)


@pytest.mark.parametrize('options', [{'max_entries': 0}, {'max_entries': 1.5}, {'max_bytes': -1}, {'max_bytes': 'x'}])
def test_an_invalid_limit_is_refused(options: Any) -> None:
    with pytest.raises(UserError, match='max_'):
        MemoryCache(**options)


def make_writer(make: Callable[[], CacheStore]) -> Callable[[int], Callable[[], object]]:
    """Return work that stores entries in a store that is full, and reads them."""

    def make_work(count: int) -> Callable[[], object]:
        store = make()

        async def write() -> None:
            for number in range(count):
                await store.set(key(number), b'x' * 1000, 60)
                await store.get(key(number // 2))
            await store.aclose()

        return lambda: asyncio.run(write())

    return make_work


def test_the_time_of_a_store_does_not_depend_on_its_size(tmp_path: Path) -> None:
    assert_linear(Work('memory', make_writer(lambda: MemoryCache(max_bytes=200_000)), 1000))
    numbers = count()
    make = make_writer(lambda: SQLiteCache(tmp_path / f'{next(numbers)}.db', max_bytes=50_000))
    assert_linear(Work('sqlite', make, 40))


# ---------------------------------------------------------------------- SQLite


def test_a_new_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    store = SQLiteCache(tmp_path / 'cache.db')
    asyncio.run(store.set(key(1), b'x', None))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {'cache.db': 0o600, 'cache.db-wal': 0o600, 'cache.db-shm': 0o600}
    asyncio.run(store.aclose())


async def test_a_file_is_bounded_and_keeps_the_entries_that_were_used_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr('pydantic_llm.models.cached.sqlite.time.time', lambda: now)
    store = SQLiteCache(tmp_path / 'cache.db', max_bytes=100_000)
    for number in range(60):
        now += 100
        await store.set(key(number), b'x' * 9_800, None)
        assert await store.get(key(0)) is not None
    found = [number for number in range(60) if await store.get(key(number)) is not None]
    assert found[0] == 0
    assert found[1:] == [*range(60 - len(found) + 1, 60)]
    assert 8 <= len(found) <= 10
    await store.set(key(100), b'x' * 200_000, None)
    assert await store.get(key(100)) is None
    await store.aclose()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 300_000  # noqa: ASYNC240


async def test_expired_entries_are_removed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr('pydantic_llm.models.cached.sqlite.time.time', lambda: now)
    store = SQLiteCache(tmp_path / 'cache.db', max_bytes=10_000)
    await store.set(key(0), b'x' * 2000, None)
    for number in range(1, 4):
        await store.set(key(number), b'x' * 2000, 10)
    now += 20
    await store.set(key(9), b'x' * 4000, None)
    assert await store.get(key(0)) is not None
    await store.aclose()


def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text, other = tmp_path / 'notes.txt', tmp_path / 'other.db'
    text.write_text('Notes that nobody may overwrite. ' * 100)
    with sqlite3.connect(other) as connection:
        connection.execute('CREATE TABLE entries (x)')
    connection.close()
    for path, message in ((text, 'no SQLite file'), (other, 'another program'), (tmp_path, 'cannot be opened')):
        before = path.read_bytes() if path.is_file() else b''
        with pytest.raises(UserError, match=message):
            SQLiteCache(path)
        assert (path.read_bytes() if path.is_file() else b'') == before
    with pytest.raises(UserError, match='No such file'):
        SQLiteCache(tmp_path / 'missing' / 'cache.db')


def make_file(path: Path) -> None:
    store = SQLiteCache(path)
    asyncio.run(store.set(key(1), b'x' * 50_000, None))
    asyncio.run(store.aclose())


def test_a_file_of_a_newer_version_is_refused_and_one_of_an_older_version_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / 'cache.db'
    make_file(path)
    with sqlite3.connect(path) as connection:
        connection.execute('PRAGMA user_version = 99')
    connection.close()
    with pytest.raises(UserError, match='newer version'):
        SQLiteCache(path)
    with sqlite3.connect(path) as connection:
        connection.execute('PRAGMA user_version = 0')
        connection.execute('DROP TABLE total')
    connection.close()
    store = SQLiteCache(path)
    assert asyncio.run(store.get(key(1))) is None
    asyncio.run(store.set(key(1), b'new', None))
    assert asyncio.run(store.get(key(1))) == b'new'
    asyncio.run(store.aclose())


def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / 'cache.db'
    make_file(path)
    path.write_bytes(b'SQLite format 3\x00' + b'\xff' * 5000)
    with pytest.raises(UserError, match=r'is damaged.*delete it, or give another path'):
        SQLiteCache(path)


async def test_a_file_that_is_damaged_later_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'cache.db'
    model = CachedModel(Scripted('a', ['x' * 50_000]), SQLiteCache(path))
    await model.request(HELLO)
    await model.store.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b'\xff' * (len(content) - 4096)
    path.write_bytes(content)
    for _ in range(2):
        response = await model.request(HELLO)
        assert (len(response.text or ''), response.from_cache) == (50_000, None)
    assert 'responses are not cached' in caplog.text
    await model.aclose()


async def test_a_file_that_another_process_locks_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('pydantic_llm.models.cached.sqlite.BUSY_SECONDS', 0.05)
    model = CachedModel(Scripted('a'), SQLiteCache(tmp_path / 'cache.db'))
    other = sqlite3.connect(tmp_path / 'cache.db', isolation_level=None)
    other.execute('BEGIN EXCLUSIVE')
    assert (await model.request(HELLO)).text == 'Hi'
    other.execute('ROLLBACK')
    other.close()
    model._guarded.pausing.paused_until = 0.0
    await model.request(HELLO)
    assert (await model.request(HELLO)).from_cache is not None
    await model.aclose()


WORK = """
import asyncio, sys
from pydantic_llm.models.cached import open_cache

async def main(spec, start):
    store = open_cache(spec)
    for number in range(start, start + 60):
        await store.set(f'{number:064x}', b'%d' % number, None)
        assert await store.get(f'{number:064x}') == b'%d' % number
    await store.aclose()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize('kind', ['sqlite', pytest.param('redis', marks=needs_redis)])
def test_processes_share_a_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    spec = f'sqlite:{tmp_path}/cache.db' if kind == 'sqlite' else request.getfixturevalue('redis').url
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    commands = [[sys.executable, '-c', WORK, spec, str(100 * number)] for number in range(3)]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for command in commands]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    store = open_cache(spec)

    async def count_entries() -> int:
        found = [await store.get(key(100 * process + number)) for process in range(3) for number in range(60)]
        await store.aclose()
        return sum(value is not None for value in found)

    assert asyncio.run(count_entries()) == 180


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='the system cannot fork')
@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_a_forked_child_uses_the_store(tmp_path: Path) -> None:
    for store in (MemoryCache(), SQLiteCache(tmp_path / 'cache.db')):
        model = CachedModel(Scripted('a'), store)
        asyncio.run(model.request(HELLO))
        connections = [*getattr(store, '_open', ())]
        with store._lock:  # as a thread of the parent may hold it
            child = os.fork()
            if child == 0:
                found = asyncio.run(model.request(HELLO))
                shared = [each for each in getattr(store, '_open', ()) if each in connections]
                os._exit(0 if found.from_cache is not None and not shared else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert asyncio.run(model.request(HELLO)).from_cache is not None
        asyncio.run(model.aclose())


# ---------------------------------------------------------------------- Redis


@needs_redis
async def test_models_share_a_redis(redis: Redis) -> None:
    first, second = (CachedModel(Scripted('a'), RedisCache(redis.url), ttl=60) for _ in range(2))
    await first.request(HELLO)
    assert (await second.request(HELLO)).from_cache is not None
    other = CachedModel(Scripted('a'), RedisCache(redis.url, prefix='other'))
    assert (await other.request(HELLO)).from_cache is None
    for model in (first, second, other):
        await model.aclose()


@needs_redis
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_a_redis_that_dies_fails_no_request(redis: Redis, caplog: pytest.LogCaptureFixture, stream: bool) -> None:
    model = CachedModel(Scripted('a'), RedisCache(redis.url))

    async def ask() -> ModelResponse:
        async with model.request_stream(HELLO) as streamed:
            async for _ in streamed:
                pass
            return streamed.get()

    await model.request(HELLO)
    redis.kill()
    began = time.monotonic()
    for _ in range(3):
        response = await ask() if stream else await model.request(HELLO)
        assert (response.text, response.from_cache) == ('Hi', None)
    assert time.monotonic() - began < 1
    assert caplog.text.count('responses are not cached') == 1
    redis.start()
    model._guarded.pausing.paused_until = 0.0
    await model.request(HELLO)
    assert (await model.request(HELLO)).from_cache is not None
    await model.aclose()


@needs_redis
async def test_other_values_in_redis_are_misses(redis: Redis) -> None:
    store = RedisCache(redis.url)
    model = CachedModel(Scripted('a'), store)
    name = f'{store.prefix}:{model.describe_request(HELLO).fingerprint}'
    client = store._clients.get()
    await client.lpush(name, 'a list')
    assert (await model.request(HELLO)).text == 'Hi'
    model._guarded.pausing.paused_until = 0.0
    await client.delete(name)
    await client.set(name, 'no entry')
    assert (await model.request(HELLO)).from_cache is None
    assert (await model.request(HELLO)).from_cache is not None
    await model.aclose()
