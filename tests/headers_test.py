"""Every header compiles alone: whoever includes it needs to know nothing else.

Usage: headers_test.py SOURCE_ROOT BUILD_DIR [unittest arguments...]
"""

import pathlib
import sys
import tempfile
import unittest

import house

BUILD = None


def check(build, verdicts, header, scratch):
    """None when `header` stands alone, otherwise what the compiler said."""
    name = header.relative_to(build.source_root).as_posix()
    command = build.command_for(header) + ['-I' + str(build.source_root / 'src'), '-fsyntax-only', '-x', 'c++']
    if verdicts.known_good(name, command):
        return None
    depfile = pathlib.Path(scratch) / (name.replace('/', '_') + '.d')
    status, output = house.run(command + ['-MD', '-MF', str(depfile), '-'], build.build_dir, f'#include "{header}"\n')
    if status != 0:
        return f'{name}:\n{output}'
    verdicts.remember(name, command, house.parse_depfile(depfile.read_text(encoding='utf-8'), build.build_dir))
    return None


class Headers(unittest.TestCase):

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def test_every_header_compiles_alone(self):
        verdicts = house.Verdicts(BUILD, 'headers')
        headers = sorted((BUILD.source_root / 'src').rglob('*.h'))
        self.assertTrue(headers, 'no headers found')
        failures = house.in_parallel(lambda header: check(BUILD, verdicts, header, self.scratch), headers)
        self.assertEqual(failures, [], '\n' + '\n'.join(failures))

    def test_a_header_that_leans_on_its_includer_is_found(self):
        verdicts = house.Verdicts(BUILD, 'headers-planted')
        planted = pathlib.Path(self.scratch) / 'src' / 'leaning.h'
        planted.parent.mkdir()
        planted.write_text('#pragma once\ninline std::string Name() { return "x"; }\n', encoding='utf-8')
        build = Planted(BUILD, self.scratch)
        self.assertIn('std', check(build, verdicts, planted, self.scratch) or 'nothing was found')
        # Mended, it passes; and a change behind a remembered verdict is noticed.
        other = planted.with_name('other.h')
        other.write_text('#pragma once\n#include <string>\n', encoding='utf-8')
        planted.write_text('#pragma once\n#include "other.h"\ninline std::string Name() { return "x"; }\n', encoding='utf-8')
        self.assertIsNone(check(build, verdicts, planted, self.scratch))
        other.write_text('#pragma once\n', encoding='utf-8')
        fresh = house.Verdicts(BUILD, 'headers-planted')
        self.assertIsNotNone(check(build, fresh, planted, self.scratch))


class Planted:
    """The flags of a real build for a tree of one planted header."""

    def __init__(self, build, source_root):
        self.source_root = pathlib.Path(source_root)
        self.build_dir = build.build_dir
        self._command = build.command_for(build.source_root / 'src' / 'base' / 'result.h')

    def command_for(self, _):
        return self._command


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    BUILD = house.Build(sys.argv.pop(1), sys.argv.pop(1))
    unittest.main(verbosity=1)
