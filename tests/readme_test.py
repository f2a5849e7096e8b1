"""The words beside the code, held to the code: README.md's table of commands, its reference of settings, its options and
every file that README and docs name.

Usage: readme_test.py [SOURCE_ROOT [unittest arguments...]]
"""

import configparser
import importlib.util
import pathlib
import re
import sys
import unittest

SOURCE_ROOT = pathlib.Path(__file__).resolve().parent.parent

# How the loaders ask for a key: fields.Text("key"), root.Section("key"), ReadPath(fields, "key", ...), take("NAME").
READS = re.compile(r'(?:\.|->)(?:Text|Script|Switch|Texts|Word|Number|Integer|Size|Duration|Section|Find)\("([a-z_]+)"'
                   r'|\bRead[A-Z]\w*(?:<\w+>)?\(\*?\w+, "([a-z_]+)"')
TAKES = re.compile(r'\btake\("([A-Z_]+)"\)')
OPTIONS = re.compile(r'"(?:-\w,)?(--[a-z-]+)"')
# Keys that are known only to say what is wrong about them.
REFUSED = {'token', 'matrix'}
REFUSED_OF_SERVICES = {'name'}

SECTION = re.compile(r'^#{2,3} (.+)$', re.MULTILINE)
ROW = re.compile(r'^\| `([^`]+)` \|', re.MULTILINE)
LINK = re.compile(r'\]\(([^)\s#]+)(?:#[^)\s]*)?\)')
CODE = re.compile(r'`([^`\n]+)`')
FENCE = re.compile(r'^```.*?^```', re.MULTILINE | re.DOTALL)
# Names that no text of ours has to prove: they are made by a build, a run or the reader.
MADE = ('build/', '.run/', 'config/services-home/crash-now')


