"""`ToolCallAssembler`: finds the tool call that each fragment of a stream belongs to, for APIs that number tool calls.

OpenAI names a call by its `index` and sends the id and the name once. Other servers number every call 0 (ollama#15457,
dynamo#4723, gcli2api#406), number none, change ids within a call (poolsideai/pool#9), or repeat the name or the whole
arguments (plexus#722, vllm#31438). The rules, in this order:

1. A fragment without a name belongs to the call with its id, else with its index, else to the last call.
2. A new id with a name begins a call at any index, and so does another name.
3. A fragment that repeats a call's name belongs to that call, unless the arguments so far are complete and other
   arguments follow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic_core import from_json, to_json

from ..messages import ToolCallPart
from .brackets import BracketScanner
from .parts import PartsManager

__all__ = ('ToolCallAssembler',)

Fields = dict[str, Any]

EMPTY = ('{}', 'null')
"""Arguments that some servers send first, before the true ones: openai-agents-js#712, ogx#5462"""


OBJECT_STARTS = '{ \t\r\n'
"""The first characters of a fragment that may be all arguments once more."""


@dataclass(slots=True, eq=False)
class _Call:
    """A tool call under construction."""

    key: Hashable
    index: Hashable = None
    id: str | None = None
    name: str = ''
    fields: Fields = field(default_factory=dict[str, Any])
    has_started: bool = False
    fragments: list[str] = field(default_factory=list[str])
    size: int = 0
    """The number of characters in the fragments."""
    held: str = ''
    """Arguments of `EMPTY`, until others follow or the response ends."""
    _begins_object: bool = False
    _brackets: BracketScanner = field(default_factory=BracketScanner)
    _scanned: int = 0

    def add(self, args: str) -> None:
        """Record a fragment of the arguments."""
        if args:
            if not self.fragments:
                self._begins_object = args.lstrip().startswith('{')
            self.fragments.append(args)
            self.size += len(args)

    def replace(self, args: str) -> None:
        """Record whole arguments in place of the fragments so far."""
        self.fragments, self.size = [], 0
        self._scanned, self._brackets = 0, BracketScanner()
        self.add(args)

    def join(self) -> str:
        return ''.join(self.fragments)

    def is_complete(self) -> bool:
        """Return whether the arguments so far are one object whose braces are balanced. Each character is read once."""
        for fragment in self.fragments[self._scanned :]:
            self._brackets.feed_all(fragment)
        self._scanned = len(self.fragments)
        return self._begins_object and self._brackets.is_balanced

    def is_unfinished(self) -> bool:
        """Return whether arguments have begun and are not complete."""
        return self.size > 0 and not self.is_complete()

    def repeats(self, args: str) -> bool:
        """Return whether complete arguments are sent once more."""
        return self.is_complete() and parse_json_object(args) == parse_json_object(self.join())


