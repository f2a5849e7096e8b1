"""kill -9 of the program before any system call it makes, and failing system calls: services are never run twice,
forgotten or left behind, and what was answered is true.

A scenario is first run once under strace and its calls are counted; then strace kills the program at the N-th of them,
for N spread evenly (`--inject=CALL:signal=KILL:when=N` kills before the call is made). After each kill the program is
started again, untraced, and what it says is compared with /proc. In the other test calls fail instead.

How only the program is hit: strace attaches to single threads and does not follow forks, so that the services, which
come by posix_spawn, are never traced. A thread other than the first one is called a worker here. The scenarios of
start-up trace from exec on; their workers need `-f`, and `-b execve` lets go of each child before it runs a program.
strace counts calls per thread and per name of the call, so that a point is (worker or main, name, N).

  SHIPMATE_CRASH_POINTS=40      points per scenario that are to be reached; "all" for every one
  SHIPMATE_CRASH_ONLY=kill:stop points whose name begins so; a whole name, as printed on failure, reruns that point
  SHIPMATE_CRASH_VERBOSE=1      prints each point
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import LIMIT, Home, Program, alive, environment_of, stat_fields, wait_for  # noqa: E402

POINTS = os.environ.get("SHIPMATE_CRASH_POINTS", "")
ONLY = os.environ.get("SHIPMATE_CRASH_ONLY", "")
VERBOSE = bool(os.environ.get("SHIPMATE_CRASH_VERBOSE"))
KILLS_PER_SCENARIO = 16
FAILURES_PER_SCENARIO = 5
KILLS_AT_LEAST = 200
FAILURES_AT_LEAST = 50

# LeakSanitizer stops all threads by ptrace when a program ends, which a traced program refuses: it would report that as
# an error of its own and change the exit status.
ENVIRONMENT = {"ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))}

CALLS = ("openat write pwrite64 writev rename renameat renameat2 unlink unlinkat fsync fdatasync ftruncate mkdir "
         "clone clone3 vfork kill pidfd_open pidfd_send_signal waitid wait4").split()
# What may go wrong with a call in earnest.
ERRORS = {"openat": "ENOSPC EIO EMFILE EACCES", "write": "ENOSPC EIO", "pwrite64": "ENOSPC EIO",
          "rename": "EIO ENOSPC EACCES", "renameat2": "EIO ENOSPC EACCES", "unlink": "EIO EACCES",
          "fsync": "EIO ENOSPC", "fdatasync": "EIO ENOSPC", "clone": "EAGAIN ENOMEM", "clone3": "EAGAIN ENOMEM",
          "vfork": "EAGAIN ENOMEM", "pidfd_open": "EMFILE ENOMEM", "kill": "EPERM", "pidfd_send_signal": "EPERM",
          "mkdir": "EACCES ENOSPC"}
# Calls that stand for the sending of a word between threads (eventfd) and to the signal reader (a pipe), and /proc.
# A sanitizer asks by a `write` to a pipe of its own whether memory may be read, and ends the program where that fails in
# another way than it knows.
SANITIZERS_OWN = "sanitizer_posix_libcdep"
WAKE_UP = re.compile(r'"(\\1(\\0){7}"\.*, 8|\\\d+\\0\\0\\0", 4)\)')
TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp$")
LOGS_KEPT = 100
TROUBLE = re.compile(r"Sanitizer|runtime error:|terminate called|Assertion")


def strace_works():
    """"" when strace can trace and kill here; else why not."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "-b", "execve", "-f", "--inject=unlink,unlinkat:signal=KILL",
                            "rm", "-f", "/nonexistent/file"], capture_output=True, text=True, check=False)
    if tried.returncode != -signal.SIGKILL:
        return f"strace cannot kill a program here (status {tried.returncode}): {tried.stderr.strip()}"
    return ""


class Point:
    """Where a run is hurt: at call number `number` of that name, of the main thread or of a worker."""

    def __init__(self, kind, scenario, role, call, number, error=""):
        self.kind, self.scenario, self.role, self.call, self.number, self.error = (
            kind, scenario, role, call, number, error)

    def __str__(self):
        error = f":{self.error}" if self.error else ""
        return f"{self.kind}:{self.scenario}:{self.role}:{self.call}:{self.number}{error}"

    def injection(self):
        how = f"error={self.error.rstrip('+')}" if self.error else "signal=KILL"
        return f"--inject={self.call}:{how}:when={self.number}{'+' if self.error.endswith('+') else ''}"


