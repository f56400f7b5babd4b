"""`request` and `request_stream`, written once for every engine in this process.

An engine's `model.py` subclasses `LocalModel` and says how its engine is made; the rest follows from the engine.
"""

from __future__ import annotations

import threading
import weakref
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Hashable, Sequence
from contextlib import asynccontextmanager
from os import PathLike, fspath
from typing import Any, ClassVar, TypeVar, Unpack, cast

from ..._threads import run_in_thread
from ...exceptions import ContextLengthError, UserError
from ...messages import FileUrl, ModelMessage, ModelResponse
from ...profiles import ModelProfile
from ...profiles.local import local_profile
from ...settings import ModelSettings
from ...streaming.draft import ResponseDraft
from ...transport import Deadlines
from ...transport.deadlines import DeadlineExceeded, Watchdog
from ...wire.files import download_files
from ...wire.prepare import PreparedRequest, prepare
from .. import Model, ModelRequestParameters, StreamedResponse
from .answer import AnswerReader, LocalStream, timed_out
from .dialog import Asked, Dialog
from .engine import Engine, Job, Loaded, Prompt, Sampling
from .engines import Lease
from .options import LocalOptions
from .output import TokenWriter
from .sampling import sampling_from
from .turns import in_turn

__all__ = ('SHARED_SETTINGS', 'LocalModel')

T = TypeVar('T')

SHARED_SETTINGS = frozenset(
    {
        'max_tokens',
        'temperature',
        'top_p',
        'top_k',
        'seed',
        'presence_penalty',
        'frequency_penalty',
        'logit_bias',
        'stop_sequences',
        'thinking',
        'tool_choice',
        'constraint',
    }
)
"""The shared settings that every engine has."""

MAX_NEW_TOKENS = 4096
"""How long an answer may be where nobody says."""

AT_ONCE = 20_000
"""Characters that are made a prompt on the event loop, which takes a millisecond; longer ones go to a thread."""


