"""Shipmate as a supervisor next to those that Debian packages: runit, s6 and supervisor, the same services under each.

Times are those of the services and their ends: a service writes the moment it began to run into a ledger, a death is
seen by a pidfd. No figure rests on what a supervisor says, but for the time of its own status command.
"""

import ctypes
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

LIMIT = 120
# Every peer takes a service that was up for two seconds for a stable one.
STABLE = 2.2
KILLS = 10
IDLE = 10

PR_SET_CHILD_SUBREAPER = 36


def stat(pid):
    """(parent, command, state) of a process; None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    before, _, after = text.rpartition(")")
    state, parent = after.split()[:2]
    return int(parent), before.partition("(")[2], state


def descendants():
    """Living ones of this process: {pid: command}."""
    all_of = {int(entry): found for entry in os.listdir("/proc") if entry.isdigit() and (found := stat(entry))}
    found, parents = {}, [os.getpid()]
    while parents:
        parent = parents.pop()
        for pid, (above, command, state) in all_of.items():
            if above == parent and pid not in found and state != "Z":
                found[pid] = command
                parents.append(pid)
    return found


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e9


def proportional(pids):
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])
    return total / 1024


def wake_ups(pids):
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            text = (task / "status").read_text(encoding="utf-8")
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE)[1])
    return total


class Ledger:
    """What the services wrote: the last line of each."""

    def __init__(self, path):
        path.touch()
        self.path, self.file, self.rows, self.lines = path, open(path, encoding="ascii"), {}, 0

    def read(self):
        while True:
            place = self.file.tell()
            line = self.file.readline()
            if not line.endswith("\n"):
                self.file.seek(place)
                return self.rows
            name, pid, moment = line.split()
            self.rows[name] = (int(pid), int(moment))
            self.lines += 1

    def wait(self, what, limit=LIMIT):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if what(self.read()):
                return
            time.sleep(0.001)
        raise TimeoutError(f"the ledger has {len(self.rows)} services")


class Peer:
    """One supervisor with `count` services in a directory of its own."""

    name = ""
    # Commands that must be there.
    needs = ()

    def __init__(self, count, service):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="shipmate-bench-"))
        self.ledger = Ledger(self.dir / "ledger")
        self.names = [f"svc{i:04d}" for i in range(count)]
        self.command = {name: [str(service), name, str(self.ledger.path)] for name in self.names}
        self.own = (pathlib.Path(service).name[:15],)
        self.process = None

    @classmethod
    def missing(cls):
        return [command for command in cls.needs if shutil.which(command) is None]

    def write(self):
        """Its configuration."""

    def start(self):
        raise NotImplementedError

    def settle(self):
        """Before what it says is listened for."""

    def status(self):
        """Every service told, once."""
        raise NotImplementedError

    def stop_all(self):
        raise NotImplementedError

    def spawn(self, command, **options):
        self.process = subprocess.Popen(list(map(str, command)), stdout=options.pop("stdout", subprocess.DEVNULL),
                                        stderr=subprocess.DEVNULL, **options)

    def run(self, command):
        subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=LIMIT, check=False)

    def pids(self):
        """The supervisor's processes, without the services."""
        return [pid for pid, command in descendants().items() if command not in self.own]

    def begin(self):
        """Starts it; milliseconds until the last service ran."""
        began = time.monotonic_ns()
        self.start()
        self.ledger.wait(lambda rows: len(rows) == len(self.names))
        return (max(moment for _, moment in self.ledger.rows.values()) - began) / 1e6

    def replace(self, name):
        """Milliseconds from the kill of a service until it runs again."""
        pid = self.ledger.rows[name][0]
        began = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        self.ledger.wait(lambda rows: rows[name][0] != pid)
        return (self.ledger.rows[name][1] - began) / 1e6

    def end_all(self):
        """Milliseconds from the command until the last service had ended."""
        poll, waiting = select.poll(), {}
        for pid, _ in self.ledger.read().values():
            pidfd = os.pidfd_open(pid)
            waiting[pidfd] = pid
            poll.register(pidfd, select.POLLIN)
        command = threading.Thread(target=self.stop_all)
        began = last = time.monotonic_ns()
        command.start()
        left = set(waiting)
        while left and time.monotonic_ns() - began < LIMIT * 1e9:
            for pidfd, _ in poll.poll(100):
                last = time.monotonic_ns()
                poll.unregister(pidfd)
                left.discard(pidfd)
        command.join()
        for pidfd in waiting:
            os.close(pidfd)
        if left:
            raise TimeoutError(f"{self.name}: {len(left)} services did not end")
        return (last - began) / 1e6

    def survive(self):
        """Kills the supervisor and starts it again: (services that lived on under it, processes too many)."""
        before = {name: pid for name, (pid, _) in self.ledger.read().items()}
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        time.sleep(1)
        self.start()
        time.sleep(3)
        running = [pid for pid, command in descendants().items() if command in self.own]
        kept = sum(1 for pid in before.values() if pid in running)
        return kept, len(running) - len(before)

    def close(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL):
            for pid in descendants():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            time.sleep(0.2)
            reap()
        self.ledger.file.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Shipmate(Peer):
    """The program itself, with its console on a pipe."""

    name = "shipmate"
    binary = None

    def write(self):
        (self.dir / "config.yaml").write_text("{}\n", encoding="utf-8")
        (self.dir / "services").mkdir()
        for name, command in self.command.items():
            words = "".join(f"\n  - {word}" for word in command)
            (self.dir / "services" / f"{name}.yaml").write_text(
                f"dir: {self.dir}\nmin_uptime: 0s\nbackoff:\n  initial: 0s\nstart_limit:\n  count: 0\n"
                f"entrypoint:{words}\n", encoding="utf-8")

    def start(self):
        # A service lives on without it, as a child of ours.
        self.spawn([self.binary, "--config", self.dir / "config.yaml", "--env", self.dir / ".env", "--interactive"],
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.dir, bufsize=0)

    def ask(self, line, last):
        self.process.stdin.write(line + b"\n")
        answer = b""
        while last not in answer:
            came = os.read(self.process.stdout.fileno(), 65536)
            if not came:
                raise EOFError("shipmate ended")
            answer += came

    def settle(self):
        # The rest of its last answer.
        while select.select([self.process.stdout], [], [], 0.2)[0] and os.read(self.process.stdout.fileno(), 65536):
            pass

    def status(self):
        self.ask(b"status", b"running")

    def stop_all(self):
        self.ask(b"stop-all", b"stopped")