class Trace:
    """strace on a program: as its wrapper (see `wrapper`), or attached to one kind of its threads."""

    def __init__(self, role, options):
        self.role = role
        self.directory = tempfile.mkdtemp(prefix="shipmate-strace-")
        self.log = os.path.join(self.directory, "log")
        self.options = ["strace", "-o", self.log, *options]
        self.process = None

    def wrapper(self):
        return [*self.options, *(["-f", "-b", "execve"] if self.role == "worker" else [])]

    def attach(self, pid):
        threads = [int(entry) for entry in os.listdir(f"/proc/{pid}/task")]
        mine = [thread for thread in threads if (thread == pid) == (self.role == "main")]
        command = self.options + [argument for thread in mine for argument in ("-p", str(thread))]
        stderr_path = os.path.join(self.directory, "stderr")
        with open(stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr)
        wait_for(lambda: Path(stderr_path).read_text(encoding="utf-8").count("attached") >= len(mine)
                 or self.process.poll() is not None, "strace to attach")
        if self.process.poll() is not None:
            raise AssertionError(f"strace did not attach to {mine}: {Path(stderr_path).read_text(encoding='utf-8')}\n" +
                                 Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))

    def detach(self):
        """Ends strace and leaves the program running."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
        if self.process:
            self.process.wait()

    def lines(self):
        path = Path(self.log)
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []

    def close(self):
        self.detach()
        shutil.rmtree(self.directory, ignore_errors=True)


class Ended(Exception):
    """The program ended while a scenario was under way."""


class Unanswered(AssertionError):
    """The program did not answer."""


class Run:
    """A home with services, the program in it, and the scenarios' means to act on it."""

    def __init__(self, kind, scenario):
        self.kind = kind
        self.scenario = scenario
        self.home = Home()
        self.program = None
        self.pids = {}
        self.names = set()
        self.acknowledged = {}
        self.answers = ""
        # The program said that something failed: then a service may be down that is to be up, until it is started.
        self.excused = False
        # Bystanders whom no signal may hit: one looks like a process of another Shipmate, one works in our directory.
        self.decoys = [
            subprocess.Popen(["sleep", "100000"], start_new_session=True, cwd=self.home.path / "work",
                             env={**os.environ, "SHIPMATE_INSTANCE": f"{os.urandom(8).hex()}/web/1"}),
            subprocess.Popen(["sleep", "100000"], cwd=self.home.path / "work")]
        self.add("calm", "exec sleep 100000")
        scenario.set_up(self)

    def close(self):
        if self.program:
            self.program.close()
        for decoy in self.decoys:
            decoy.kill()
            decoy.wait()
        self.home.remove()

    # What scenarios do.

    def add(self, name, command, extra=""):
        # A start counts as good at once: waiting for that would be most of what this test does.
        self.home.process(name, command, extra + "min_uptime: 50ms\n")
        self.names.add(name)

    def remove(self, name):
        (self.home.path / "services" / f"{name}.yaml").unlink()
        self.names.discard(name)

    def start(self, wrapper=()):
        if self.program:
            self.program.close()
        self.program = Program(self.home, environment=ENVIRONMENT, wrapper=wrapper)
        self.excused = False
        self.fresh = True

    def ask(self, line, expect=r"\S"):
        """The answer; raises Ended when the program ends instead."""
        program = self.program
        # Where a call fails, it may be the one that writes the answer: not to be waited for too long.
        limit = LIMIT if self.kind == "kill" else LIMIT / 4
        try:
            program._read()
            program.output = ""
            program.send(line)
        except OSError:
            self.await_end()
        try:
            wait_for(lambda: re.search(expect, program._read()) or program.process.poll() is not None, "", limit)
        except AssertionError:
            raise Unanswered(f"no answer like {expect!r} to {line!r} within {limit:.0f} s, but {program.output!r}; log:\n"
                             f"{program.stderr()}") from None
        if not re.search(expect, program._read()):
            raise Ended
        self.answers += program.output
        return program.output

    def wait_for(self, condition, what, limit=LIMIT):
        wait_for(lambda: condition() or self.program.process.poll() is not None, what, limit)
        if not condition():
            raise Ended

    def await_end(self):
        wait_for(lambda: self.program.process.poll() is not None, "the program to end")
        raise Ended

    def kill(self):
        """kill -9 of the program, from outside."""
        for pid in self.bot_pids():
            os.kill(pid, signal.SIGKILL)
        self.program.process.wait()

    def log(self):
        """What the program logged, without the lines that say what this test asked."""
        return "\n".join(line for line in self.program.stderr().splitlines() if " info command: " not in line)

    def told_of(self, name):
        """Where calls fail: it was logged that something of this service failed."""
        return self.kind == "fail" and re.search(rf"error {name}: ", self.log())

    def bot_pids(self):
        pid = self.program.process.pid
        if self.program.process.poll() is not None:
            return []
        fields = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        if fields != "strace":
            return [pid]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        return [int(child) for child in children]

    def kill_services(self):
        for pid in self.home.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(lambda: not self.home.processes(), "the services to be gone")
        self.pids.clear()

    # What must hold.

    def desired(self, name):
        try:
            return self.home.state(name).get("desired", "")
        except (OSError, ValueError):
            return ""

    def marked(self):
        found = {}
        for pid, mark in self.home.processes().items():
            found.setdefault(mark.split("/")[1], {})[pid] = mark
        return found

    def contradiction(self, name):
        """"" when what the program says of `name` and what is so agree, else what is wrong."""
        said = self.ask(f"status {name}", rf"(?s){name}\b.*\n")
        marked = self.marked().get(name, {})
        leaders = [pid for pid in marked if (stat_fields(pid) or ("", 0, 0))[2] == pid]
        match = re.search(r"(?m)^pid:? (\d+)", said)
        desired = self.desired(name)
        if match:
            if desired == "down" and not self.excused:
                return f"runs, though it is to be down: {said!r}"
            if not alive(int(match[1])) or int(match[1]) not in marked or len(set(marked.values())) != 1:
                return f"said {said!r}; there are {marked}"
            own = [pid for pid in leaders if marked[pid] and stat_fields(pid) and stat_fields(pid)[1] not in marked]
            return "" if own == [int(match[1])] else f"said {said!r}; leaders are {own}"
        if marked:
            return f"said {said!r}; there are {marked}"
        if self.excused and (desired != "down" or "not found" in said):
            return ""
        if not re.search("stopped|failed|backoff|waiting", said):
            return f"said {said!r}, and nothing of it lives"
        # A service that was never started has no wish recorded.
        to_be_up = desired == "up" or (self.fresh and desired != "down")
        return f"is down, though it is to be up: {said!r}" if self.scenario.must_run and to_be_up else ""

    def check_files(self):
        """State files are whole at any moment, and temporary files no more than the changes under way."""
        for path in (self.home.path / "state").glob("*.json"):
            state = json.loads(path.read_text(encoding="utf-8"))
            assert "status" in state, f"{path} is not a state: {state}"
        assert not list((self.home.path / "state").glob("*corrupt*")), "a state file was set aside as corrupt"

    def clutter(self):
        """"" or what lies about that should not."""
        state = [path.name for path in (self.home.path / "state").iterdir() if TEMPORARY.search(path.name)]
        logs = Counter(path.name.split(".")[0] for path in (self.home.path / "logs").iterdir())
        many = {name: count for name, count in logs.items() if count > LOGS_KEPT + 3 and name in self.names}
        gone = [path.stem for path in (self.home.path / "state").glob("*.json") if path.stem not in self.names]
        orphans = {name: pids for name, pids in self.marked().items() if name not in self.names}
        if self.excused:
            gone = []
            orphans = {}
        deploys = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                   if environment_of(pid).get(b"SHIPMATE_DEPLOY", b"").decode().startswith(self.home.state_id() + "/")
                   and alive(pid)]
        zombies = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                   if (stat_fields(pid) or ("", 0, 0))[:2] == ("Z", self.program.process.pid)]
        found = {"temporary files": state, "log files": many, "states of removed services": gone, "processes of removed "
                 "services": orphans, "processes of a deploy": deploys, "unreaped children": zombies}
        return "; ".join(f"{what}: {which}" for what, which in found.items() if which)

    def settled(self):
        """"" once everything is as it should be."""
        for name in sorted(self.names):
            if wrong := self.contradiction(name):
                return f"{name} {wrong}"
        for name in self.names:
            if (self.home.path / "state" / f"{name}.json").exists() and self.home.state(name)["status"] == "deploying":
                # Which is right when it waited still, by what was on disk: then it was begun (again) after the kill.
                if "deploying" in self.ask(f"status {name}", rf"(?s){name}\b.*\n"):
                    self.ask(f"cancel {name}", r"\S.*\n")
                return f"{name}: the record says that it deploys"
        return self.clutter()

    def check(self):
        """The invariants, of a program that runs untraced. Raises AssertionError."""
        last = [""]

        def holds():
            last[0] = self.settled()
            return not last[0]

        try:
            wait_for(holds, "the invariants", 30)
        except AssertionError:
            raise AssertionError(f"{last[0]}\nlog of the program:\n{self.log()}") from None
        except Ended:
            raise AssertionError(f"the program ended ({self.program.process.returncode}) by itself:\n"
                                 f"{self.log()}") from None
        self.check_files()
        for name, wanted in self.acknowledged.items():
            lives = name in self.marked()
            assert lives == (wanted == "up"), f"{name} was said to be {wanted}, and {'lives' if lives else 'is gone'}"
        for decoy in self.decoys:
            assert decoy.poll() is None, f"a foreign process was signalled ({decoy.returncode})"
        for name, pid in self.pids.items():
            assert alive(pid) and pid in self.marked().get(name, {}), f"{name} (pid {pid}) was to be left alone"
        assert not TROUBLE.search(self.program.stderr()), self.program.stderr()
        self.note_bystander()

    def note_bystander(self):
        self.pids = {"calm": next(iter(self.marked()["calm"]))} if "calm" in self.marked() else {}


