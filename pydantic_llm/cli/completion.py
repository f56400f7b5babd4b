"""`pydantic-llm completion`: print the script that completes commands, options and names of models in a shell.

The script holds the commands of this version, so that a completion starts no process. In `~/.bashrc`:

    eval "$(pydantic-llm completion bash)"
"""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, _SubParsersAction  # pyright: ignore[reportPrivateUsage]
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ..settings import THINKING_LEVELS
from .parser import COMMANDS, build_parser
from .settings import list_setting_names
from .vendors import key_variables, list_known_names

__all__ = ('completion',)

FILE_OPTIONS = ('attach', 'mcp', 'schema', 'tool')
"""The options whose value may be the path of a file, in addition to those whose value is a path."""

PREFIXES = ('prefix', 'vendor', 'vendors')
"""The arguments that are prefixes of vendors."""

BASH = """\
_pydantic_llm() {{
    local line=${{COMP_LINE:0:COMP_POINT}} words cur prev count start action=''
    read -ra words <<< "$line"  # not COMP_WORDS, which are split at colons
    [[ $line == *[[:space:]] ]] && words+=('')
    count=${{#words[@]}}; cur=${{words[count-1]}}; prev=${{words[count-2]}}
    [ "$count" -gt 3 ] && action=${{words[2]}}
    COMPREPLY=()
    case $prev in
        {model_flags})
            COMPREPLY=($(compgen -W "{models}" -- "$cur"))
            start=${{cur%"${{cur##*:}}"}}  # what stands before the part that is replaced
            [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"$start"}}")
            return;;
        {setting_flags})
            COMPREPLY=($(compgen -S = -W "{settings}" -- "$cur")); compopt -o nospace 2>/dev/null; return;;
        {file_flags})
            COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return;;
{choices}
        {other_flags}) return;;
    esac
    if [ "$count" -eq 2 ] && [[ $cur != -* ]]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$cur")); return
    fi
    case "${{words[1]}} $action" in
{cases}
        *) COMPREPLY=($(compgen -W "{default}" -- "$cur"));;
    esac
}}
complete -o default -F _pydantic_llm pydantic-llm
"""

ZSH = """\
#compdef pydantic-llm
_pydantic_llm() {{
    local -a models settings
    local action=''
    models=({models})
    settings=({settings})
    case $words[CURRENT-1] in
        {model_flags}) compadd -a models; return;;
        {setting_flags}) compadd -S = -a settings; return;;
        {file_flags}) _files; return;;
{choices}
        {other_flags}) return;;
    esac
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        local -a commands
        commands=({described})
        _describe command commands
        return
    fi
    (( CURRENT > 3 )) && action=$words[3]
    case "$words[2] $action" in
{cases}
        *) compadd -- {default};;
    esac
}}
compdef _pydantic_llm pydantic-llm
"""


def completion(arguments: Namespace) -> None:
    """Print the script for a shell."""
    parsers = dict(_walk(build_parser()))
    print({'bash': _write_bash, 'zsh': _write_zsh, 'fish': _write_fish}[arguments.shell](parsers), end='')


def _walk(parser: ArgumentParser, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ArgumentParser]]:
    """Yield the commands and their actions, the actions of a command before it, with the names that lead to them."""
    for action in parser._actions:  # argparse has no public list of them
        if isinstance(action, _SubParsersAction):
            for name, inner in cast('Any', action).choices.items():
                yield from _walk(inner, (*names, name))
    if names:
        yield names, parser


def _list_options(parser: ArgumentParser) -> list[Action]:
    return [action for action in parser._actions if action.option_strings]


def _list_words(parser: ArgumentParser) -> list[str]:
    """Return the words that can follow a command: its actions, the values of its arguments, its options."""
    values = [value for action in parser._actions if not action.option_strings for value in _list_values(action)]
    return [*values, *(flag for action in _list_options(parser) for flag in action.option_strings)]


def _list_values(action: Action) -> list[str]:
    """Return the values that are known of an option or an argument."""
    if action.choices:
        return [*action.choices]
    match action.dest:
        case 'model':
            return [*list_known_names()]
        case 'option':
            return [f'{name}=' for name in list_setting_names()]
        case 'thinking':
            return ['on', 'off', *THINKING_LEVELS]
        case name if name in PREFIXES and not action.option_strings:
            return [*key_variables()]
        case _:
            return []


