"""The house plan as a test: which floor may include which, where each library may be seen, and which words are banned.

FLOORS and LIBRARIES are the plan itself; docs and review follow them. The second half of this file plants one violation
of every rule in a tree of its own and demands that it is found, so that the watchman is known to be awake.

Usage: layers_test.py [SOURCE_ROOT [unittest arguments...]]
"""

import pathlib
import re
import sys
import tempfile
import unittest

SOURCE_ROOT = pathlib.Path(__file__).resolve().parent.parent

BELOW_DEPLOY = ['base', 'async', 'os']
BELOW_GATE = BELOW_DEPLOY + ['config', 'store', 'deploy', 'service']

# floor (its folder under src/) -> the floors it may include beside itself. What a row does not list is a stranger to it.
FLOORS = {
    'base': [],
    'async': ['base'],
    'os': ['base', 'async'],
    'net': ['base', 'async', 'os'],
    'config': ['base', 'os'],
    'store': ['base', 'async', 'os'],
    'deploy': BELOW_DEPLOY,
    'service': ['base', 'async', 'os', 'net', 'config', 'deploy'],
    'service/backends': BELOW_DEPLOY + ['net', 'config', 'store', 'deploy', 'service'],
    'history': BELOW_GATE,
    'gate': BELOW_GATE,
    'chat': BELOW_GATE + ['history', 'gate'],
    'platforms/discord': BELOW_DEPLOY + ['net', 'config', 'store', 'chat'],
    'platforms/mattermost': BELOW_DEPLOY + ['net', 'config', 'store', 'chat'],
    'platforms/console': BELOW_DEPLOY + ['net', 'config', 'store', 'chat'],
    'webhook': ['base', 'async', 'net', 'config', 'store', 'service', 'gate'],
    'web': ['base', 'async', 'net', 'config', 'service', 'history', 'chat'],
}
FLOORS['app'] = list(FLOORS)

PLATFORMS = ['platforms/discord', 'platforms/mattermost', 'platforms/console']


ANY, PRIVATE = 'any', 'private'


class Library:
    """Where one library may be seen: `places` are floors, or single files under src/; `limit` bounds the number of
    files in each floor; `headers` tells whether a header may include it: never, PRIVATE for one that stays within its floor,
    or ANY."""

    def __init__(self, pattern, places, limit=None, headers=None):
        self.pattern = re.compile(pattern)
        self.places = places
        self.limit = limit
        self.headers = headers


ASYNC_UP = [floor for floor in FLOORS if floor not in ('base', 'config')]

# The first pattern that matches an include decides, so narrow ones stand before wide ones.
LIBRARIES = {
    'spdlog': Library(r'spdlog/', ['base'], limit=1),
    'fmt': Library(r'fmt/', list(FLOORS), headers=ANY),
    'Beast': Library(r'boost/beast', ['net'], limit=4),
    'OpenSSL': Library(r'openssl/|boost/asio/ssl', ['net'], headers=PRIVATE),
    'Boost.JSON': Library(r'boost/json', ['service', 'webhook', 'web'] + PLATFORMS),
    'Asio': Library(r'boost/(asio|system)[/.]', ASYNC_UP, headers=ANY),
    'zlib': Library(r'zlib\.h$', ['net']),
    'yaml-cpp': Library(r'yaml-cpp/', ['config'], limit=1),
    'date': Library(r'date/', ['config'], limit=1),
    'SQLite': Library(r'sqlite3', ['store']),
    'simdjson': Library(r'simdjson', ['service', 'webhook'] + PLATFORMS),
    'prometheus-cpp': Library(r'prometheus/', ['web']),
    'libedit': Library(r'(editline/|histedit)', ['platforms/console']),
    'CLI11': Library(r'CLI/', ['app']),
    'libsystemd': Library(r'systemd/', ['app']),
    # Names of system types are harmless anywhere; calls into the system belong to os, and to the few that own a
    # descriptor of another kind.
    'POSIX types': Library(r'sys/types\.h$', list(FLOORS), headers=ANY),
    'POSIX': Library(r'(sys|linux|net|netinet|arpa)/|(unistd|fcntl|signal|spawn|poll|sched|dirent|dlfcn|grp|pwd|netdb|'
                     r'features|malloc|syslog|termios|pthread|semaphore|ftw|glob|fnmatch|regex|time|errno|string|stdlib|stdio|limits)'
                     r'\.h$', ['os', 'net', 'platforms/console', 'app'], headers=ANY),
}

# Libraries of which each floor gets one file only.
ONE_FILE = {('service', 'simdjson'), ('service', 'Boost.JSON')}

