"""Helps to test programs with models, and models themselves.

`pytest_plugin`, which pytest loads, has the option `--llm` and the fixtures. `server` is the server of the fixture
`llm_server`, `recordings` finds the file of the fixture `recorded_model`.

`suite` is the conformance suite of models, `wire_suite` that of wire formats, whose two halves `room` describes and
`served` connects. `exchange`, `samples`, `changes`, `strategies` and `expectations` are their parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy_names import import_lazily

if TYPE_CHECKING:
    from .recordings import RecordedModels
    from .room import Features, Room
    from .served import serve_room
    from .server import LLMServer
    from .suite import ModelCheckError, ModelSuite, check_model
    from .wire_suite import WireSuite

__all__ = (
    'Features',
    'LLMServer',
    'ModelCheckError',
    'ModelSuite',
    'RecordedModels',
    'Room',
    'WireSuite',
    'check_model',
    'serve_room',
)

HOMES = {
    'Features': 'room',
    'LLMServer': 'server',
    'ModelCheckError': 'suite',
    'ModelSuite': 'suite',
    'RecordedModels': 'recordings',
    'Room': 'room',
    'WireSuite': 'wire_suite',
    'check_model': 'suite',
    'serve_room': 'served',
}

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, HOMES)
