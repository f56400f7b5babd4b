"""Errors of libraries while they load a model → ours. Start at `translate_errors`.

The errors of the Hugging Face Hub are known by the names of their classes, as its package may be missing
(huggingface_hub/errors.py, 2.4). Libraries raise others from them.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...exceptions import LLMError, ModelAPIError, ModelConnectionError, UserError
from .loading import Source

__all__ = ('describe_error', 'describe_weights_error', 'find_place_error', 'translate_errors')

HUB_ERRORS = {
    'GatedRepoError': 'is gated: accept its terms on its page of the hub, and log in with `hf auth login` or HF_TOKEN',
    'DisabledRepoError': 'is disabled on the hub',
    'RevisionNotFoundError': 'has no such revision on the hub: give revision= the name of a branch, a tag or a commit',
}
"""The reasons that the hub gives for a refusal."""

UNREACHABLE = ('LocalEntryNotFoundError', 'OfflineModeIsEnabled')
"""The errors of a file that is not in the cache if the hub cannot be asked."""

OFFLINE = ("couldn't connect", 'offline', 'Connection error', 'Max retries', 'snapshot folder')
"""Parts of the errors that libraries raise in this case without a cause."""

BROKEN_DISK = {
    errno.ENOSPC: 'free some space, or set HF_HOME to a folder on another disk',
    errno.EROFS: 'set HF_HOME to a folder that can be written',
    errno.EACCES: 'check the permissions of the file, or set HF_HOME to a folder that can be written',
}
"""The errors of a disk, and what to do."""

BROKEN_WEIGHTS = ('deserializing header', '[load_safetensors]', '[read]', 'PytorchStreamReader', 'invalid load key')
"""Parts of the errors for files of weights that are truncated, or something else (safetensors, mlx, torch)."""

NEEDS_TRUST = 'trust_remote_code'
"""The part of the error for a model whose repository contains code."""

MISMATCH = 'ignore_mismatched_sizes'
"""The part of the error for weights that the configuration does not fit; the library logs which ones."""

BROKEN: tuple[type[Exception], ...] = (MemoryError, RuntimeError)
"""Errors of a library that are not caused by the options: no memory, or a defect of the machine or the library."""

SENTENCES: tuple[type[Exception], ...] = (ImportError, OSError, RuntimeError)
"""The errors whose text says what happened without the name of the class."""


@contextmanager
def translate_errors(source: Source, *, engine: str, hint: str = '') -> Generator[None]:
    """Translate the errors that a library raises while it loads a model; `hint` is added to those of `BROKEN`."""
    try:
        yield
    except LLMError:
        raise
    except Exception as error:
        raise find_place_error(source.name, engine, error) or _translate_error(source, engine, error, hint) from error


def find_place_error(name: str, engine: str, error: Exception) -> LLMError | None:
    """Return the error for a repository that the hub refuses or that is out of reach, or for a disk; else `None`."""
    if (refusal := _find_refusal(error)) is not None:
        return UserError(f'{name!r} {refusal}')
    if (reason := _find_disk_error(error)) is not None:
        return ModelAPIError(name, f'{name!r} cannot be loaded: {reason}', provider_name=engine)
    if (cause := _find_outage(error)) is not None:
        message = f'{name!r} is not on this machine, and the hub cannot be reached: {cause}'
        return ModelConnectionError(name, message, provider_name=engine)
    return None


def _translate_error(source: Source, engine: str, error: Exception, hint: str) -> LLMError:
    text, name = describe_error(error), source.name
    if isinstance(error, ImportError):
        return UserError(f'{name!r} cannot be loaded, because a package is missing: {text}')
    if NEEDS_TRUST in text and not source.trust_remote_code:
        return UserError(
            f'{name!r} comes with code of its own, which runs only with trust_remote_code=True: read it first'
        )
    if MISMATCH in text or any(part in text for part in BROKEN_WEIGHTS):
        return UserError(f'{name!r} cannot be loaded: {describe_weights_error(error)}')
    if isinstance(error, BROKEN):
        return ModelAPIError(name, f'{name!r} cannot be loaded: {text}{hint}', provider_name=engine)
    return UserError(f'{name!r} cannot be loaded: {_advise(name)}{text}')


def _advise(name: str) -> str:
    """Return what to do about a name, if it is not that of a folder with a model."""
    with suppress(OSError, ValueError):  # not a path that the system allows
        path = Path(name)
        if (path / 'config.json').is_file():
            return ''
        if path.is_dir():
            return 'give a name on the hub or the path of a folder with config.json. '
        if path.is_file() and path.suffix != '.gguf':
            return 'give the path of its folder. '
    return 'give a name on the hub or the path of a folder. '


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the newest first."""
    seen = set[int]()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _has_kind(error: BaseException, name: str) -> bool:
    return any(kind.__name__ == name for kind in type(error).__mro__)


def _find_refusal(error: BaseException) -> str | None:
    """Return why the hub refuses a repository, if it does."""
    for cause in _list_causes(error):
        for name, reason in HUB_ERRORS.items():
            if _has_kind(cause, name):
                return reason
        is_private = _has_kind(cause, 'RepositoryNotFoundError')  # or there is no such repository
        if _has_kind(cause, 'HfHubHTTPError') and _get_status(cause) in (401, 403) and not is_private:
            return (
                f'cannot be loaded: the hub refuses the token of `hf auth login` or HF_TOKEN: {describe_error(cause)}'
            )
    return None


def _get_status(error: BaseException) -> object:
    return getattr(getattr(error, 'response', None), 'status_code', None)


def _find_disk_error(error: BaseException) -> str | None:
    for cause in _list_causes(error):
        if isinstance(cause, OSError) and cause.errno in BROKEN_DISK:
            return f'{cause}: {BROKEN_DISK[cause.errno]}'
    return None


def _find_outage(error: BaseException) -> str | None:
    """Return why the hub cannot be reached, if that is the reason of the error."""
    causes = [*_list_causes(error)]
    if any(_has_kind(cause, name) for cause in causes for name in UNREACHABLE):
        # the error of the connection itself, which the library reports more generally
        return describe_error(next((cause for cause in causes if _has_kind(cause, 'HTTPError')), error))
    return describe_error(error) if any(part in f'{error}' for part in OFFLINE) else None


def describe_weights_error(error: BaseException) -> str:
    """Return what is wrong with a file of weights, or the text of another error."""
    text = describe_error(error)
    if MISMATCH in text:
        return 'its weights have other sizes than its configuration'
    if any(part in text for part in BROKEN_WEIGHTS):
        return f'a file of its weights is incomplete or broken ({text})'
    return text


def describe_error(error: BaseException) -> str:
    """Return the first paragraph of an error in one line, with the name of its class if that says more."""
    text = ' '.join(f'{error}'.strip().partition('\n\n')[0].split())
    kind = type(error).__name__
    is_sentence = isinstance(error, SENTENCES) or type(error) is ValueError
    return text if is_sentence and text else f'{kind}: {text}' if text else kind