def generator(root):
    path = root / 'docs' / 'command_table.py'
    spec = importlib.util.spec_from_file_location('command_table', path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def section(text, title):
    """The text below the heading `title`, up to the next heading."""
    headings = list(SECTION.finditer(text))
    for index, heading in enumerate(headings):
        if heading[1] == title:
            end = headings[index + 1].start() if index + 1 < len(headings) else len(text)
            return text[heading.end():end]
    raise AssertionError(f'README.md has no section "{title}"')


def keys_read(source):
    return {first or second for first, second in READS.findall(source)}


def keys_told(readme, title):
    """The last part of each key in the reference table below `title`."""
    return {key.replace('[]', '').rpartition('.')[2] for key in ROW.findall(section(readme, title))}


def paths_named(text, root):
    """Paths of the repository that `text` names in code spans: those that begin with a folder or file of its top."""
    tops = {path.name for path in root.iterdir()} | {'docs', 'src', 'tests', 'config', 'bot-commands', 'subprojects', 'meson', 'bench'}
    found = set()
    for span in CODE.findall(FENCE.sub('', text)):
        for word in span.split():
            top = word.split('/')[0]
            if '/' in word and top in tops and re.fullmatch(r'[\w./-]+', word) and not word.startswith(MADE):
                found.add(word)
    return found


def dead_paths(name, text, root):
    """What `text`, the file `name` of the repository, names and is not there."""
    here = (root / name).parent
    dead = {target for target in LINK.findall(text) if not re.match(r'[a-z]+:', target) and not (here / target).exists()}
    return sorted(dead | {path for path in paths_named(text, root) if not (root / path).exists()})


class Readme(unittest.TestCase):

    def setUp(self):
        self.readme = (SOURCE_ROOT / 'README.md').read_text(encoding='utf-8')

    def source(self, path):
        return (SOURCE_ROOT / path).read_text(encoding='utf-8')

    def test_the_table_of_commands(self):
        made = generator(SOURCE_ROOT)
        commands = made.read_commands(SOURCE_ROOT / 'bot-commands')
        self.assertTrue(commands)
        self.assertEqual(self.readme, made.with_table(self.readme, made.table(commands)),
                         'the table of commands in README.md is out of date: run docs/command_table.py')

    def test_the_table_tells_every_file(self):
        named = set(re.findall(r'^\| `([a-z-]+)', section(self.readme, 'Commands'), re.MULTILINE))
        self.assertEqual(named, {path.stem for path in (SOURCE_ROOT / 'bot-commands').glob('*.yaml')})

    def check_keys(self, read, title):
        told = keys_told(self.readme, title)
        self.assertTrue(read and told)
        self.assertEqual(sorted(read - told), [], f'keys that the loader knows and "{title}" in README.md does not tell')
        self.assertEqual(sorted(told - read), [], f'keys that "{title}" in README.md tells and no loader knows')

    def test_the_reference_of_the_configuration(self):
        sources = ''.join(self.source(f'src/config/{name}.cc') for name in ('load_config', 'load_access', 'load_platforms', 'load_webhook', 'read_keys'))
        self.check_keys(keys_read(sources) - REFUSED, 'config.yaml')

    def test_the_reference_of_commands(self):
        sources = ''.join(self.source(f'src/config/{name}.cc') for name in ('load_command', 'load_custom'))
        # Of built-in commands alone, or read by another loader.
        read = (keys_read(sources) | {'env'}) - {'flags', 'slow', 'short', 'argument'}
        told = keys_told(self.source('docs/commands.md'), 'Commands of your own')
        self.assertEqual(read, told)

    def test_the_reference_of_services(self):
        sources = ''.join(self.source(f'src/config/{name}.cc')
                          for name in ('load_services', 'load_health', 'load_push_rules', 'process_keys', 'restart_keys',
                                       'deploy_keys'))
        self.check_keys(keys_read(sources) - REFUSED_OF_SERVICES, 'services/NAME.yaml')

    def test_the_reference_of_secrets(self):
        self.check_keys(set(TAKES.findall(self.source('src/config/env_file.cc'))), '.env')

    def test_refused_keys_are_explained(self):
        text = section(self.readme, 'Coming from mezzaops')
        for word in ('token', 'matrix', 'name', 'adopt'):
            self.assertIn(word, text)

    def test_quoted_warnings_are_the_program_s(self):
        """What the tables of errors quote is what the sources say, word for word."""
        sources = ''.join(path.read_text(encoding='utf-8') for folder in ('config', 'app', 'platforms')
                          for path in sorted((SOURCE_ROOT / 'src' / folder).rglob('*.cc')))
        # Adjacent literals of C++ are one text.
        said = re.sub(r'"\s*\n\s*"', '', sources).replace('\\"', '"')
        for title in ('Coming from mezzaops', 'When it does not work'):
            for quoted in ROW.findall(section(self.readme, title)):
                for piece in re.split(r'\.\.\.|: |(?<=close code )\d+', quoted):
                    piece = piece.strip(' ():')
                    if len(piece.split()) > 2:
                        self.assertTrue(piece.replace('`', '') in said.replace('`', ''), f'no source says "{quoted}"')

    def test_options(self):
        options = set(OPTIONS.findall(self.source('src/app/options.cc'))) | {'--version'}
        usage = re.search(r'^shipmate \[.*$', self.readme, re.MULTILINE)
        self.assertEqual(set(re.findall(r'--[a-z-]+', usage[0])), options)

    def test_files_that_are_named_are_there(self):
        pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']
        pages += [path.relative_to(SOURCE_ROOT).as_posix() for path in sorted((SOURCE_ROOT / 'docs').glob('*.md'))]
        for name in pages:
            with self.subTest(name):
                self.assertEqual(dead_paths(name, self.source(name), SOURCE_ROOT), [])

    def test_the_unit(self):
        unit = configparser.ConfigParser(interpolation=None, strict=True)
        unit.optionxform = str
        unit.read_string(self.source('docs/shipmate.service'))
        service = unit['Service']
        self.assertEqual(service['KillMode'], 'process', 'services would be ended together with Shipmate')
        self.assertEqual(service['Restart'], 'always')
        self.assertEqual(service['OOMPolicy'], 'continue', 'a service out of memory would end Shipmate')
        for option in re.findall(r'(?<=\s)--[a-z-]+', service['ExecStart']):
            self.assertIn(option, OPTIONS.findall(self.source('src/app/options.cc')))


class Reader(unittest.TestCase):
    """The tests above can say no."""

    def test_keys(self):
        source = 'ReadPath(fields, "log_dir", base, "logs"); root.Section("discord"); ReadPort<T>(fields, "webhook"); f->Switch("on");'
        self.assertEqual(keys_read(source), {'log_dir', 'discord', 'webhook', 'on'})
        readme = '## One\n\n| `a.b[].id` | text |\n| `log_dir` | path |\n\n## Two\n\n| `c` | x |\n'
        self.assertEqual(keys_told(readme, 'One'), {'id', 'log_dir'})
        with self.assertRaises(AssertionError):
            section(readme, 'Three')

    def test_paths(self):
        text = 'see [x](docs/missing.md#a), `src/nothing.cc`, `src/app`, `build/x`, `a/b`, [y](https://example.org)\n```\n`src/no`\n```\n'
        self.assertEqual(dead_paths('README.md', text, SOURCE_ROOT), ['docs/missing.md', 'src/nothing.cc'])

    def test_commands(self):
        made = generator(SOURCE_ROOT)
        command = made.read_command('name: logs\naliases: [log, "?"]\nhelp: Shows it\nrole: viewer\nargs:\n'
                                    '  - {name: service, kind: services}\n  - {name: lines, kind: number, required: false}\n')
        self.assertEqual(made.usage(command), 'logs <service>... [lines]')
        self.assertEqual(command['aliases'], ['log', '?'])
        for wrong in ('name: x\nhelp: y\n', 'name: x\n  odd\n', 'name: [x]\nhelp: y\nrole: viewer\n', 'name: x\nhelp: |\n  y\n'):
            with self.assertRaises(ValueError):
                made.read_command(wrong)
        with self.assertRaises(ValueError):
            made.with_table('no markers', 'x')


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-') and pathlib.Path(sys.argv[1]).is_dir():
        SOURCE_ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1)