STANDARD = set('''algorithm any array bit bitset cassert cctype cerrno cfloat charconv chrono cinttypes climits cmath compare
    complex concepts coroutine csignal cstddef cstdint cstdio cstdlib cstring ctime deque exception expected filesystem
    forward_list fstream functional initializer_list iomanip ios iosfwd iostream istream iterator limits list locale map
    memory memory_resource new numbers numeric optional ostream queue random ranges ratio regex set source_location span
    sstream stack stdexcept streambuf string string_view system_error tuple type_traits typeindex typeinfo unordered_map
    unordered_set utility valarray variant vector version'''.split())

# Standard headers of the many-threaded world, and who may include them beside nobody.
THREADED = set('atomic barrier condition_variable future latch mutex semaphore shared_mutex stop_token thread'.split())

# The worker pool, and the name look-ups that a deadline abandons.
THREADS_LIVE_IN = re.compile(r'async/|net/[a-z_]*(look_?up|resolve)[a-z_]*\.cc$')

# (what, pattern in code without comments and strings, files it is allowed in, what to do instead)
BANNED = [
    ('asio::detached', re.compile(r'\bdetached\b'), re.compile(r'$^'), 'use async::Spawn or a TaskGroup'),
    ('co_spawn', re.compile(r'\bco_spawn\s*\('), re.compile(r'async/'), 'use async::Spawn or a TaskGroup'),
    ('a lock', re.compile(r'\bstd::(recursive_|shared_|timed_)?mutex\b|\bstd::(lock_guard|unique_lock|scoped_lock|'
                          r'condition_variable)\b'), THREADS_LIVE_IN, 'there is one thread'),
    ('std::atomic', re.compile(r'\bstd::atomic'), THREADS_LIVE_IN, 'there is one thread'),
    ('std::thread', re.compile(r'\bstd::j?thread\b|\bstd::async\b|\bpthread_create\b'), THREADS_LIVE_IN,
     'use async::Offload'),
    ('system()', re.compile(r'(?<![\w.>])system\s*\('), re.compile(r'$^'), 'use os::RunCommand'),
    ('popen()', re.compile(r'(?<![\w.>])popen\s*\('), re.compile(r'$^'), 'use os::RunCommand'),
    ('sleeping on the loop', re.compile(r'\bsleep_(for|until)\b|(?<![\w.>])(u|nano)?sleep\s*\('), re.compile(r'$^'),
     'use async::Sleep'),
    ('a clock read past base::Clock', re.compile(r'\b(steady|system|high_resolution)_clock::now\b'),
     re.compile(r'base/(clock\.h|log\.cc)$'), 'take a base::Clock'),
]


def code_only(text):
    """`text` with comments and the contents of string and character literals blanked; line breaks are kept."""
    token = re.compile(r'''
        (?P<line>//(?:\\\n|[^\n])*)
      | (?P<block>/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<number>\b\d[\w.]*(?:'[\w.]+)+)
      | (?P<char>'(?:\\.|[^'\\\n])+')''', re.VERBOSE | re.DOTALL)

    def blank(match):
        if match.lastgroup == 'number' or match.group('number'):
            return match.group()
        kept = re.sub(r'[^\n]', ' ', match.group())
        return '""' + kept[2:] if match.group('raw') or match.group('string') else kept

    return token.sub(blank, text)


def floor_of(path):
    """The floor that holds `path` (relative to src/, with slashes); None when there is none."""
    folder = path.rpartition('/')[0]
    while folder:
        if folder in FLOORS:
            return folder
        folder = folder.rpartition('/')[0]
    return None


