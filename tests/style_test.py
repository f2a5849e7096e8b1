"""One formatting, and a tree that speaks of the project alone.

Usage: style_test.py SOURCE_ROOT BUILD_DIR [unittest arguments...]
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import house

SOURCE_ROOT = pathlib.Path(__file__).resolve().parent.parent
FORMATTER = 'clang-format-19'

# Spelled in pieces, so that this file does not find itself.
PHRASES = [
    ('unfinished work', re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b')),
    ('a path of one machine', re.compile(r'(?<![\w.~-])/(wo' r'rk|ro' r'ot)/')),
    ('a host of a package mirror', re.compile(r'\b(deb\.deb' r'ian|secu' r'rity\.debian|regis' r'try\.npmjs)\.org')),
    ('a conflict left by a merge', re.compile(r'^(<{7}|>{7}) ', re.MULTILINE)),
]
SKIPPED_FOLDERS = {'.git', 'node_modules', '__pycache__', 'packagefiles', 'packagecache'}
# Written by tools, or data whose bytes matter.
SKIPPED_SUFFIXES = {'.png', '.jpg', '.ico', '.gz', '.zst', '.woff2', '.bin', '.jsonl', '.svg'}
SKIPPED_NAMES = {'package-lock.json'}
MARKDOWN_LINK = re.compile(r'\]\(([^)\s#]+)(?:#[^)\s]*)?\)')


def project_files(root):
    """The files of the repository: what git tracks or would track; without git, all that is not a build folder."""
    root = pathlib.Path(root)
    try:
        listed = subprocess.run(['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached', '--others',
                                 '--exclude-standard'], cwd=root, capture_output=True, timeout=60, check=True).stdout
        paths = [root / name for name in listed.decode().split('\0') if name]
    except (OSError, subprocess.SubprocessError):
        paths = [path for path in root.rglob('*') if not path.relative_to(root).parts[0].startswith('build')]
    return sorted(path for path in set(paths) if path.is_file() and not path.is_symlink() and
                  not SKIPPED_FOLDERS & set(path.relative_to(root).parts))


def text_problems(name, text, root):
    """One sentence for each thing in the file `name` that does not belong into the repository."""
    found = []

    def report(position, what):
        found.append(f'{name}:{text.count(chr(10), 0, position) + 1}: {what}')

    for what, pattern in PHRASES:
        for match in pattern.finditer(text):
            report(match.start(), f'{what} ({match.group().strip()})')
    for match in re.finditer(r'\r$', text, re.MULTILINE):
        report(match.start(), 'a carriage return at the end of a line')
    suffix = pathlib.Path(name).suffix
    if suffix != '.md':  # there, two blanks at the end break a line
        for match in re.finditer(r'[ \t]+$', text, re.MULTILINE):
            report(match.start(), 'white space at the end of a line')
    if text and not text.endswith('\n'):
        report(len(text), 'no line break at the end of the file')
    if suffix == '.md':
        for match in MARKDOWN_LINK.finditer(text):
            target = match.group(1)
            if not re.match(r'[a-z]+:', target) and not (root / pathlib.Path(name).parent / target).exists():
                report(match.start(), f'a link to nothing ({target})')
    if suffix in ('.h', '.cc'):
        if not re.fullmatch(r'[a-z0-9_]+\.(h|cc)', pathlib.Path(name).name):
            report(0, 'a file name that is not in snake_case')
        if suffix == '.h' and name.startswith('src/') and not re.search(r'#pragma once\n\n// \S', text):
            report(0, 'no comment at the head that says what this is')
        lines = text.count('\n')
        if suffix == '.cc' and name.startswith('src/') and lines > 600:
            report(0, f'{lines} lines: more than 600 are split by duty')
    return found


class Style(unittest.TestCase):

    def test_formatting(self):
        if not shutil.which(FORMATTER):
            self.skipTest(f'{FORMATTER} is not installed')
        files = [str(path) for folder in ('src', 'tests', 'bench') for path in project_files(SOURCE_ROOT)
                 if path.suffix in ('.h', '.cc') and path.relative_to(SOURCE_ROOT).parts[0] == folder]
        self.assertTrue(files, 'no sources found')
        groups = [files[index::house.WORKERS] for index in range(house.WORKERS)]
        outcomes = house.in_parallel(lambda group: house.run(
            [FORMATTER, '--dry-run', '-Werror', f'--style=file:{SOURCE_ROOT / ".clang-format"}', *group], SOURCE_ROOT), groups)
        spoken = ''.join(output for _, output in outcomes)
        unformatted = sorted(set(re.findall(r'^(\S+?):\d+:\d+: error', spoken, re.MULTILINE)))
        self.assertTrue(all(status == 0 for status, _ in outcomes),
                        f'run {FORMATTER} -i on:\n' + ('\n'.join(unformatted) or spoken))

    def test_the_formatter_can_say_no(self):
        if not shutil.which(FORMATTER):
            self.skipTest(f'{FORMATTER} is not installed')
        with tempfile.TemporaryDirectory() as folder:
            planted = pathlib.Path(folder) / 'a.cc'
            planted.write_text('int  main( ){return 0;}\n', encoding='utf-8')
            status, _ = house.run([FORMATTER, '--dry-run', '-Werror', f'--style=file:{SOURCE_ROOT / ".clang-format"}',
                                   str(planted)], folder)
            self.assertNotEqual(status, 0)

    def test_the_tree(self):
        found = []
        for path in project_files(SOURCE_ROOT):
            if path.suffix in SKIPPED_SUFFIXES or path.name in SKIPPED_NAMES:
                continue
            try:
                text = path.read_bytes().decode('utf-8')
            except UnicodeDecodeError:
                found.append(f'{path.relative_to(SOURCE_ROOT)}: not UTF-8')
                continue
            found += text_problems(path.relative_to(SOURCE_ROOT).as_posix(), text, SOURCE_ROOT)
        self.assertEqual(found, [], '\n' + '\n'.join(found))

    def test_planted_faults_are_found(self):
        head = '#pragma once\n\n// A head.\n'
        for name, text, sentence in [
            ('src/os/a.h', head + '// TO' 'DO: more\n', ':4: unfinished work'),
            ('docs/a.md', 'see /wo' 'rk/x/y\n', 'a path of one machine'),
            ('tests/a.py', 'x = "/ro' 'ot/.cache"\n', 'a path of one machine'),
            ('dev', 'http://deb.deb' 'ian.org/debian\n', 'a host of a package mirror'),
            ('src/os/a.cc', 'int a; \n', 'white space at the end'),
            ('src/os/a.cc', 'int a;\r\n', 'carriage return'),
            ('src/os/a.cc', 'int a;', 'no line break at the end'),
            ('README.md', 'a [link](docs/missing.md#part)\n', 'a link to nothing (docs/missing.md)'),
            ('src/os/MyFile.cc', '', 'snake_case'),
            ('src/os/a.h', '#pragma once\n#include <vector>\n', 'no comment at the head'),
            ('src/os/a.cc', '\n' * 601, 'split by duty'),
        ]:
            with self.subTest(sentence):
                found = text_problems(name, text, pathlib.Path('/nonexistent'))
                self.assertTrue(any(sentence in problem for problem in found), found)
        for name, text in [('src/os/a.h', head), ('README.md', 'a [link](https://example.org/x) and /workshop/ and ~/work/\n')]:
            self.assertEqual(text_problems(name, text, pathlib.Path('/nonexistent')), [])


if __name__ == '__main__':
    if len(sys.argv) > 2 and not sys.argv[1].startswith('-'):
        SOURCE_ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
        sys.argv.pop(1)
    unittest.main(verbosity=1)