class LocalModel(Model):
    """A model that runs in this process. An engine's `model.py` subclasses this."""

    supported_settings: ClassVar[frozenset[str]] = SHARED_SETTINGS
    """The shared settings that the engine has."""
    settings_prefix: ClassVar[str]
    """What the names of the engine's own settings begin with."""
    own_settings: ClassVar[Collection[str]] = ()
    """The names of the engine's own settings."""

    def __init__(self, model_name: str | PathLike[str], **options: Unpack[LocalOptions]) -> None:
        super().__init__(settings=options.get('settings'), profile=options.get('profile'))
        if not fspath(model_name):
            raise UserError('model_name is empty')
        self._model_name = fspath(model_name)
        self._options = options
        self._lease: Lease | None = None
        self._leasing = threading.Lock()
        self._dialogs: weakref.WeakKeyDictionary[Any, Dialog] = weakref.WeakKeyDictionary()

    # what an engine says

    @abstractmethod
    def engine_key(self) -> Hashable:
        """What must be equal for two model objects to share an engine."""

    @abstractmethod
    def make_engine(self) -> Engine:
        """An engine that has loaded nothing yet."""

    def sampling(self, settings: ModelSettings, loaded: Loaded) -> Sampling:
        """How tokens are chosen. Overridden by engines with more to say."""
        return sampling_from(
            settings, loaded.sampling, prefix=self.settings_prefix, vocabulary_size=loaded.vocabulary_size
        )

    # what follows from it

    @property
    def model_name(self) -> str:
        """The name or the path of the model."""
        return self._model_name

    @property
    def engine(self) -> Engine:
        """What runs the model: one for all model objects that name the same one."""
        with self._leasing:
            if self._lease is None:
                self._lease = lease = Lease(self.engine_key(), self.make_engine)
                weakref.finalize(self, lease.abandon)
            return self._lease.engine

    def _own_profile(self) -> ModelProfile:
        return local_profile(self.model_name)

    async def load(self) -> Loaded:
        """Load the model now, rather than with the first request. Whoever else asks for it waits for the same."""
        return await self.engine.load()

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> ModelResponse:
        """Put a conversation to the model, get the next turn."""
        request = self.prepare(messages, model_settings, model_request_parameters)
        stream = await self._open(request)
        try:
            await stream.read_all()
            return stream.get()
        finally:
            await stream.close()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None = None,
        model_request_parameters: ModelRequestParameters | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Put a conversation to the model, get the next turn as it is written."""
        request = self.prepare(messages, model_settings, model_request_parameters, stream=True)
        stream = await self._open(request)
        try:
            yield stream
        finally:
            await stream.cancel()

    async def aclose(self) -> None:
        """Let go of the engine; the last model object that does so stops it, and frees its memory.

        The model can be used again: its next request loads it anew.
        """
        if (engine := self._release_engine()) is not None:
            await engine.aclose()

    def _release_engine(self) -> Engine | None:
        """Release the engine; return it if this was its last user, which must close it."""
        with self._leasing:
            lease, self._lease = self._lease, None
        return None if lease is None else lease.release()

    def prepare(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
        *,
        stream: bool = False,
    ) -> PreparedRequest:
        """The request as it shall be put. Raises `UserError` for what cannot be."""
        return prepare(
            messages,
            self.merged_settings(settings),
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=self.supported_settings,
            prefix=self.settings_prefix,
            own=self.own_settings,
            stream=stream,
        )

    async def _open(self, request: PreparedRequest) -> LocalStream:
        """Give the engine its job. The deadlines run from here: loading and the queue count."""
        deadlines = Deadlines.from_settings(request.settings)
        watchdog = Watchdog(deadlines if request.stream else Deadlines(deadlines.timeout))
        job: Job | None = None
        try:
            with watchdog:
                job, asked = await self._submit(request)
        except DeadlineExceeded as passed:
            if job is not None:  # it passed while the job was handed over
                self.engine.cancel(job)
            raise timed_out(self.model_name, self.system, passed) from None
        finally:
            watchdog.close()
        draft = ResponseDraft(self.model_name, self.system, None, request.warnings)
        reader = AnswerReader(draft, calls=asked.calls, tags=asked.tags)
        return LocalStream(request, job, reader, draft, watchdog=watchdog, leave=self.engine.cancel)

    async def _submit(self, request: PreparedRequest) -> tuple[Job, Asked]:
        request.messages = await download_files(request.messages, _every_address)
        engine = self.engine
        loaded = await engine.load()
        dialog = self._dialogs.get(loaded.tokenizer)
        if dialog is None:
            dialog = Dialog(loaded.tokenizer, images=loaded.takes_images, options=self._options)
            self._dialogs[loaded.tokenizer] = dialog
        found = dialog
        asked = await _off_the_loop(lambda: found.ask(request), _is_long(request))
        prompt = await _off_the_loop(
            lambda: loaded.encode(asked.text, asked.images), asked.images or len(asked.text) > AT_ONCE
        )
        job = await self._job(request, loaded, asked, prompt)
        try:
            await engine.submit(job)
        except BaseException:
            engine.cancel(job)
            raise
        return job, asked

    async def _job(self, request: PreparedRequest, loaded: Loaded, asked: Asked, prompt: Prompt) -> Job:
        tokenizer, constraint = loaded.tokenizer, asked.constraint
        if constraint is not None and constraint.kind not in loaded.constraints:
            raise UserError(f'{self.system!r} cannot hold {self.model_name!r} to a {constraint.kind} constraint')
        matcher = None
        if constraint is not None and (grammars := loaded.grammars) is not None:
            matcher = await _off_the_loop(lambda: grammars.matcher(constraint), not grammars.is_compiled(constraint))
        hidden = frozenset(id for id, text in tokenizer.special_tokens.items() if text not in asked.shown)
        return Job(
            prompt,
            sampling=self.sampling(request.settings, loaded),
            max_tokens=self._max_tokens(request.settings, loaded, len(prompt.tokens)),
            writer=TokenWriter(
                tokenizer.decode, eos=loaded.eos, hidden=hidden, stop_sequences=_stop_sequences(request.settings)
            ),
            constraint=constraint,
            matcher=matcher,
            streamed=request.stream,
        )

    def _max_tokens(self, settings: ModelSettings, loaded: Loaded, prompt: int) -> int:
        """How many tokens the answer may have: what was asked for, as far as the model's context goes."""
        wanted = settings.get('max_tokens', self._options.get('max_new_tokens', MAX_NEW_TOKENS))
        if isinstance(wanted, bool) or not isinstance(cast('object', wanted), int) or wanted < 1:
            raise UserError(f'max_tokens is {wanted!r}: give a whole number, 1 or more')
        if loaded.context_length is None:
            return wanted
        room = loaded.context_length - prompt
        if room < 1:
            said = f'The conversation has {prompt} tokens, and {self.model_name} reads {loaded.context_length} at most'
            raise ContextLengthError(400, self.model_name, message=said, provider_name=self.system, retryable=False)
        return min(wanted, room)


async def _off_the_loop(function: Callable[[], T], is_long: object) -> T:
    """What the function gives: in a thread where that takes so long that others would feel it, else in a turn."""
    if is_long:
        return await run_in_thread(function)
    async with in_turn():
        return function()


def _is_long(request: PreparedRequest) -> bool:
    return len(request.messages) > 100


def _every_address(_: FileUrl) -> bool:
    return True


def _stop_sequences(settings: ModelSettings) -> Sequence[str]:
    sequences = settings.get('stop_sequences', ())
    if isinstance(sequences, str) or not all(isinstance(cast('object', item), str) for item in sequences):
        raise UserError(f'stop_sequences is {sequences!r}: give a list of texts')
    if not all(sequences):
        raise UserError('stop_sequences holds an empty text, which ends every answer at once')
    return sequences
