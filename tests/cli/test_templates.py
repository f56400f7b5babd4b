"""Templates: `--save`, `-t`, `-p` and `pydantic-llm templates`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from pydantic_llm.messages import ModelRequest, UserPromptPart

from .conftest import Cli, Scripted


def prompt(script: Scripted) -> object:
    [request] = [message for message in script.last_request if isinstance(message, ModelRequest)]
    [part] = [part for part in request.parts if isinstance(part, UserPromptPart)]
    return part.content


def test_a_template_has_options_and_a_prompt(cli: Cli, scripted: Scripted, home: Path) -> None:
    run = cli('-m', 'scripted:a', '-s', 'Write $style.', '-o', 'top_p=0.5', 'Summarize: $input', '--save', 'sum')
    assert (run.code, run.out) == (0, '')
    assert (home / 'templates' / 'sum.toml').read_text() == (
        'prompt = "Summarize: $input"\nmodel = "scripted:a"\nsystem = "Write $style."\noption = ["top_p=0.5"]\n'
    )
    assert not scripted.requests
    assert cli('-t', 'sum', '-p', 'style=short', stdin='A text.').code == 0
    assert prompt(scripted) == 'Summarize: A text.'
    assert scripted.requests[-1][1].instructions == 'Write short.'
    assert scripted.requests[-1][1].model_settings == {'top_p': 0.5}


def test_a_template_keeps_files(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / 'rules.txt').write_text('Be brief.')
    cli('-m', 'scripted:a', '-a', 'rules.txt', 'Review $input', '--save', 'review')
    assert cli('-t', 'review', 'this').code == 0
    [file, text] = cast('list[Any]', prompt(scripted))
    assert (file.data, text) == (b'Be brief.', 'Review this')


@pytest.mark.parametrize(
    ('param', 'message'),
    [
        ('style', "-p 'style' has no value: write -p name=value"),
        ('stile=short', "the template 'a' has no $stile; did you mean 'style'?"),
        ('x=1', "the template 'a' has no $x; known are style"),
    ],
)
def test_a_wrong_value_of_a_template_is_one_line(cli: Cli, param: str, message: str) -> None:
    cli('-m', 'test', '-s', 'Write $style.', '--save', 'a')
    run = cli('-t', 'a', '-p', param, 'hi')
    assert (run.code, run.out, run.err.count('\n')) == (2, '', 1)
    assert message in run.err


def test_a_template_without_a_name_is_not_saved(cli: Cli) -> None:
    run = cli('-m', 'test', 'hi', '--save', '')
    assert (run.code, run.out) == (2, '')
    assert "'' cannot be the name of a template" in run.err


def test_options_of_the_command_line_win(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a', '-o', 'top_p=0.5', '-o', 'seed=1', '--save', 'a')
    cli('-t', 'a', '-m', 'scripted:b', '-o', 'top_p=0.9', 'hi')
    assert scripted.requests[-1][1].model_settings == {'top_p': 0.9, 'seed': 1}
    assert cli('logs').out.split()[3] == 'scripted:b'


def test_a_prompt_without_input_comes_before_the_text(cli: Cli, scripted: Scripted) -> None:
    cli('-m', 'scripted:a', 'Translate to French:', '--save', 'french')
    cli('-t', 'french', 'Good day')
    assert prompt(scripted) == 'Translate to French:\n\nGood day'
    cli('-t', 'french')
    assert prompt(scripted) == 'Translate to French:'


def test_templates_are_listed_shown_and_deleted(cli: Cli, home: Path) -> None:
    cli('Say "hi"\nto $name', '--save', 'greet')
    assert cli('templates').out == 'greet                Say "hi" to $name\n'
    assert cli('templates', 'show', 'greet').out == 'prompt = "Say \\"hi\\"\\nto $name"\n'
    assert cli('templates', 'path').out == f'{home / "templates"}\n'
    assert cli('templates', 'remove', 'greet').code == 0
    assert cli('templates', 'list').out == ''


@pytest.mark.parametrize(
    ('content', 'code', 'message'),
    [
        (None, 1, "There is no template 'a'; save one: pydantic-llm ask --save a"),
        ('model = 1', 1, 'write a str'),
        ('option = "top_p=1"', 1, 'write a list'),
        ('modle = "test"', 1, "unknown key 'modle'; known are prompt, model"),
        ('prompt = ', 1, 'is not valid TOML'),
        ('prompt = "$x"', 2, "the template 'a' needs a value: -p x=..."),
        ('prompt = "5 $"', 2, 'write $$ for a dollar'),
    ],
)
def test_a_wrong_template_is_one_line(cli: Cli, home: Path, content: str | None, code: int, message: str) -> None:
    if content is not None:
        (home / 'templates').mkdir(parents=True)
        (home / 'templates' / 'a.toml').write_text(content)
    run = cli('-t', 'a', '-m', 'test', 'hi')
    assert (run.code, run.out, run.err.count('\n')) == (code, '', 1)
    assert message in run.err


@pytest.mark.parametrize('name', ['../a', '.hidden', 'a b', ''])
def test_a_template_has_no_path_as_its_name(cli: Cli, name: str) -> None:
    assert cli('-m', 'test', 'hi', '--save', name or '/').code == 2


@pytest.mark.parametrize('options', [['It costs $5'], ['-s', '${', 'Hi']])
def test_a_dollar_that_begins_no_name_is_refused_when_the_template_is_saved(cli: Cli, options: list[str]) -> None:
    run = cli('--save', 'price', *options)
    assert run.code == 2
    assert 'write $$ for a dollar' in run.err
    assert cli('templates', 'list').out == ''