class Scenario:
    """What is done while the program may be killed. `act` raises Ended when it was, and else leaves in
    `run.acknowledged` what the program said it did."""

    name = ""
    # Traced from exec on, rather than attached to.
    start_up = False
    # Nothing ends by itself here: what is not to be down runs once all has settled.
    must_run = True
    # It has gone, and nobody brings it up again before the next start.
    may_be_down = False

    def set_up(self, run):
        run.add("web", "exec sleep 100000")

    def prepare(self, run):
        """To where `act` begins; the program runs, untraced."""

    def act(self, run):
        raise NotImplementedError


class Start(Scenario):
    name = "start"

    def prepare(self, run):
        run.ask("stop web", "stopped")

    def act(self, run):
        if re.search("web: started", run.ask("start web", "web: .*\n")):
            run.acknowledged = {"web": "up"}


class Stop(Scenario):
    name = "stop"

    def prepare(self, run):
        run.ask("start web", "started|running")

    def act(self, run):
        if re.search("web: stopped", run.ask("stop web", "web: .*\n")):
            run.acknowledged = {"web": "down"}


class StopStubborn(Stop):
    name = "stubborn"

    def set_up(self, run):
        run.add("web", "trap '' TERM; while :; do sleep 0.1; done", "stop_timeout: 100ms\n")


