"""`Recording`: a JSON file with the exchanges of one or several models."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, cast
from weakref import WeakValueDictionary

from pydantic_core import from_json, to_jsonable_python

from ...exceptions import UserError
from ...json_types import Json
from ...profiles import ModelProfile
from .. import Model
from .exchange import Exchange
from .matching import keep_json
from .redaction import Redactor

__all__ = ('Recording', 'decode_profile')

VERSION = 1
"""The version of the format. A newer one is refused; unknown fields of the same version are ignored."""

PROFILE_FIELDS = {field.name: field for field in fields(ModelProfile) if field.name != 'json_schema_transformer'}


class Recording:
    """A file that is written each time a response is complete, or one that was read."""

    _open: ClassVar[WeakValueDictionary[Path, Recording]] = WeakValueDictionary()

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self.models: dict[str, Json] = {}
        """The facts of each model, by its id."""
        self._exchanges: dict[int, Exchange] = {}
        self._texts: dict[int, str] = {}
        self._begun = 0
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Recording:
        """Return a recording that begins empty, or the one with this path that other models are writing now."""
        key = Path(path).absolute()
        return cls._open.get(key) or cls._open.setdefault(key, cls(key))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Recording:
        """Read a file. Raises `UserError` if it does not exist, or is not a recording of this version."""
        recording = cls(path)
        content = _read_file(recording.path)
        try:
            models: dict[str, Json] = content['models']
            recording.models = {id: {'model_name': id, 'system': '', **facts} for id, facts in models.items()}
            recording._exchanges = dict(enumerate(map(Exchange, content['exchanges'])))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f'{recording.path} is not a recording: {type(error).__name__}: {error}') from error
        return recording

    @property
    def exchanges(self) -> list[Exchange]:
        """The exchanges, in the order in which their requests began."""
        with self._lock:
            return [self._exchanges[number] for number in sorted(self._exchanges)]

    def add_model(self, model: Model, redactor: Redactor) -> None:
        """Record the facts of a model. Raises `UserError` if another model with this id has other facts."""
        facts = redactor.redact_fields(_describe_model(model))
        with self._lock:
            if self.models.setdefault(model.model_id, facts) != facts:
                raise UserError(
                    f'{self.path} records another model {model.model_id!r} with other settings: give each a file'
                )

    def begin(self) -> int:
        """Return the number of a request that begins."""
        with self._lock:
            self._begun += 1
            return self._begun

    def add(self, number: int, exchange: Exchange) -> None:
        """Add the exchange of the request with this number, and write the file. A reader never sees a part of it.

        Raises `UserError` if it cannot be written.
        """
        text = exchange.to_text().replace('\n', '\n    ')
        with self._lock:
            self._exchanges[number], self._texts[number] = exchange, text
            try:
                self._write()
            except OSError as error:
                raise UserError(f'The recording {str(self.path)!r} cannot be written: {error}') from error

    def _write(self) -> None:
        models = json.dumps(self.models, indent=2, ensure_ascii=False).replace('\n', '\n  ')
        exchanges = ',\n    '.join(self._texts[number] for number in sorted(self._texts))
        text = f'{{\n  "version": {VERSION},\n  "models": {models},\n  "exchanges": [\n    {exchanges}\n  ]\n}}\n'
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=f'.{self.path.name}.')
        try:
            with os.fdopen(handle, 'w', encoding='utf-8', newline='\n') as file:
                file.write(text)
            Path(name).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def _describe_model(model: Model) -> Json:
    facts: Json = {'model_name': model.model_name, 'system': model.system, 'base_url': model.base_url}
    profile: Json = {}
    for name in model.profile.what_is_set().keys() & PROFILE_FIELDS.keys():
        with suppress(ValueError):  # it is not JSON
            profile[name] = to_jsonable_python(getattr(model.profile, name))
    return facts | {'settings': keep_json(model.settings), 'profile': dict(sorted(profile.items()))}


def decode_profile(facts: Json) -> ModelProfile:
    """Return the profile of a recorded model. Fields that this version does not know are ignored."""
    known: dict[str, Any] = {}
    for name, value in facts.get('profile', {}).items():
        if (field := PROFILE_FIELDS.get(name)) is not None:
            is_collection = isinstance(field.default, (frozenset, tuple))
            known[name] = cast('type[Any]', type(field.default))(value) if is_collection else value
    return ModelProfile(**known)


def _read_file(path: Path) -> Json:
    try:
        content = from_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f'There is no recording {str(path)!r}: make one with RecordingModel, or with pytest --llm=record'
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f'{str(path)!r} is not a recording: {error}') from error
    if not isinstance(content, dict) or not isinstance(cast('Json', content).get('version'), int):
        raise UserError(f'{str(path)!r} is not a recording: it has no version')
    if (version := cast('Json', content)['version']) > VERSION:
        raise UserError(
            f'{str(path)!r} has version {version} of the format, this package reads up to {VERSION}: upgrade it'
        )
    return cast('Json', content)