def _takes_file(action: Action) -> bool:
    return action.type is Path or action.dest in FILE_OPTIONS


def _sort_flags(parsers: dict[tuple[str, ...], ArgumentParser]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the patterns of flags by the kind of their values, and the values of the flags that have a few.

    A flag that takes a value in one command and none in another, as `-c` of `serve` and of `ask`, is in none of them.
    """
    actions = [action for parser in parsers.values() for action in _list_options(parser)]
    alone = {flag for action in actions if action.nargs == 0 for flag in action.option_strings}
    found: dict[str, dict[str, None]] = {'model': {}, 'setting': {}, 'file': {}, 'other': {}}
    choices: dict[str, list[str]] = {}
    for action in actions:
        flags = dict.fromkeys(flag for flag in action.option_strings if flag not in alone)
        kind = {'model': 'model', 'option': 'setting'}.get(action.dest, 'file' if _takes_file(action) else 'other')
        if kind == 'other' and (values := _list_values(action)):
            choices |= dict.fromkeys(flags, values)
        else:
            found[kind] |= flags
    return {f'{kind}_flags': '|'.join(flags) for kind, flags in found.items()}, choices


def _write_bash(parsers: dict[tuple[str, ...], ArgumentParser]) -> str:
    return _fill(BASH, parsers, 'COMPREPLY=($(compgen -W "{words}" -- "$cur"))')


def _write_zsh(parsers: dict[tuple[str, ...], ArgumentParser]) -> str:
    return _fill(ZSH, parsers, 'compadd -- {words}')


def _fill(script: str, parsers: dict[tuple[str, ...], ArgumentParser], command: str) -> str:
    """Return a script with the words of all commands. `command` completes words."""
    patterns, choices = _sort_flags(parsers)
    values = [f'        {flag}) {command.format(words=" ".join(words))}; return;;' for flag, words in choices.items()]
    cases = [
        f'        {_match_names(names)}) {command.format(words=" ".join(_list_words(parser)))};;'
        for names, parser in parsers.items()
    ]
    return script.format(
        **patterns,
        choices='\n'.join(values),
        models=' '.join(list_known_names()),
        settings=' '.join(list_setting_names()),
        commands=' '.join(COMMANDS),
        described=' '.join(_quote(f'{name}:{parsers[name,].description or ""}') for name in COMMANDS),
        cases='\n'.join(cases),
        default=' '.join(_list_words(parsers['ask',])),
    )


def _match_names(names: tuple[str, ...]) -> str:
    """Return the pattern of a command with any action, or with this one."""
    return f'"{" ".join(names)}"' if names[1:] else f'"{names[0]} "*'


def _write_fish(parsers: dict[tuple[str, ...], ArgumentParser]) -> str:
    """Write one line for each command and option: https://fishshell.com/docs/current/cmds/complete.html."""
    first = 'complete -c pydantic-llm -n __fish_use_subcommand'
    lines = [f'{first} -a {_quote(name)} -d {_quote(parsers[name,].description or "")}' for name in COMMANDS]
    lines += [f'{first} {_describe_for_fish(action)}' for action in _list_options(parsers['ask',])]
    for names, parser in parsers.items():
        seen = '; and '.join(f'__fish_seen_subcommand_from {name}' for name in names)
        condition = f'complete -c pydantic-llm -n {_quote(seen)}'
        words = [word for word in _list_words(parser) if not word.startswith('-')]
        lines += [f'{condition} -f -a {_quote(" ".join(words))}'] if words else []
        lines += [f'{condition} {_describe_for_fish(action)}' for action in _list_options(parser)]
    return '\n'.join(lines) + '\n'


def _describe_for_fish(action: Action) -> str:
    flags = ' '.join(f'-l {flag[2:]}' if flag.startswith('--') else f'-s {flag[1:]}' for flag in action.option_strings)
    words = _list_values(action)
    value = f' -x -a {_quote(" ".join(words))}' if words else '' if action.nargs == 0 else ' -r'
    return f'{flags}{value} -d {_quote((action.help or "").replace("%%", "%"))}'


def _quote(text: str) -> str:
    """Return a text in single quotes, which all three shells read alike once those inside are closed and escaped."""
    return "'" + text.replace("'", "'\\''") + "'"
