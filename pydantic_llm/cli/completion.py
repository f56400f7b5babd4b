"""`pydantic-llm completion`: print the script that completes commands, options and names of models in a shell.

The script holds the commands of this version, so that a completion starts no process. In `~/.bashrc`:

    eval "$(pydantic-llm completion bash)"
"""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, _SubParsersAction  # pyright: ignore[reportPrivateUsage]
from collections.abc import Iterator
from typing import Any, cast

from .parser import build_parser
from .settings import list_setting_names
from .vendors import list_known_names

__all__ = ('completion',)

FILE_OPTIONS = ('attach', 'config', 'files_to', 'history', 'mcp', 'schema', 'tool')
"""The options whose value may be the path of a file."""

BASH = """\
_pydantic_llm() {{
    local line=${{COMP_LINE:0:COMP_POINT}} words cur prev count start
    read -ra words <<< "$line"  # not COMP_WORDS, which are split at colons
    [[ $line == *[[:space:]] ]] && words+=('')
    count=${{#words[@]}}; cur=${{words[count-1]}}; prev=${{words[count-2]}}
    COMPREPLY=()
    case $prev in
        -m|--model)
            COMPREPLY=($(compgen -W "{models}" -- "$cur"))
            start=${{cur%"${{cur##*:}}"}}  # what stands before the part that is replaced
            [[ $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("${{COMPREPLY[@]#"$start"}}")
            return;;
        -o|--option)
            COMPREPLY=($(compgen -S = -W "{settings}" -- "$cur")); compopt -o nospace 2>/dev/null; return;;
        {file_flags})
            COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return;;
    esac
    if [ "$count" -eq 2 ] && [[ $cur != -* ]]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$cur")); return
    fi
    case ${{words[1]}} in
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
    models=({models})
    settings=({settings})
    case $words[CURRENT-1] in
        -m|--model) compadd -a models; return;;
        -o|--option) compadd -S = -a settings; return;;
        {file_flags}) _files; return;;
    esac
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        local -a commands
        commands=({described})
        _describe command commands
        return
    fi
    case $words[2] in
{cases}
        *) compadd -- {default};;
    esac
}}
compdef _pydantic_llm pydantic-llm
"""


def completion(arguments: Namespace) -> None:
    """Print the script for a shell."""
    commands = dict(_iter_subparsers(build_parser()))
    print({'bash': _write_bash, 'zsh': _write_zsh, 'fish': _write_fish}[arguments.shell](commands), end='')


def _iter_subparsers(parser: ArgumentParser) -> Iterator[tuple[str, ArgumentParser]]:
    """Yield the commands of a parser, or the actions of a command."""
    for action in parser._actions:  # argparse has no public list of them
        if isinstance(action, _SubParsersAction):
            yield from cast('Any', action).choices.items()


def _list_options(parser: ArgumentParser) -> list[Action]:
    return [action for action in parser._actions if action.option_strings]


def _list_words(parser: ArgumentParser) -> list[str]:
    """Return the words that can follow a command: its actions, the choices of its arguments, its options."""
    positional: list[Any] = [
        choice
        for action in parser._actions
        if not action.option_strings and action.choices
        for choice in action.choices
    ]
    return [*positional, *(flag for action in _list_options(parser) for flag in action.option_strings)]


def _list_file_flags(commands: dict[str, ArgumentParser]) -> str:
    flags = {
        flag: None
        for command in commands.values()
        for action in _list_options(command)
        if action.dest in FILE_OPTIONS
        for flag in action.option_strings
        if flag != '-c'  # of `serve`; in `ask` it is --continue
    }
    return '|'.join(flags)


def _write_bash(commands: dict[str, ArgumentParser]) -> str:
    cases = [
        f'        {name}) COMPREPLY=($(compgen -W "{" ".join(_list_words(command))}" -- "$cur"));;'
        for name, command in commands.items()
    ]
    return BASH.format(
        models=' '.join(['test', *list_known_names()]),
        settings=' '.join(list_setting_names()),
        file_flags=_list_file_flags(commands),
        commands=' '.join(commands),
        cases='\n'.join(cases),
        default=' '.join(_list_words(commands['ask'])),
    )


def _write_zsh(commands: dict[str, ArgumentParser]) -> str:
    cases = [f'        {name}) compadd -- {" ".join(_list_words(command))};;' for name, command in commands.items()]
    return ZSH.format(
        models=' '.join(['test', *list_known_names()]),
        settings=' '.join(list_setting_names()),
        file_flags=_list_file_flags(commands),
        described=' '.join(_quote(f'{name}:{command.description or ""}') for name, command in commands.items()),
        cases='\n'.join(cases),
        default=' '.join(_list_words(commands['ask'])),
    )


def _write_fish(commands: dict[str, ArgumentParser]) -> str:
    """Write one line for each command and option: https://fishshell.com/docs/current/cmds/complete.html."""
    lines = [
        'complete -c pydantic-llm -n __fish_use_subcommand -a '
        + _quote(name)
        + ' -d '
        + _quote(command.description or '')
        for name, command in commands.items()
    ]
    for name, command in commands.items():
        condition = f'complete -c pydantic-llm -n {_quote(f"__fish_seen_subcommand_from {name}")}'
        actions = [word for word in _list_words(command) if not word.startswith('-')]
        lines += [f'{condition} -f -a {_quote(" ".join(actions))}'] if actions else []
        lines += [f'{condition} {_describe_for_fish(action)}' for action in _list_options(command)]
    return '\n'.join(lines) + '\n'


def _describe_for_fish(action: Action) -> str:
    flags = ' '.join(f'-l {flag[2:]}' if flag.startswith('--') else f'-s {flag[1:]}' for flag in action.option_strings)
    values = {'model': ['test', *list_known_names()], 'option': [f'{name}=' for name in list_setting_names()]}
    value = '' if action.nargs == 0 else ' -r'
    if action.dest in values:
        value = f' -x -a {_quote(" ".join(values[action.dest]))}'
    return f'{flags}{value} -d {_quote((action.help or "").replace("%%", "%"))}'


def _quote(text: str) -> str:
    """Return a text in single quotes, which all three shells read alike once those inside are closed and escaped."""
    return "'" + text.replace("'", "'\\''") + "'"