class StopFamily(Stop):
    name = "family"

    def set_up(self, run):
        run.add("web", "sleep 100000 & setsid sh -c \"trap '' TERM; while :; do sleep 0.1; done\" & exec sleep 100000",
                "stop_timeout: 200ms\n")


class Restart(Scenario):
    name = "restart"

    def act(self, run):
        if re.search("web: restarted", run.ask("restart web", "web: .*\n")):
            run.acknowledged = {"web": "up"}


class Reload(Scenario):
    """One service changes, one goes, one comes."""

    name = "reload"
    turn = 0

    def set_up(self, run):
        self.turn = 0
        self.write(run)

    def write(self, run):
        run.add("web", f"exec sleep 10000{self.turn % 10}")
        come, go = ("new", "old") if self.turn % 2 else ("old", "new")
        run.add(come, "sleep 100000 & wait")
        if go in run.names:
            run.remove(go)

    def act(self, run):
        self.turn += 1
        self.write(run)
        if re.search("1 changed|1 new|1 added", run.ask("reload", r"\S.*\n")):
            run.acknowledged = {"web": "up"}


class Deploy(Scenario):
    name = "deploy"

    def set_up(self, run):
        run.add("web", "exec sleep 100000", "deploy:\n  - echo one > built\n  - sleep 0.05; echo two\n")

    def act(self, run):
        before = run.home.state("web").get("last_deploy")
        run.ask("deploy web", "requested")

        def concluded():
            try:
                state = run.home.state("web")
            except (OSError, ValueError):
                return False
            return state.get("last_deploy") != before and state["status"] == "running" and "last_result" in state

        if run.kind == "kill":
            run.wait_for(concluded, "the deploy to end")
        else:
            run.wait_for(lambda: "deploying" not in run.ask("status web", r"(?s)web\b.*\n"), "the deploy to end")
        run.acknowledged = {"web": "up"}


