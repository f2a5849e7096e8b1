"""A place for the built program to live in during a test: config, services, state; and the talk with its console.

Everything is real: the binary, its processes, its files. Waiting is always for an event, with a generous limit.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

LIMIT = float(os.environ.get("SHIPMATE_TEST_LIMIT", "60"))
BINARY = os.environ.get("SHIPMATE_BINARY", "build/test/src/app/shipmate")


def wait_for(condition, what, limit=LIMIT):
    """The first true value of `condition()`; fails the test, naming `what`, when none comes in time."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit:.0f} s in vain for {what}")
        time.sleep(0.02)


def stat_fields(pid):
    """(state, ppid, pgid) of a process, or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return fields[0], int(fields[1]), int(fields[2])


def alive(pid):
    fields = stat_fields(pid)
    return fields is not None and fields[0] not in "ZX"


def environment_of(pid):
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(item.split(b"=", 1) for item in data.split(b"\0") if b"=" in item)


def is_ours(pid):
    """Whether it runs our program: before a service's process runs its own, ours applies the settings in it."""
    try:
        return os.readlink(f"/proc/{pid}/exe").startswith(os.path.realpath(BINARY))
    except OSError:
        return False


def instances(prefix=""):
    """Living processes that carry the mark of a service: {pid: "<state id>/<service>/<generation>"}."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or not alive(int(entry)):
            continue
        mark = environment_of(int(entry)).get(b"SHIPMATE_INSTANCE")
        if mark is not None and mark.decode(errors="replace").startswith(prefix):
            found[int(entry)] = mark.decode(errors="replace")
    return found


class Home:
    """A directory with config.yaml, services/, state/ and logs/."""

    def __init__(self, config=""):
        self.path = Path(tempfile.mkdtemp(prefix="shipmate-e2e-"))
        (self.path / "services").mkdir()
        (self.path / "work").mkdir()
        (self.path / "config.yaml").write_text(config or "{}\n", encoding="utf-8")

    def service(self, name, text):
        (self.path / "services" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def process(self, name, command, extra=""):
        self.service(name, f"dir: {self.path}/work\nprocess:\n  cmd: {json.dumps(command)}\n{extra}")

    def state(self, name):
        return json.loads((self.path / "state" / f"{name}.json").read_text(encoding="utf-8"))

    def state_id(self):
        """What the marks of this home's processes begin with; "" before the first start."""
        path = self.path / "state" / ".id"
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    def processes(self):
        """What was started, not counting what is still our own program and about to become it."""
        return {pid: mark for pid, mark in self.started().items() if not is_ours(pid)}

    def started(self):
        return instances(self.state_id() + "/") if self.state_id() else {}

    def remove(self):
        for pid in self.started():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.path, ignore_errors=True)


class Program:
    """The program with its console on a pipe; `wrapper` is a command that runs it, such as strace."""

    # What the sanitizer keeps of freed memory would count as the program's.
    SANITIZER = {"ASAN_OPTIONS": "quarantine_size_mb=16:" + os.environ.get("ASAN_OPTIONS", "")}

    def __init__(self, home, *arguments, environment=None, interactive=True, binary=None, wrapper=()):
        self.home = home
        command = [*wrapper, str(binary or BINARY), "--config", str(home.path / "config.yaml"),
                   "--env", str(home.path / ".env")]
        if interactive:
            command.append("--interactive")
        self.stderr_path = home.path / f"stderr-{time.monotonic_ns()}"
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                command + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                env={**os.environ, **self.SANITIZER, **(environment or {})}, cwd=home.path)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.output = ""

    def stderr(self):
        return self.stderr_path.read_text(encoding="utf-8", errors="replace")

    def _read(self):
        data = self.process.stdout.read()
        if data:
            self.output += data.decode(errors="replace")
        return self.output

    def send(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def ask(self, line, expect=r"\S", limit=LIMIT):
        """Sends a command; its answer: the output that came, once `expect` is found in it."""
        self._read()
        self.output = ""
        self.send(line)
        wait_for(lambda: re.search(expect, self._read()) or self.process.poll() is not None,
                 f"an answer like {expect!r} to {line!r}; got {self.output!r}", limit)
        if not re.search(expect, self._read()):
            raise AssertionError(f"the program ended ({self.process.returncode}) at {line!r}:\n{self.stderr()}")
        return self.output

    def end(self):
        """End of input; the exit status."""
        self.process.stdin.close()
        return self.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def wait(self, limit=LIMIT):
        wait_for(lambda: (self._read(), self.process.poll() is not None)[1], "the program to end", limit)
        self._read()
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass


class E2ETest(unittest.TestCase):
    """A test with a home; what it started is gone afterwards."""

    config = ""

    def setUp(self):
        self.home = Home(self.config)
        self.programs = []
        self.addCleanup(self.home.remove)
        self.addCleanup(self._close)

    def _close(self):
        for program in self.programs:
            program.close()

    def start(self, *arguments, **options):
        program = Program(self.home, *arguments, **options)
        self.programs.append(program)
        return program

    def pid_of(self, program, name):
        """The pid in `status <name>`."""
        match = re.search(r"pid:? (\d+)", program.ask(f"status {name}", r"(?m)pid:? \d+|stopped|failed|not found"))
        return int(match[1]) if match else None
