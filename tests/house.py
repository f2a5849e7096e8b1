"""What the tests of the house rules share: the compile commands of the build, two workers, and a cache of verdicts.

A verdict is remembered in the build directory under a digest of all that it depends on: the command, the configuration
of the tool, and the content of every file that the compiler read. So a second run is quick, a fresh clone may reuse the
cache, and a changed file is never missed.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import re
import shlex
import subprocess

WORKERS = 2
LIMIT_S = 600


class Build:
    """The compile commands under `build_dir` for the files below `source_root`/src."""

    def __init__(self, source_root, build_dir):
        self.source_root = pathlib.Path(source_root).resolve()
        self.build_dir = pathlib.Path(build_dir).resolve()
        self.commands = {}  # absolute path of a .cc -> argv without wrapper, input and outputs
        database = json.loads((self.build_dir / 'compile_commands.json').read_text(encoding='utf-8'))
        for entry in database:
            path = (pathlib.Path(entry['directory']) / entry['file']).resolve()
            if self.source_root / 'src' in path.parents:
                self.commands[path] = self._bare(entry)

    @staticmethod
    def _bare(entry):
        argv = entry.get('arguments') or shlex.split(entry['command'])
        while 'clang' not in pathlib.Path(argv[0]).name and len(argv) > 1:
            argv = argv[1:]  # ccache and the like
        bare, skip = [], False
        for word in argv:
            if skip:
                skip = False
            elif word in ('-o', '-MF', '-MQ', '-MT'):
                skip = True
            elif word not in ('-c', '-MD', '-MMD', entry['file']):
                bare.append(word)
        return bare

    def command_for(self, path):
        """The flags a file at `path` is compiled with, or would be: those of the nearest neighbour."""
        if path in self.commands:
            return self.commands[path]
        if not self.commands:
            raise RuntimeError('the compile commands name no source under src/')

        def shared(other):
            return sum(1 for a, b in zip(path.parts, other.parts) if a == b)

        return self.commands[max(sorted(self.commands), key=shared)]


class Verdicts:
    """Remembers, for each name, the digest under which it was last found good."""

    def __init__(self, build, kind):
        self.folder = build.build_dir / 'house-cache' / kind
        self.folder.mkdir(parents=True, exist_ok=True)
        self.digests = {}

    def _entry(self, name):
        return self.folder / (re.sub(r'[^A-Za-z0-9.]', '_', name) + '.json')

    def _digest(self, path):
        if path not in self.digests:
            try:
                self.digests[path] = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
            except OSError:
                self.digests[path] = 'missing'
        return self.digests[path]

    def _key(self, command, files):
        whole = hashlib.sha256(json.dumps(command).encode())
        for path in sorted(files):
            whole.update(f'{path} {self._digest(path)}\n'.encode())
        return whole.hexdigest()

    def known_good(self, name, command):
        try:
            entry = json.loads(self._entry(name).read_text(encoding='utf-8'))
        except (OSError, ValueError):
            return False
        return entry['key'] == self._key(command, entry['files'])

    def remember(self, name, command, files):
        entry = {'key': self._key(command, files), 'files': sorted(files)}
        self._entry(name).write_text(json.dumps(entry), encoding='utf-8')


def parse_depfile(text, directory):
    """The prerequisites of a make rule as absolute paths."""
    words = text.replace('\\\n', ' ').partition(':')[2].replace('\\ ', '\0').split()
    return [str((pathlib.Path(directory) / word.replace('\0', ' ')).resolve()) for word in words if word != '<stdin>']


def run(argv, directory, stdin=''):
    """(exit status, output). A command that does not end is a failure, never a hang."""
    try:
        done = subprocess.run(argv, cwd=directory, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_S, text=True, errors='replace', check=False)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 1, f'{argv[0]} did not end within {LIMIT_S} s'


def in_parallel(work, items):
    """work(item) for each, WORKERS at a time; the results that are not None, in order of the items."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return [result for result in pool.map(work, items) if result is not None]
