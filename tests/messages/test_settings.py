"""Tests of merging settings: those of a model, of an agent, and of a run."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

from pydantic_llm import settings
from pydantic_llm.settings import TRANSPORT_SETTINGS, ModelSettings, merge_model_settings


def test_the_later_settings_win_key_by_key() -> None:
    base: ModelSettings = {'temperature': 0.0, 'max_tokens': 5}
    assert merge_model_settings(base, {'temperature': 1.0, 'seed': 0}) == {
        'temperature': 1.0,
        'max_tokens': 5,
        'seed': 0,
    }
    assert base == {'temperature': 0.0, 'max_tokens': 5}


def test_headers_and_body_fields_are_merged() -> None:
    base: ModelSettings = {'extra_headers': {'a': '1', 'b': '1'}, 'extra_body': {'x': {'deep': 1}, 'y': 1}}
    overrides: ModelSettings = {'extra_headers': {'b': '2'}, 'extra_body': {'x': {'other': 2}}}
    assert merge_model_settings(base, overrides) == {
        'extra_headers': {'a': '1', 'b': '2'},
        'extra_body': {'x': {'other': 2}, 'y': 1},
    }
    assert base == {'extra_headers': {'a': '1', 'b': '1'}, 'extra_body': {'x': {'deep': 1}, 'y': 1}}


def test_merging_with_no_settings_changes_nothing() -> None:
    own: ModelSettings = {'seed': 1}
    assert merge_model_settings(own, None) == merge_model_settings(None, own) == merge_model_settings(own, {}) == own
    assert merge_model_settings({}, own) == own
    assert merge_model_settings(None, None) is None


def test_a_falsy_value_still_wins() -> None:
    assert merge_model_settings({'thinking': 'high', 'top_k': 3}, {'thinking': False, 'top_k': 0}) == {
        'thinking': False,
        'top_k': 0,
    }


def test_transport_settings_are_settings() -> None:
    assert ModelSettings.__annotations__.keys() >= TRANSPORT_SETTINGS


def test_every_setting_has_a_docstring() -> None:
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef) and node.name == 'ModelSettings'
    )
    described = {
        node.target.id
        for node, after in pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr)
    }
    assert described == ModelSettings.__annotations__.keys()