class Cancel(Scenario):
    name = "cancel"

    def set_up(self, run):
        run.add("web", "exec sleep 100000", "deploy:\n  - echo one\n  - sleep 100000\n")

    def act(self, run):
        run.ask("deploy web", "requested")
        run.wait_for(lambda: "deploying" in run.ask("status web", r"(?s)web\b.*\n"), "the deploy to begin")
        run.ask("cancel web", r"\S.*\n")
        run.wait_for(lambda: "deploying" not in run.ask("status web", r"(?s)web\b.*\n"), "the deploy to end")
        run.acknowledged = {"web": "up"}


class Crash(Scenario):
    """The service is what dies."""

    name = "crash"
    may_be_down = True

    def act(self, run):
        pids = list(run.marked().get("web", {}))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        run.wait_for(lambda: all(str(pid) not in run.ask("status web", r"(?s)web\b.*\n") for pid in pids),
                     "the crash to be noticed")


class Shutdown(Scenario):
    name = "shutdown"

    def act(self, run):
        run.program.process.stdin.close()
        run.acknowledged = {"web": "up"}
        run.await_end()


class Adopt(Scenario):
    """A start while the services of a killed program live."""

    name = "adopt"
    start_up = True

    def set_up(self, run):
        run.add("web", "exec sleep 100000")
        run.add("off", "exec sleep 100000")

    def prepare(self, run):
        run.ask("stop off", "stopped")
        run.kill()

    def act(self, run):
        run.ask("list", "web")
        run.wait_for(lambda: re.search(r"pid \d+", run.ask("status web", r"(?s)web\b.*\n")) or run.told_of("web"),
                     "web to be adopted")
        run.acknowledged = {"web": "up", "off": "down"}


class Boot(Adopt):
    """A start when nothing lives: everything wanted is started."""

    name = "boot"

    def prepare(self, run):
        super().prepare(run)
        run.kill_services()


class Orphan(Scenario):
    """A start after a service was removed while no program ran."""

    name = "orphan"
    start_up = True

    def set_up(self, run):
        run.add("web", "exec sleep 100000")
        run.add("gone", "sleep 100000 & wait")

    def prepare(self, run):
        if "gone" not in run.names:
            run.add("gone", "sleep 100000 & wait")
            run.ask("reload", r"\S.*\n")
            run.ask("start gone", "started|running")
        run.kill()
        run.remove("gone")

    def act(self, run):
        run.ask("list", "web")
        run.wait_for(lambda: "gone" not in run.marked() or run.told_of("gone"), "the orphan to end")
        run.wait_for(lambda: not (run.home.path / "state" / "gone.json").exists() or run.told_of("gone"),
                     "its state to go")


# Those with few calls first.
SCENARIOS = [Crash, Shutdown, Start, Stop, StopStubborn, StopFamily, Restart, Cancel, Adopt, Boot, Deploy, Reload,
             Orphan]


def calls_of(lines, main):
    """[(role, call, number, rest of the line)] of the threads of the program, in order."""
    counts = Counter()
    found = []
    for line in lines:
        match = re.match(r"(?:(\d+) +)?(\w+)\((.*)", line)
        if match is None:
            continue
        thread, call, rest = match.groups()
        counts[thread, call] += 1
        role = "main" if thread is None or int(thread) == main else "worker"
        found.append((role, call, counts[thread, call], rest))
    return found