def library_of(header):
    for name, library in LIBRARIES.items():
        if library.pattern.match(header):
            return name
    return None


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def problems(source_root):
    """One sentence for each violation in the tree under `source_root`/src."""
    found = []
    seen = {}  # (library, floor) -> files
    private = {}  # header that may not leave its floor -> the library it shows
    crossings = []  # (where, floor, header of another floor, its floor)
    within = {}  # header -> headers of its own floor that it includes
    src = pathlib.Path(source_root) / 'src'
    files = sorted(path for path in src.rglob('*') if path.suffix in ('.h', '.cc'))
    for path in files:
        name = path.relative_to(src).as_posix()
        text = path.read_text(encoding='utf-8')
        code = code_only(text)
        floor = floor_of(name)
        if floor is None:
            found.append(f'{name}: belongs to no floor of the plan')
            continue
        header = path.suffix == '.h'
        if header and not re.search(r'^#pragma once$', code, re.MULTILINE):
            found.append(f'{name}: no "#pragma once"')
        for match in INCLUDE.finditer(text):
            if code[match.start():match.end()].find('include') < 0:
                continue  # inside a comment
            kind, target = match.groups()
            where = f'{name}:{text.count(chr(10), 0, match.start()) + 1}'
            if kind == '"':
                other = floor_of(target)
                if other is None:
                    found.append(f'{where}: "{target}" is not a path that starts with a floor')
                elif other == floor:
                    within.setdefault(name, set()).add(target)
                elif other not in FLOORS[floor]:
                    found.append(f'{where}: {floor} may not include {other} ("{target}")')
                else:
                    crossings.append((where, floor, target, other))
                continue
            if target in STANDARD:
                continue
            if target in THREADED:
                if not THREADS_LIVE_IN.match(name):
                    found.append(f'{where}: <{target}> is for many threads, and there is one')
                continue
            library = library_of(target)
            if library is None:
                found.append(f'{where}: <{target}> is of no library that the plan knows')
                continue
            rule = LIBRARIES[library]
            if floor not in rule.places:
                found.append(f'{where}: {library} is not for {floor} (<{target}>)')
            elif header and rule.headers is None:
                found.append(f'{where}: {library} may be seen in a .cc only (<{target}>)')
            elif header and rule.headers == PRIVATE:
                private[name] = library
            seen.setdefault((library, floor), set()).add(name)
        for what, pattern, allowed, instead in BANNED:
            if allowed.match(name):
                continue
            for match in pattern.finditer(code):
                line = code.count('\n', 0, match.start()) + 1
                found.append(f'{name}:{line}: {what} is banned; {instead}')
    grown = True
    while grown:
        grown = False
        for name, targets in within.items():
            shown = targets & private.keys()
            if shown and name not in private:
                private[name] = private[min(shown)]
                grown = True
    for where, floor, target, other in crossings:
        if target in private:
            found.append(f'{where}: "{target}" shows {private[target]}, and is private to {other}')
    for (library, floor), names in sorted(seen.items()):
        limit = 1 if (floor, library) in ONE_FILE else LIBRARIES[library].limit
        if limit is not None and len(names) > limit:
            found.append(f'{library} in {len(names)} files of {floor}, at most {limit}: {", ".join(sorted(names))}')
    return found


class TheHouse(unittest.TestCase):

    def test_the_plan_has_no_circle(self):
        order = list(FLOORS)
        for floor, below in FLOORS.items():
            for other in below:
                if other != floor:
                    self.assertLess(order.index(other), order.index(floor), f'{floor} lists {other}, which is above it')

    def test_the_tree_keeps_to_the_plan(self):
        self.assertTrue(any((SOURCE_ROOT / 'src').rglob('*.cc')), 'no sources found')
        found = problems(SOURCE_ROOT)
        self.assertEqual(found, [], '\n' + '\n'.join(found))


