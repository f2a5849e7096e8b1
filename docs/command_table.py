#!/usr/bin/env python3
"""Writes the table of commands into README.md, from the files of bot-commands/.

usage: docs/command_table.py           put the table between the markers of README.md
       docs/command_table.py --print   print it

The files are read by a small reader of its own: they are written in one plain form, and Python has no YAML by itself.
Whatever is not in that form is an error, never a guess.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = '<!-- commands -->', '<!-- /commands -->'


def scalar(text):
    if text[:1] == '"' and text[-1:] == '"' and len(text) >= 2:
        return text[1:-1]
    if re.match(r'[\[\]{}&*!|>%@`"\'#-]', text):
        raise ValueError(f'not understood: {text}')
    return text


def inline_list(text):
    match = re.fullmatch(r'\[(.*)\]', text)
    if not match:
        raise ValueError(f'expected [a, b]: {text}')
    return [scalar(word.strip()) for word in match[1].split(',') if word.strip()]


def inline_map(text):
    match = re.fullmatch(r'\{(.*)\}', text)
    if not match:
        raise ValueError(f'expected {{a: b}}: {text}')
    pairs = re.findall(r'([a-z_]+): *("[^"]*"|[^,"]+)(?:, *|$)', match[1])
    if ', '.join(f'{key}: {value}' for key, value in pairs) != match[1]:
        raise ValueError(f'not understood: {text}')
    return {key: scalar(value) for key, value in pairs}


def read_command(text):
    """name, aliases, help, role, args, flags, ... of one file of bot-commands/."""
    command = {'aliases': [], 'args': [], 'flags': []}
    items = None
    for line in text.splitlines():
        if not line.strip() or line.startswith('#'):
            continue
        item = re.fullmatch(r'  - (\{.*\})', line)
        if item and items is not None:
            items.append(inline_map(item[1]))
            continue
        pair = re.fullmatch(r'([a-z_]+):(?: (.*))?', line)
        if not pair:
            raise ValueError(f'not understood: {line}')
        key, value = pair[1], (pair[2] or '').strip()
        items = command[key] if key in ('args', 'flags') and not value else None
        if key in ('aliases', 'places'):
            command[key] = inline_list(value)
        elif items is None:
            command[key] = scalar(value)
    for key in ('name', 'help', 'role'):
        if not command.get(key):
            raise ValueError(f'{key} is missing')
    return command


def flag_usage(flag):
    """As FlagSpec::Usage writes it."""
    shown = '-' + flag['short'] if 'short' in flag else '--' + flag['name']
    return shown + {'switch': '', 'text': ' <text>', 'number': ' <n>', 'duration': ' <10m>', 'count': ' [n]'}[flag['kind']]


def usage(command):
    """As CommandSpec::Usage of src/config writes it."""
    words = [command['name']]
    for argument in command['args']:
        word = f'[{argument["name"]}]' if argument.get('required') == 'false' else f'<{argument["name"]}>'
        words.append(word + ('...' if argument['kind'] == 'services' else ''))
    words += [f'[{flag_usage(flag)}]' for flag in command['flags'] if 'argument' not in flag]
    return ' '.join(words)


def read_commands(folder):
    commands = []
    for path in sorted(folder.glob('*.yaml')):
        try:
            commands.append(read_command(path.read_text(encoding='utf-8')))
        except ValueError as error:
            raise ValueError(f'{path.name}: {error}') from error
    return sorted(commands, key=lambda command: command['name'])


def table(commands):
    lines = ['| Command | Short forms | Needs | What it does |', '| --- | --- | --- | --- |']
    for command in commands:
        aliases = ', '.join(f'`{alias}`' for alias in command['aliases'])
        cells = [f'`{usage(command)}`', aliases, command['role'], command['help']]
        lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |')
    return '\n'.join(lines) + '\n'


def with_table(readme, text):
    """`readme` with `text` between its markers."""
    begin, end = readme.find(BEGIN), readme.find(END)
    if begin < 0 or end < begin or readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f'README.md needs the markers {BEGIN} and {END}, each once')
    return readme[:begin + len(BEGIN)] + '\n\n' + text + '\n' + readme[end:]


def main():
    text = table(read_commands(ROOT / 'bot-commands'))
    if sys.argv[1:] == ['--print']:
        sys.stdout.write(text)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        readme = ROOT / 'README.md'
        readme.write_text(with_table(readme.read_text(encoding='utf-8'), text), encoding='utf-8')


if __name__ == '__main__':
    main()
