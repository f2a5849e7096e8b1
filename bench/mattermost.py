"""What Mattermost's socket costs Shipmate, and beside it, in the same run, a bot on @mattermost/client, the library of
Mattermost's own web client, where the node modules of tests/conformance are installed (build/node).

CPU time is the kernel's count for the whole process, from before the first event that is not for us until the answer to
the command behind the last one.
"""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
MODULES = TOP / "build/node/node_modules"
EVENTS, RUNS, LIMIT = 100_000, 5, 120
TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")

sys.path[:0] = [str(TOP / "bench"), str(TOP / "tests/doubles"), str(TOP / "tests/e2e")]


def wait_for(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"mattermost: waited in vain for {what}")
        time.sleep(0.002)


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


class Node:
    """A bot on @mattermost/client."""

    name = "@mattermost/client"

    def __init__(self, url, channel, ca=None):
        # Beside the modules, where node looks for them.
        script = MODULES.parent / "mattermost-client.mjs"
        shutil.copyfile(TOP / "bench/mattermost-client.mjs", script)
        self.process = subprocess.Popen([MODULES / "node/bin/node", script], env={
            **os.environ, "MATTERMOST_URL": url, "MATTERMOST_TOKEN": "test-token", "MATTERMOST_CHANNEL": channel,
            **({"NODE_EXTRA_CA_CERTS": str(ca)} if ca else {})}, stdout=subprocess.DEVNULL)
        self.pid = self.process.pid

    def close(self):
        self.process.terminate()
        self.process.wait()


class Shipmate:
    name = "shipmate"

    def __init__(self, url, channel, ca=None):
        import harness  # pylint: disable=import-outside-toplevel
        self.home = harness.Home(f"mattermost:\n  url: {url}\n  channel: {channel}\n" + (f"  ca_file: {ca}\n" if ca else ""))
        self.home.process("web", "exec sleep 1000")
        self.program = harness.Program(self.home, environment={"MATTERMOST_TOKEN": "test-token"}, interactive=False)
        self.pid = self.program.process.pid

    def close(self):
        self.program.close()
        self.home.remove()


def events(make, figure):
    from mattermost_blast import CHANNEL, Blast  # pylint: disable=import-outside-toplevel
    server = Blast()
    bot = make(server.url, CHANNEL)
    try:
        wait_for(server.ready.is_set, "the connection")
        time.sleep(2)
        costs = []
        for run in range(RUNS + 1):
            pieces, before, answers = server.events(EVENTS), cpu(bot.pid), server.answers
            for piece in pieces:
                server.send(piece)
            server.send(server.command())
            wait_for(lambda seen=answers: server.answers > seen, "the answer behind the events")
            # The first run warms up.
            if run:
                costs.append((cpu(bot.pid) - before) / EVENTS)
        figure("mattermost", "cpu_per_event", EVENTS, "us", costs, bot.name)
        return statistics.median(costs)
    finally:
        bot.close()
        server.close()


def idle_and_cut(make, figure, memory):
    from fake_mattermost import CHANNEL, FakeMattermost  # pylint: disable=import-outside-toplevel
    found, back = {"Rss": [], "Anonymous": []}, []
    for _ in range(3):
        double = FakeMattermost()
        bot = make(double.url, CHANNEL, double.ca)
        try:
            double.wait_connected()
            time.sleep(5)
            for name, values in found.items():
                values.append(memory(bot.pid)[name])
            began = time.monotonic()
            double.cut()
            wait_for(lambda: not double.connected(), "the cut")
            wait_for(double.connected, "the new connection")
            back.append(time.monotonic() - began)
        finally:
            bot.close()
            double.close()
    figure("mattermost", "anonymous", 1, "MiB", found["Anonymous"], bot.name)
    figure("mattermost", "resident", 1, "MiB", found["Rss"], bot.name)
    figure("mattermost", "back_after_cut", 1, "s", back, bot.name)


def run(build, figure, memory):
    os.environ["SHIPMATE_BINARY"] = str(build / "src/app/shipmate")
    makes = [Shipmate]
    if (MODULES / "@mattermost/client").exists():
        makes.append(Node)
    else:
        print("mattermost: @mattermost/client is not installed, skipped", file=sys.stderr)
    for make in makes:
        events(make, figure)
        idle_and_cut(make, figure, memory)
