"""Opens a conversation, new or from the log, and keeps the turns of it."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ..settings import ModelSettings
from .choice import build_model, resolve_name
from .functions import make_toolsets
from .log import Entry, OldConversation, open_log, read_conversation
from .session import Session
from .turn import Turn

__all__ = ('keep_turn', 'open_session')


def open_session(arguments: Namespace, settings: ModelSettings, *, output_type: Any = None) -> Session:
    """Return the conversation that the options of `ask` or `chat` describe: a new one, or one from the log."""
    old = _find_old_conversation(arguments)
    base_url = arguments.base_url or (old.base_url if old and not arguments.model else None)
    name = resolve_name(old.model if old and arguments.model is None else arguments.model, base_url)
    return Session(
        model=build_model(name, base_url),
        name=name,
        base_url=base_url,
        system=arguments.system if arguments.system is not None or old is None else old.system,
        settings=settings,
        toolsets=make_toolsets(arguments.tool, arguments.mcp, approve=arguments.approve),
        output_type=output_type,
        messages=[] if old is None else old.messages,
        log=None if arguments.no_log else open_log(),
        log_id=None if old is None else old.id,
        stream=not arguments.no_stream,
        verbose=arguments.verbose,
    )


def _find_old_conversation(arguments: Namespace) -> OldConversation | None:
    if arguments.cid is None and not getattr(arguments, 'continue'):
        return None
    return read_conversation(arguments.cid)


def keep_turn(session: Session, turn: Turn) -> bool:
    """Add the messages of a turn, and write them to the log. Return False if there is no response to keep."""
    if not any(response.parts for response in turn.responses):
        return False
    messages = turn.messages
    session.messages += messages
    if session.log is not None:
        entry = Entry(session.name, session.base_url, session.system, messages, turn.text, turn.seconds)
        session.log_id = session.log.add(entry, session.log_id)
    return True
