"""The fallbacks in subprojects/: every dependency has one that Meson can use, and nothing in them is left to trust.

What cannot be tried without a network is checked by its form: addresses, digests, names.

Usage: wraps_test.py [SOURCE_ROOT [unittest arguments...]]
"""

import configparser
import pathlib
import re
import sys
import unittest

SOURCE_ROOT = pathlib.Path(__file__).resolve().parent.parent

# By the system alone: what belongs to the compiler, and what no wrap builds (docs/building.md says what to do).
SYSTEM_ONLY = {'threads', 'libedit'}
DIGEST = re.compile(r'[0-9a-f]{64}')
DEPENDENCY = re.compile(r"\bdependency\('([^']+)'")


def dependencies(root):
    return set(DEPENDENCY.findall((root / 'meson.build').read_text(encoding='utf-8')))


def read_wrap(path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # names of dependencies keep their case
    parser.read_string(path.read_text(encoding='utf-8'), source=str(path))
    return parser


def wrap_problems(name, wrap, packagefiles):
    """One sentence for each thing that is wrong with the wrap file `name`."""
    found = []
    if sorted(wrap.sections()) != ['provide', 'wrap-file']:
        return [f'{name}: wants the sections [wrap-file] and [provide], has {wrap.sections()}']
    main = wrap['wrap-file']
    for key in ('directory', 'source_url', 'source_filename', 'source_hash'):
        if not main.get(key):
            found.append(f'{name}: {key} is missing')
    for key, value in main.items():
        if key.endswith('_url') and not value.startswith('https://'):
            found.append(f'{name}: {key} is not fetched by https')
        if key.endswith('_hash') and not DIGEST.fullmatch(value):
            found.append(f'{name}: {key} is no SHA-256 in lower case')
    folder = main.get('directory', '')
    if '/' in folder or folder in ('', '.', '..'):
        found.append(f'{name}: directory is no plain name')
    if 'patch_directory' in main:
        build = packagefiles / main['patch_directory'] / 'meson.build'
        if not build.is_file():
            found.append(f'{name}: patch_directory has no meson.build')
        else:
            found += overlay_problems(name, wrap, build.read_text(encoding='utf-8'))
    elif not (main.get('patch_url') and main.get('patch_filename') and main.get('patch_hash')):
        found.append(f'{name}: neither patch_directory nor a whole patch_url, patch_filename and patch_hash')
    return found


def overlay_problems(name, wrap, text):
    found = []
    match = re.search(r"\bversion: '([^']+)'", text)
    version = match[1] if match else 'none'
    # SQLite writes 3.41.2 as 3410200.
    spellings = {version, version.replace('.', '_'), ''.join(f'{part:0>2}' for part in version.split('.')).lstrip('0') + '00'}
    if not any(wrap['wrap-file'].get('directory', '').endswith(spelling) for spelling in spellings):
        found.append(f'{name}: the version of the meson.build beside it is not that of its directory')
    for variable in wrap['provide'].values():
        if not re.search(rf'^{re.escape(variable)} = ', text, re.MULTILINE):
            found.append(f'{name}: the meson.build beside it defines no {variable}')
    return found


class Wraps(unittest.TestCase):

    def setUp(self):
        self.folder = SOURCE_ROOT / 'subprojects'
        self.wraps = {path.name: read_wrap(path) for path in sorted(self.folder.glob('*.wrap'))}

    def test_every_wrap_is_whole(self):
        self.assertTrue(self.wraps)
        found = []
        for name, wrap in self.wraps.items():
            found += wrap_problems(name, wrap, self.folder / 'packagefiles')
        self.assertEqual(found, [], '\n' + '\n'.join(found))

    def test_every_dependency_has_a_wrap(self):
        provided = [name for wrap in self.wraps.values() for name in wrap['provide']]
        self.assertEqual(len(provided), len(set(provided)), 'a dependency is provided twice')
        self.assertEqual(set(provided), dependencies(SOURCE_ROOT) - SYSTEM_ONLY)

    def test_every_overlay_is_used(self):
        used = {wrap['wrap-file'].get('patch_directory') for wrap in self.wraps.values()} - {None}
        self.assertEqual(used, {path.name for path in (self.folder / 'packagefiles').iterdir()})

    def test_planted_faults_are_found(self):
        good = ('[wrap-file]\ndirectory = zlib-1.3.1\nsource_url = https://example.org/a.tar.gz\n'
                'source_filename = a.tar.gz\nsource_hash = ' + 'a' * 64 + '\npatch_directory = zlib\n'
                '[provide]\nzlib = zlib_dep\n')
        files = {'meson.build': "project('zlib', 'c', version: '1.3.1')\nzlib_dep = declare_dependency()\n"}
        for change, sentence in [
            (None, None),
            (('source_hash = a', 'source_hash = A'), 'no SHA-256'),
            (('https:', 'http:'), 'not fetched by https'),
            (('source_filename = a.tar.gz\n', ''), 'source_filename is missing'),
            (('[provide]\nzlib = zlib_dep\n', ''), 'wants the sections'),
            (('zlib = zlib_dep', 'zlib = z_dep'), 'defines no z_dep'),
            (('zlib-1.3.1', 'zlib-1.3.2'), 'not that of its directory'),
            (('zlib-1.3.1', '../zlib-1.3.1'), 'no plain name'),
            (('patch_directory = zlib\n', ''), 'neither patch_directory nor'),
            (('patch_directory = zlib', 'patch_directory = other'), 'has no meson.build'),
        ]:
            with self.subTest(sentence):
                wrap = configparser.ConfigParser(interpolation=None)
                wrap.optionxform = str
                wrap.read_string(good.replace(*change) if change else good)
                found = wrap_problems('zlib.wrap', wrap, Planted('zlib', files))
                if sentence is None:
                    self.assertEqual(found, [])
                else:
                    self.assertTrue(any(sentence in problem for problem in found), found)


class Planted:
    """A folder `packagefiles` with one overlay, in memory."""

    def __init__(self, name, files, path=()):
        self.name, self.files, self.path = name, files, path

    def __truediv__(self, part):
        return Planted(self.name, self.files, self.path + (part,))

    def is_file(self):
        return len(self.path) == 2 and self.path[0] == self.name and self.path[1] in self.files

    def read_text(self, encoding):
        return self.files[self.path[1]]


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-') and pathlib.Path(sys.argv[1]).is_dir():
        SOURCE_ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1)