def spread(items, count):
    """All of the items, those first that stand evenly in the list."""
    if count >= len(items):
        return items
    first = {index * len(items) // count for index in range(count)}
    return [items[index] for index in sorted(first)] + [item for index, item in enumerate(items) if index not in first]


class SyscallTest(unittest.TestCase):
    def setUp(self):
        if why := strace_works():
            print(f"skipped: {why}", file=sys.stderr)
            self.skipTest(why)
        self.hit = 0
        self.owed = 0
        self.missed = []
        self.broken = []

    # One run of a scenario.

    def bring_up(self, run):
        run.start()
        run.acknowledged = {}
        run.check()

    def act(self, run, trace):
        """Acts under `trace`; whether the program was still there at the end."""
        run.acknowledged = {}
        run.answers = ""
        if run.scenario.start_up:
            run.start(wrapper=trace.wrapper())
        else:
            trace.attach(run.program.process.pid)
        try:
            run.scenario.act(run)
        except Ended:
            return False
        return True

    def count(self, run):
        """The points of the scenario, in the order of the calls."""
        points = []
        for role in ("main", "worker"):
            trace = Trace(role, ["-e", "trace=" + ",".join(CALLS)])
            try:
                run.scenario.prepare(run)
                self.act(run, trace)
                main = (run.bot_pids() or [0])[0]
                if run.program.process.poll() is None:
                    run.kill()
                trace.detach()
                calls = calls_of(trace.lines(), main if role == "worker" and run.scenario.start_up else 0 if
                                 role == "worker" else -1)
            finally:
                trace.close()
            self.bring_up(run)
            points += self.choose(run, role, calls)
        unique = {}
        for point in points:
            unique.setdefault(str(point), point)
        return list(unique.values())

    def choose(self, run, role, calls):
        if run.scenario.start_up:
            begin = next(index for index, (_, _, _, rest) in enumerate(calls) if "config.yaml" in rest)
            # With -f every thread is traced: a worker's call is a point of its own where the main thread has not made as
            # many of that name.
            most = Counter()
            for which, call, number, _ in calls:
                if which == "main":
                    most[call] = max(most[call], number)
            calls = calls[begin:]
            if role == "worker":
                calls = [entry for entry in calls if entry[0] == "worker" and entry[2] > most[entry[1]]]
        chosen = []
        said = 0
        for _, call, number, rest in calls:
            # Of what is only said and logged (again and again, when a scenario waits), a little is enough.
            if call == "write" and rest.startswith(("1, ", "2, ")):
                said += 1
                if said > 4:
                    continue
            if WAKE_UP.match(rest.split(", ", 1)[-1]) or '"/proc' in rest or "/dev/null" in rest:
                continue
            if run.kind == "kill":
                chosen.append(Point("kill", run.scenario.name, role, call, number))
            elif call in ERRORS and not (call == "write" and rest.startswith(("1, ", "2, "))):
                for error in ERRORS[call].split():
                    chosen.append(Point("fail", run.scenario.name, role, call, number, error))
                # From here on, as when a disk is full for good; the main thread writes to the console too.
                if call == "openat":
                    chosen.append(Point("fail", run.scenario.name, role, call, number, "EMFILE+"))
                elif call == "rename" or (call == "write" and role == "worker"):
                    chosen.append(Point("fail", run.scenario.name, role, call, number, "ENOSPC+"))
        return chosen

    def points(self, run, default):
        """The points to try in turn, and how many of them are to be reached: a number may be another call than it was
        in the count, or not come up at all, and then the next takes its place."""
        every = self.count(run)
        if ONLY and ONLY.count(":") >= 4:
            parts = ONLY.split(":")
            return [Point(*parts[:4], int(parts[4]), *parts[5:])], 1
        wanted = len(every) if POINTS == "all" else int(POINTS or default) + self.owed
        return spread(every, wanted), wanted

    def each_point(self, kind, default, hurt):
        for scenario_class in SCENARIOS:
            if ONLY and not ONLY.startswith(f"{kind}:{scenario_class.name}:") and not (
                    f"{kind}:{scenario_class.name}".startswith(ONLY)):
                continue
            began = time.monotonic()
            run = None
            before = self.hit
            try:
                run = Run(kind, scenario_class())
                self.bring_up(run)
                points, wanted = self.points(run, default)
                for point in points:
                    if self.hit - before >= wanted:
                        break
                    try:
                        run.scenario.prepare(run)
                        hurt(run, point)
                        if VERBOSE:
                            print(f"  {point} ok", file=sys.stderr)
                    except (AssertionError, Ended) as failure:
                        self.broken.append(str(point))
                        print(f"SHIPMATE_CRASH_ONLY={point}: {failure or 'the program ended'}", file=sys.stderr)
                        # Another home: what follows is not to fail for what is left here.
                        run.close()
                        run = Run(kind, scenario_class())
                        self.bring_up(run)
            except (AssertionError, Ended) as failure:
                self.broken.append(f"{kind}:{scenario_class.name}")
                print(f"{kind}:{scenario_class.name}: {failure!r}", file=sys.stderr)
            finally:
                if run:
                    run.close()
            # Where a scenario makes few calls, the next ones make up for it.
            self.owed = max(0, self.owed + default - (self.hit - before))
            print(f"{kind}:{scenario_class.name}: {self.hit - before} points, {time.monotonic() - began:.1f} s",
                  file=sys.stderr)
        self.assertEqual(self.broken, [], "points at which an invariant broke; rerun one with SHIPMATE_CRASH_ONLY=…")

    def kill_at(self, run, point):
        trace = Trace(point.role, ["-e", "trace=" + point.call, point.injection()])
        try:
            survived = self.act(run, trace)
            if survived:
                run.kill()
            status = run.program.process.returncode
            hit = not survived and status == -signal.SIGKILL
        finally:
            trace.close()
        self.hit += hit
        if not hit:
            self.missed.append(str(point))
        acknowledged = run.acknowledged
        run.check_files()
        run.start()
        run.acknowledged = acknowledged
        run.check()

    def fail_at(self, run, point):
        trace = Trace(point.role, ["-e", "trace=" + point.call, point.injection()])
        try:
            unanswered = None
            try:
                survived = self.act(run, trace)
            except Unanswered as silence:
                survived, unanswered = True, silence
            program = run.program
            told = run.answers + program.stderr()
            hits = [line for line in trace.lines() if "INJECTED" in line]
            # The same number may be another call than in the count: one that cannot fail so, or the answer itself.
            sanitizers_own = SANITIZERS_OWN in told
            impossible = sanitizers_own or any(WAKE_UP.search(line) or "write(1, " in line for line in hits)
            if unanswered and not impossible:
                raise unanswered
            injected = bool(hits) and not impossible
            if not survived and not sanitizers_own:
                status = program.process.returncode
                assert status in (0, 1, 2), f"the program ended with status {status}:\n{told}"
                assert status == 0 or "shipmate: " in told, f"the program ended with status {status}, saying {told!r}"
                assert not TROUBLE.search(told), told
            # From here on everything works again; the program is asked what it made of it.
            if survived and run.scenario.start_up:
                run.kill()
            trace.detach()
        finally:
            trace.close()
        self.hit += injected
        if not injected:
            self.missed.append(str(point))
        run.check_files()
        acknowledged = run.acknowledged
        words = os.strerror(getattr(errno, point.error.rstrip("+"))).lower()
        if impossible:
            # A word that cannot get lost in earnest: nothing follows from what became of that.
            if run.program.process.poll() is None:
                run.kill()
        elif words in told.lower():
            # It was told that something is wrong: an answer that was given is no promise for after a restart.
            acknowledged = {}
            run.excused = True
        if impossible:
            acknowledged = {}
        run.excused = run.excused or run.scenario.may_be_down
        if run.program.process.poll() is None:
            run.acknowledged = acknowledged
            run.fresh = False
            run.check()
            run.kill()
        run.start()
        run.acknowledged = acknowledged
        run.check()

    def test_killed_before_a_call(self):
        self.each_point("kill", KILLS_PER_SCENARIO, self.kill_at)
        self.report("killed", KILLS_AT_LEAST)

    def test_a_call_fails(self):
        self.each_point("fail", FAILURES_PER_SCENARIO, self.fail_at)
        self.report("failed", FAILURES_AT_LEAST)

    def report(self, what, least):
        print(f"{what} at {self.hit} points; not reached: {len(self.missed)} {' '.join(self.missed)}", file=sys.stderr)
        if not POINTS and not ONLY:
            self.assertGreaterEqual(self.hit, least)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
