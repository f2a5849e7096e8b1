"""clang-tidy over every source, with the checks of .clang-tidy. Verdicts are kept in the build directory, so only what
changed is looked at again.

Usage: tidy_test.py SOURCE_ROOT BUILD_DIR [unittest arguments...]
"""

import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import house

BUILD = None
TIDY = 'clang-tidy-19'

# Faults that the checks exist for; each must be found, whatever is taken out of the list later.
PLANTED = {
    'bugprone-use-after-move': '''
        #include <string>
        #include <utility>
        std::string Twice(std::string a) { std::string b = std::move(a); return b + a; }
    ''',
    'cppcoreguidelines-avoid-capturing-lambda-coroutines': '''
        #include "async/task.h"
        inline shipmate::Task<int> Run(int n) { auto f = [n]() -> shipmate::Task<int> { co_return n; }; return f(); }
    ''',
    'clang-analyzer-core.DivideZero': '''
        int Share(int n);
        int Share(int n) { int parts = 0; return n / parts; }
    ''',
    'performance-for-range-copy': '''
        #include <cstddef>
        #include <string>
        #include <vector>
        std::size_t Total(const std::vector<std::string>& all) {
          std::size_t n = 0;
          for (const std::string one : all) n += one.size();
          return n;
        }
    ''',
}


# The static analyser does not follow coroutines: it blames Asio's promise types, and takes most of the time over it. Such
# sources are left to the other checks, and to the sanitizers.
COROUTINE = re.compile(r'\bco_(await|return|yield)\b')


def tidy(build, path, command):
    config = build.source_root / '.clang-tidy'
    less = ['--checks=-clang-analyzer-*'] if COROUTINE.search(path.read_text(encoding='utf-8')) else []
    return house.run([TIDY, '--quiet', f'--config-file={config}', *less, str(path), '--', *command[1:]], build.build_dir)


def findings(output):
    """The lines of `output` that tell something, each once."""
    lines = [line for line in output.splitlines() if not re.match(r'\d+ warnings?|Suppressed|Use -header-filter', line)]
    return '\n'.join(lines).strip()


def check(build, verdicts, path):
    name = path.relative_to(build.source_root).as_posix()
    command = build.commands[path]
    key = command + [(build.source_root / '.clang-tidy').read_text(encoding='utf-8')]
    if verdicts.known_good(name, key):
        return None
    status, output = tidy(build, path, command)
    if status != 0:
        return f'{name}:\n{findings(output)}'
    status, rule = house.run(command + ['-M', str(path)], build.build_dir)
    if status != 0:
        return f'{name}:\n{rule}'
    verdicts.remember(name, key, house.parse_depfile(rule, build.build_dir))
    return None


class Tidy(unittest.TestCase):

    def setUp(self):
        if not shutil.which(TIDY):
            self.skipTest(f'{TIDY} is not installed')

    def test_every_source_is_clean(self):
        verdicts = house.Verdicts(BUILD, 'tidy')
        self.assertTrue(BUILD.commands, 'no sources found')
        failures = house.in_parallel(lambda path: check(BUILD, verdicts, path), sorted(BUILD.commands))
        self.assertEqual(failures, [], '\n' + '\n\n'.join(failures))

    def test_planted_faults_are_found(self):
        command = BUILD.command_for(BUILD.source_root / 'src' / 'async' / 'spawn.cc')
        with tempfile.TemporaryDirectory() as folder:
            for name, text in PLANTED.items():
                with self.subTest(name):
                    path = pathlib.Path(folder) / 'planted.cc'
                    path.write_text(text, encoding='utf-8')
                    status, output = tidy(BUILD, path, command)
                    self.assertNotEqual(status, 0, output)
                    self.assertIn(name, output)


if __name__ == '__main__':
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    BUILD = house.Build(sys.argv.pop(1), sys.argv.pop(1))
    unittest.main(verbosity=1)