class Runit(Peer):
    """runsvdir; what the services print goes nowhere."""

    name = "runit"
    needs = ("runsvdir", "sv")

    def write(self):
        for name, command in self.command.items():
            folder = self.dir / "sv" / name
            folder.mkdir(parents=True)
            (folder / "run").write_text("#!/bin/sh\nexec " + " ".join(command) + "\n", encoding="utf-8")
            (folder / "run").chmod(0o755)
        # It sleeps a second over a directory that changed in this very one.
        time.sleep(STABLE)

    def start(self):
        self.spawn(["runsvdir", self.dir / "sv"])

    def all_of_them(self):
        return [self.dir / "sv" / name for name in self.names]

    def status(self):
        self.run(["sv", "status", *self.all_of_them()])

    def stop_all(self):
        self.run(["sv", "-w", "60", "stop", *self.all_of_them()])


class S6(Runit):
    """s6-svscan; it has no command for all services, so one is run for each."""

    name = "s6"
    needs = ("s6-svscan", "s6-svc", "s6-svstat")

    def start(self):
        self.spawn(["s6-svscan", "-c", "2000", self.dir / "sv"])

    def each(self, command):
        self.run(["sh", "-c", f'for one in "$0"/*; do {command} "$one"; done', self.dir / "sv"])

    def status(self):
        self.each("s6-svstat")

    def stop_all(self):
        self.each("s6-svc -d")


class Supervisord(Peer):
    """Debian's supervisor; it captures what the services print."""

    name = "supervisord"
    needs = ("supervisord", "supervisorctl")

    def write(self):
        programs = "".join(
            f"[program:{name}]\ncommand={' '.join(command)}\nstartsecs=0\nredirect_stderr=true\n"
            f"stdout_logfile={self.dir}/{name}.log\n" for name, command in self.command.items())
        (self.dir / "supervisord.conf").write_text(
            f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\nminfds=4096\n"
            f"pidfile={self.dir}/pid\n[unix_http_server]\nfile={self.dir}/sock\n"
            f"[supervisorctl]\nserverurl=unix://{self.dir}/sock\n[rpcinterface:supervisor]\n"
            f"supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n{programs}",
            encoding="utf-8")

    def start(self):
        self.spawn(["supervisord", "-c", self.dir / "supervisord.conf"])

    def control(self, *words):
        self.run(["supervisorctl", "-c", self.dir / "supervisord.conf", *words])

    def status(self):
        self.control("status")

    def stop_all(self):
        self.control("stop", "all")


def measure(kind, count, service, figure):
    """One life of a supervisor with `count` services; figure(what, unit, values) takes what was found."""
    peer = kind(count, service)
    try:
        peer.write()
        figure("start_all", "ms", [peer.begin()])
        time.sleep(STABLE)
        figure("pss", "MiB", [proportional(peer.pids())])
        statuses = []
        for _ in range(5):
            peer.settle()
            began = time.monotonic_ns()
            peer.status()
            statuses.append((time.monotonic_ns() - began) / 1e6)
        figure("status_all", "ms", statuses)
        replaced = []
        for turn in range(KILLS):
            replaced.append(peer.replace(peer.names[turn * 7 % count]))
            if count < KILLS:
                time.sleep(STABLE)
        figure("replace", "ms", replaced)
        time.sleep(STABLE)
        pids = peer.pids()
        cpu, woken = cpu_seconds(pids), wake_ups(pids)
        time.sleep(IDLE)
        figure("idle_cpu", "% of a core", [(cpu_seconds(pids) - cpu) * 100 / IDLE])
        figure("wake_ups", f"in {IDLE} s", [wake_ups(pids) - woken])
        kept, too_many = peer.survive()
        figure("kept_after_kill", "services", [kept])
        figure("doubled_after_kill", "services", [too_many])
        if too_many == 0:
            peer.ledger.read()
            figure("stop_all", "ms", [peer.end_all()])
    finally:
        peer.close()


def compare(build, counts, figure):
    """figure(peer, count, what, unit, values) for each peer that is installed; names of the others."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Shipmate.binary = build / "src/app/shipmate"
    missing = []
    for kind in (Shipmate, Runit, S6, Supervisord):
        if kind.missing():
            missing.append(kind.name)
            continue
        for count in counts:
            measure(kind, count, build / "bench/ledger-service",
                    lambda what, unit, values, name=kind.name, n=count: figure(name, n, what, unit, values))
    return missing
