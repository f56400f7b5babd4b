"""`RecordedModels`: the models of one test, recorded or replayed by the fixture `recorded_model`."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._type_checks import check_type
from ..exceptions import UserError
from ..models import Model, infer_model
from ..models.recorded import Recording, RecordingModel, Redact, ReplayModel

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

__all__ = ('Mode', 'RecordedModels', 'find_recording')

Mode = Literal['replay', 'record', 'live']
"""The source of responses: a recording, the vendor and into a recording, or the vendor alone."""

FOLDER = 'recordings'

MAX_NAME = 100
"""Characters of the name of a file: file systems allow 255 bytes."""


class RecordedModels:
    """Returns the models of a test by their names."""

    def __init__(self, path: Path, mode: Mode, *, redact: Redact | None = None) -> None:
        self.path = path
        """The file of the recording."""
        self.mode: Mode = mode
        self._redact = redact
        self._recording = Recording(path)

    def __call__(self, model: KnownModelName | str, **options: Any) -> Model:
        """Return a model that replays, records or sends its requests.

        `options` are those of `infer_model`; to replay, only `settings` is used, so that no key is needed.
        """
        check_type(model, (str,), parameter='model', expected="a name such as 'openai:gpt-5.4-mini'", required=True)
        if self.mode == 'live':
            return infer_model(model, **options)
        if self.mode == 'record':
            return RecordingModel(infer_model(model, **options), self._recording, redact=self._redact)
        settings = options.get('settings')
        return ReplayModel(self.path, self._find_id(model), settings=settings, redact=self._redact)

    def _find_id(self, name: str) -> str:
        """Return the id of the recorded model with this name. A prefix can have another name than its vendor."""
        recorded = Recording.read(self.path).models
        if name in recorded:
            return name
        model_name = name.partition(':')[2] or name
        same = [id for id, facts in recorded.items() if facts['model_name'] == model_name]
        if len(same) == 1:
            return same[0]
        raise UserError(
            f'The recording {str(self.path)!r} has no model {name!r}, but {", ".join(map(repr, recorded))}: '
            'record it again, with pytest --llm=record'
        )


def find_recording(file: Path, test_id: str) -> Path:
    """Return the path of a test's recording: `recordings/<test module>/<test>.json` next to the test's file.

    The name is that of the test, with its class and its parameters; one that is not portable is shortened and gets a
    hash.
    """
    name = test_id.partition('::')[2].replace('::', '.') or file.stem
    safe = re.sub(r'[^\w.,=+@\[\]-]+', '_', name, flags=re.ASCII)
    if safe != name or len(safe) > MAX_NAME:
        safe = f'{safe[:MAX_NAME]}-{sha256(name.encode("utf-8", "replace")).hexdigest()[:8]}'
    return file.parent / FOLDER / file.stem / f'{safe}.json'
