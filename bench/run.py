"""Runs the benchmarks: python3 bench/run.py BUILD_DIR [supervise] [gateway] [mattermost] [chat] [idle] [peers]

Every figure is one JSON line on standard output, a median of several runs. What was aimed at, and whether it was
reached, is said on standard error. All traffic stays on 127.0.0.1, and everything started is ended.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 600

# (bench, what, n) -> the most it may be, in the figure's unit.
GOALS = {
    ("supervise", "start_all", 500): 600,
    ("supervise", "pss", 500): 10,
    ("events", "cpu_per_event", None): 2.5,
    ("commands", "command_to_rest", None): 100,
    ("mattermost", "cpu_per_event", None): 2.5,
    ("mattermost", "anonymous", 1): 5,
    ("mattermost", "resident", 1): 16,
    ("mattermost", "back_after_cut", 1): 1,
    ("idle", "anonymous", 1): 5,
    ("idle", "resident", 1): 16,
    ("peers", "replace", None): 2,
    ("peers", "start_all", 500): 600,
    ("peers", "stop_all", 500): 140,
    ("peers", "status_all", 500): 5,
    ("peers", "pss", 500): 10,
    ("peers", "wake_ups", None): 0,
}

# Not ours: what they reach is shown beside, and is no goal.
PEER = "@mattermost/client"
OTHERS = (PEER, "runit", "s6", "supervisord")

figures = []


def tell(line):
    figures.append(json.loads(line))
    print(line, flush=True)


def figure(bench, what, number, unit, values, variant=""):
    tell(json.dumps({"bench": bench, "what": what, "variant": variant, "n": number,
                     "value": round(statistics.median(values), 3), "unit": unit, "runs": len(values),
                     "min": round(min(values), 3), "max": round(max(values), 3)}))


def program(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
    for line in done.stdout.splitlines():
        tell(line)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}")


def supervise(build):
    for count in (1, 100, 500):
        for variant in ("entrypoint", "shell"):
            program(build / "bench/supervise", str(count), variant, "5")


def gateway(build):
    program(build / "bench/gateway", "events", "300000", "5")
    program(build / "bench/gateway", "commands", "2000")


def chat(build):
    program(build / "bench/chat", "render", "10", "20")
    program(build / "bench/chat", "parse", "1000000", "5")
    program(build / "bench/chat", "outbox", "5000", "5")


def mattermost(build):
    import mattermost as bench  # pylint: disable=import-outside-toplevel
    bench.run(build, figure, memory)


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return {name: int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024
            for name in ("Rss", "Pss", "Anonymous")}


def idle(build):
    """A connected bot with TLS and one service, five seconds after its session began."""
    os.environ["SHIPMATE_FAKE_DISCORD"] = str(build / "tests/doubles/fake_discord")
    os.environ["SHIPMATE_BINARY"] = str(build / "src/app/shipmate")
    sys.path[:0] = [str(TOP / "tests/doubles"), str(TOP / "tests/e2e")]
    import fake_discord  # pylint: disable=import-outside-toplevel
    import harness  # pylint: disable=import-outside-toplevel
    found = {"Rss": [], "Anonymous": []}
    for _ in range(3):
        double = fake_discord.FakeDiscord()
        home = harness.Home(f'discord:\n  channel_id: "{fake_discord.CHANNEL}"\n  api_url: {double.api_url}\n'
                            f"  ca_file: {double.ca}\n")
        home.process("web", "exec sleep 1000")
        bot = harness.Program(home, environment={"DISCORD_TOKEN": "test-token"}, interactive=False)
        try:
            double.wait_session()
            time.sleep(5)
            for name, value in memory(bot.process.pid).items():
                found.setdefault(name, []).append(value)
        finally:
            bot.close()
            home.remove()
            double.close()
    figure("idle", "anonymous", 1, "MiB", found["Anonymous"], "discord, tls")
    figure("idle", "resident", 1, "MiB", found["Rss"], "discord, tls")


def peers(build):
    """The program as it is, next to the supervisors that are installed."""
    import peers as others  # pylint: disable=import-outside-toplevel

    def found(name, count, what, unit, values):
        figure("peers", what, count, unit, values, name)

    for name in others.compare(build, (1, 100, 500), found):
        print(f"{name}: not installed, skipped", file=sys.stderr)


def main():
    build, names = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    benches = {"supervise": supervise, "gateway": gateway, "mattermost": mattermost, "chat": chat,
               "idle": idle, "peers": peers}
    for name in names or benches:
        if name not in benches:
            sys.exit(f"no benchmark {name}; there are: {', '.join(benches)}")
        benches[name](build)
    for (bench, what, number), most in GOALS.items():
        for found in figures:
            if found.get("variant") in OTHERS:
                continue
            if found["bench"] == bench and found["what"] == what and number in (None, found["n"]):
                verdict = "reached" if found["value"] <= most else "MISSED"
                print(f"goal {bench} {what} {found.get('variant', '')}: {found['value']} {found['unit']}, at most {most}: "
                      f"{verdict}", file=sys.stderr)


main()