class PlantedViolations(unittest.TestCase):
    """Each case is a whole tree of a few files; what is expected of it is one sentence, or none."""

    def look(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / 'src' / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding='utf-8')
            return problems(root)

    def refused(self, files, sentence):
        found = self.look(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(sentence, found[0])

    def accepted(self, files):
        self.assertEqual(self.look(files), [])

    def test_includes_down_and_within_are_fine(self):
        self.accepted({
            'os/a.h': '#pragma once\n#include <vector>\n#include "base/result.h"\n#include "os/b.h"\n',
            'service/backends/a.cc': '#include "service/backend.h"\n#include "os/a.h"\n',
            'app/a.cc': '#include "platforms/discord/a.h"\n#include <CLI/CLI.hpp>\n',
        })

    def test_include_upward(self):
        self.refused({'base/a.cc': '\n#include "os/a.h"\n'}, 'base/a.cc:2: base may not include os')
        self.refused({'service/a.cc': '#include "service/backends/a.h"\n'}, 'service may not include service/backends')
        self.refused({'chat/a.cc': '#include "app/a.h"\n'}, 'chat may not include app')

    def test_include_sideways(self):
        self.refused({'net/a.cc': '#include "config/a.h"\n'}, 'net may not include config')
        self.refused({'platforms/discord/a.cc': '#include "platforms/mattermost/a.h"\n'}, 'may not include platforms')
        self.refused({'platforms/console/a.cc': '#include "service/a.h"\n'}, 'may not include service')

    def test_a_file_or_include_outside_every_floor(self):
        self.refused({'extra/a.cc': ''}, 'belongs to no floor')
        self.refused({'platforms/a.cc': ''}, 'belongs to no floor')
        self.refused({'os/a.cc': '#include "a.h"\n'}, 'not a path that starts with a floor')

    def test_libraries_stay_in_their_floor(self):
        for name, header in [('os/a.cc', 'boost/beast/http.hpp'), ('chat/a.cc', 'yaml-cpp/yaml.h'), ('gate/a.cc', 'sqlite3.h'),
                             ('service/a.cc', 'openssl/hmac.h'), ('chat/a.cc', 'simdjson.h'), ('os/a.cc', 'spdlog/spdlog.h'),
                             ('gate/a.cc', 'boost/json.hpp'), ('base/a.cc', 'boost/asio/post.hpp'), ('chat/a.cc', 'unistd.h'),
                             ('deploy/a.cc', 'sys/wait.h'), ('web/a.cc', 'CLI/CLI.hpp'), ('config/a.cc', 'zlib.h')]:
            with self.subTest(header):
                self.refused({name: f'#include <{header}>\n'}, ' is not for ')

    def test_an_unknown_library(self):
        self.refused({'os/a.cc': '#include <curl/curl.h>\n'}, 'no library that the plan knows')

    def test_libraries_that_no_header_may_show(self):
        for name, header in [('net/a.h', 'boost/beast/core.hpp'), ('config/a.h', 'yaml-cpp/yaml.h'),
                             ('store/a.h', 'sqlite3.h'), ('base/a.h', 'spdlog/spdlog.h'), ('webhook/a.h', 'simdjson.h')]:
            with self.subTest(header):
                self.refused({name: f'#pragma once\n#include <{header}>\n'}, 'in a .cc only')

    def test_a_header_that_shows_a_library_stays_in_its_floor(self):
        files = {'net/a.h': '#pragma once\n#include <openssl/ssl.h>\n', 'net/b.h': '#pragma once\n#include "net/a.h"\n',
                 'net/c.cc': '#include "net/b.h"\n', 'net/d.h': '#pragma once\n'}
        self.accepted({**files, 'web/a.cc': '#include "net/d.h"\n'})
        self.refused({**files, 'web/a.cc': '#include "net/a.h"\n'}, '"net/a.h" shows OpenSSL, and is private to net')
        self.refused({**files, 'web/a.cc': '#include "net/b.h"\n'}, '"net/b.h" shows OpenSSL, and is private to net')

    def test_libraries_of_few_files(self):
        beast = '#include <boost/beast/http.hpp>\n'
        self.accepted({f'net/{letter}.cc': beast for letter in 'abcd'})
        self.refused({f'net/{letter}.cc': beast for letter in 'abcde'}, 'Beast in 5 files of net, at most 4')
        for floor, header in [('base', 'spdlog/spdlog.h'), ('config', 'yaml-cpp/yaml.h'), ('service', 'simdjson.h'),
                              ('service', 'boost/json.hpp')]:
            with self.subTest(header):
                text = f'#include <{header}>\n'
                self.accepted({f'{floor}/a.cc': text})
                self.refused({f'{floor}/a.cc': text, f'{floor}/b.cc': text}, f'in 2 files of {floor}, at most 1')

    def test_banned_words(self):
        for text, sentence in [('f(boost::asio::detached);', 'asio::detached'), ('co_spawn(x, f(), done);', 'co_spawn'),
                               ('std::mutex m;', 'a lock'), ('std::scoped_lock lock(m);', 'a lock'),
                               ('std::atomic<int> n;', 'std::atomic'), ('std::jthread t;', 'std::thread'),
                               ('int r = system("ls");', 'system()'), ('int r = std::system("ls");', 'system()'),
                               ('FILE* f = popen("ls", "r");', 'popen()'), ('std::this_thread::sleep_for(1s);', 'sleeping'),
                               ('usleep(5);', 'sleeping'), ('auto t = std::chrono::steady_clock::now();', 'a clock read')]:
            with self.subTest(text):
                self.refused({'os/a.cc': f'\n{text}\n'}, f'os/a.cc:2: {sentence}')

    def test_threads_where_they_live(self):
        text = '#include <atomic>\n#include <thread>\nstd::atomic<bool> b;\nstd::thread t;\n'
        self.accepted({'async/offload.cc': text, 'net/lookup.cc': text})
        self.assertEqual(len(self.look({'net/url.cc': text})), 4)

    def test_words_in_comments_and_strings_are_words_only(self):
        self.accepted({'os/a.cc': '// std::mutex, system("x")\n/* std::atomic\n#include "app/a.h"\n*/\n'
                                  'const char* a = "system(popen()) \\" std::mutex";\n'
                                  'const char* b = R"x(std::thread " sleep_for)x"; const int n = 1\'000\'000; char c = \'"\';\n'
                                  'throw boost::system::system_error(e); file_system(1); x.system(2);\n'})
        # A literal must not hide the code behind it.
        self.refused({'os/a.cc': 'char c = \'"\'; const int n = 1\'000; std::mutex m; char d = \'"\';\n'}, 'a lock')

    def test_header_without_pragma_once(self):
        self.refused({'os/a.h': '// #pragma once\n'}, 'no "#pragma once"')


if __name__ == '__main__':
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        SOURCE_ROOT = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=1)