class ToolCallAssembler:
    """Adds the tool calls of one response to its parts. `tool_names` are the names of the request's tools."""

    def __init__(self, parts: PartsManager, tool_names: Collection[str] = ()) -> None:
        self._parts = parts
        self._tool_names = tool_names
        self._calls: list[_Call] = []
        self._whole_count = 0  # of calls that came in one piece, and are not in `_calls`
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[Hashable, _Call] = {}

    def __bool__(self) -> bool:
        """Return whether the response has tool calls."""
        return bool(self._calls or self._whole_count)

    def add(self, *, id: str | None, name: str | None, args: object, **fields: Any) -> None:
        """Add a whole tool call."""
        arguments = _normalize_args(args)
        if name is None or self._calls:
            self._extend(self._begin(None, id), name, arguments, fields)
            return
        if isinstance(arguments, str) and arguments.strip() == 'null':
            arguments = ''
        key = ('whole', self._whole_count)
        self._whole_count += 1
        self._parts.tool_call(key, name=name, args=arguments, tool_call_id=id, **fields)

    def feed(self, *, index: object, id: str | None, name: str | None, args: object, **fields: Any) -> None:
        """Add a fragment of a tool call, or a whole one, to the call that it belongs to."""
        index, arguments = _normalize_index(index), _normalize_args(args)
        call = self._find(index, id, name, arguments) or self._begin(index, id)
        if id:
            self._by_id.setdefault(id, call)
        if index is not None:
            self._by_index.setdefault(index, call)
        self._extend(call, name, arguments, fields)

    def find_adder(self, *, index: object, id: str | None) -> Callable[[str], None]:
        """Return a function that does what `feed` does for fragments with this index and id, no name, and some text.

        It is valid until `feed` is called, which must have been called with them once.
        """
        call = self._find(_normalize_index(index), id, None, '')
        if call is None or self._parts.kind_of(call.key) is None or not call.size:
            return lambda args: self.feed(index=index, id=id, name=None, args=args)
        if (append := self._parts.find_adder(call.key)) is None:
            return lambda args: self.feed(index=index, id=id, name=None, args=args)

        def add(args: str) -> None:
            if args[0] in OBJECT_STARTS:
                self._extend(call, None, args, {})
            else:
                call.add(args)
                append(args)

        return add

    def close(self, index: object) -> None:
        """End the call with this index, if the vendor marks the end of calls."""
        if (call := self._by_index.pop(_normalize_index(index), None)) is not None:
            self._finish_call(call)
            self._parts.close(call.key)

    def finish(self) -> None:
        """Add what was held back until the end of the response."""
        for call in self._calls:
            self._finish_call(call)

    def _finish_call(self, call: _Call) -> None:
        if call.name and not call.has_started:
            self._start(call, '')
        if call.held and not call.size and call.held.strip() != 'null':
            self._parts.tool_call(call.key, args=call.held)
        call.held = ''

    # ---------------------------------------------------------------------- which call

    def _begin(self, index: Hashable, id: str | None) -> _Call:
        if self._calls and self._calls[-1].name and not self._calls[-1].has_started:
            self._start(self._calls[-1], '')
        call = _Call(('call', len(self._calls)), index, id)
        self._calls.append(call)
        if id:
            self._by_id[id] = call
        if index is not None:
            self._by_index[index] = call
        return call

    def _find(self, index: Hashable, id: str | None, name: str | None, args: str | Fields) -> _Call | None:
        """Return the call that a fragment belongs to; `None` if it begins another one."""
        numbered = None if index is None else self._by_index.get(index)
        last = self._calls[-1] if self._calls else None
        known = self._by_id.get(id) if id else None
        if known is not None and numbered is not None and numbered.id == id:
            known = numbered
        if name is None:
            return known or numbered or self._find_unnumbered(last, index, id)
        call = known or (last if index is None else numbered)
        if call is None or self._begins_another(call, index, id, name, args, is_known=known is not None):
            return None
        return call

    def _find_unnumbered(self, last: _Call | None, index: Hashable, id: str | None) -> _Call | None:
        """Return the last call for a fragment without a name, unless its index announces a call named later."""
        if index is None or last is None:
            return last
        return last if not id and not last.is_complete() and last.name else None

    def _begins_another(
        self, call: _Call, index: Hashable, id: str | None, name: str, args: str | Fields, *, is_known: bool
    ) -> bool:
        """Return whether a fragment with a name begins another call than the one with its id or its index."""
        if not call.name:
            return bool(id and call.id and id != call.id)
        if name != call.name:
            return (id is not None and not is_known) or not self._continues_name(call, name)
        if isinstance(args, dict):
            return call.size > 0
        begins_object = args.lstrip().startswith('{')
        if id and not is_known:
            return begins_object or not call.is_unfinished()
        if index is None and not is_known:
            return not call.is_unfinished() and (call.size > 0 or not args)
        is_elsewhere = index is not None and call.index is not None and index != call.index
        if not begins_object:
            return is_elsewhere and not call.is_unfinished()
        return is_elsewhere or (call.is_complete() and not call.repeats(args))

    def _continues_name(self, call: _Call, piece: str) -> bool:
        """Return whether this is the next piece of a call's name, and not the name of another call."""
        if call.size or call.held:
            return False
        is_tool = call.name in self._tool_names or piece in self._tool_names
        return not is_tool or any(name.startswith(call.name + piece) for name in self._tool_names)

    # ---------------------------------------------------------------------- what it adds

    def _extend(self, call: _Call, name: str | None, args: str | Fields, fields: Fields) -> None:
        call.fields.update(fields)
        if name is not None and name != call.name:
            self._name(call, call.name + name)
        is_named = bool(call.name) and (bool(args) or not self._is_prefix(call.name))
        if isinstance(args, str) and args and self._hold(call, args):
            args = ''
        if call.has_started:
            self._add_args(call, args, fields)
        elif is_named:
            self._start(call, args)
        elif not call.name:
            call.add(args if isinstance(args, str) else to_json(args).decode())
            self._parts.tool_call(call.key, args=args, tool_call_id=call.id, **fields)

    def _name(self, call: _Call, name: str) -> None:
        """Set the name, or a longer one. A call that has started has no arguments yet, so it starts again."""
        call.name = name
        if call.has_started:
            part = self._parts.get_part(call.key)
            id = part.tool_call_id if isinstance(part, ToolCallPart) else ''
            self._parts.whole(call.key, ToolCallPart(name, '', id, **call.fields))

    def _is_prefix(self, name: str) -> bool:
        """Return whether the rest of a tool's name may follow."""
        return any(tool != name and tool.startswith(name) for tool in self._tool_names)

    def _start(self, call: _Call, args: str | Fields) -> None:
        call.has_started = True
        self._record_args(call, args)
        self._parts.tool_call(call.key, name=call.name, args=args, tool_call_id=call.id, **call.fields)

    def _add_args(self, call: _Call, args: str | Fields, fields: Fields) -> None:
        if isinstance(args, str) and args.lstrip().startswith('{') and (whole := self._find_whole(call, args)):
            args = whole if parse_json_object(call.join()) != whole else ''
        self._record_args(call, args)
        self._parts.tool_call(call.key, args=args, **fields)

    def _find_whole(self, call: _Call, args: str) -> Fields | None:
        """Return all arguments as an object if this text is all of them: after a beginning, or once more.

        vLLM's parser of xLAM sends them twice, or `{` before them: vllm#51697
        """
        is_longer = len(args) >= call.size > 0 and args.startswith(call.join())
        return parse_json_object(args) if is_longer or call.is_complete() else None

    def _record_args(self, call: _Call, args: str | Fields) -> None:
        if isinstance(args, str):
            call.add(args)
        elif args:
            call.replace(to_json(args).decode())

    def _hold(self, call: _Call, args: str) -> bool:
        """Hold empty arguments at the beginning; return whether they are held."""
        if call.size or args.strip() not in EMPTY:
            return False
        call.held = args
        return True


def parse_json_object(text: str) -> Fields | None:
    """Return the JSON object in a text; `None` if it is anything else."""
    try:
        value = from_json(text)
    except ValueError:
        return None
    return cast('Fields', value) if isinstance(value, dict) else None


def _normalize_args(args: object) -> str | Fields:
    """Return arguments as text or an object; raise `TypeError` for anything else. PHP writes `{}` as `[]`."""
    match args:
        case str():
            return args
        case None | []:
            return ''
        case dict():
            return cast('Fields', args)
        case _:
            raise TypeError(f'the arguments of a tool call are {args!r}')


def _normalize_index(index: object) -> Hashable:
    """Return an index as a number, also if it is text; `None` if it is no index."""
    match index:
        case bool():
            return None
        case int():
            return index
        case float() if index.is_integer():
            return int(index)
        case str() if index.isdecimal():
            return int(index)
        case str() if index:
            return index
        case _:
            return None
