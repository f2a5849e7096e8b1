"""Makes console.png and discord.png beside this file from a real session of the built program.

    python3 docs/pictures/make.py build/release/src/app/shipmate build/test/tests/doubles/fake_discord

The console is the program on a terminal of its own; the Discord side is what it posted to the fake Discord of
tests/doubles, laid out as Discord lays out messages. Needs chromium.
"""

import html
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "tests" / "doubles"))
sys.path.insert(0, str(TOP / "tests" / "e2e"))

COLUMNS, ROWS = 104, 30
STYLE = """
body { margin: 0; }
pre.terminal { background: #16181d; color: #d7dae0; font: 15px/1.45 'DejaVu Sans Mono', monospace; margin: 0;
  padding: 18px 22px; white-space: pre; }
.terminal b { color: #ffffff; } .terminal .prompt { color: #7fb3ff; }
.discord { background: #313338; color: #dbdee1; font: 16px/1.4 'DejaVu Sans', sans-serif; padding: 18px 22px; }
.message { display: flex; gap: 14px; margin-bottom: 16px; }
.face { width: 40px; height: 40px; border-radius: 20px; flex: none; color: #fff; text-align: center; line-height: 40px;
  font-weight: bold; }
.name { color: #f2f3f5; font-weight: 600; } .tag { background: #5865f2; color: #fff; border-radius: 3px; font-size: 10px;
  padding: 1px 5px; margin-left: 5px; vertical-align: 2px; } .time { color: #949ba4; font-size: 12px; margin-left: 8px; }
.discord pre { background: #2b2d31; border: 1px solid #1e1f22; border-radius: 4px; padding: 8px; margin: 6px 0 0;
  font: 13px/1.35 'DejaVu Sans Mono', monospace; white-space: pre-wrap; }
.discord code { background: #2b2d31; border-radius: 3px; padding: 0 3px; font: 14px 'DejaVu Sans Mono', monospace; }
"""


def screenshot(body, path, width, height):
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "page.html"
        page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{body}", encoding="utf-8")
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
             f"--user-data-dir={directory}/profile", f"--screenshot={path}", f"--window-size={width},{height}",
             page.as_uri()], check=True, capture_output=True, timeout=120)


class Screen:
    """As much of a terminal as a line editor needs: text, line ends, going back and up, erasing."""

    def __init__(self):
        self.lines = [[]]
        self.row = self.column = 0
        self.bold = False

    def feed(self, text):
        for part in re.split(r"(\x1b\[[0-9;?]*[A-Za-z]|[\r\n\b\x07])", text):
            if part.startswith("\x1b["):
                self.control(part)
            elif part == "\n":
                self.row += 1
                while len(self.lines) <= self.row:
                    self.lines.append([])
            elif part == "\r":
                self.column = 0
            elif part == "\b":
                self.column = max(self.column - 1, 0)
            elif part != "\x07":
                for letter in part:
                    line = self.lines[self.row]
                    line.extend([(" ", False)] * (self.column + 1 - len(line)))
                    line[self.column] = (letter, self.bold)
                    self.column += 1

    def control(self, sequence):
        number = int(re.sub(r"\D", "", sequence) or 0)
        if sequence.endswith("m"):
            self.bold = number == 1
        elif sequence.endswith("K"):
            del self.lines[self.row][self.column:]
        elif sequence.endswith("J"):
            del self.lines[self.row][self.column:]
            del self.lines[self.row + 1:]
        elif sequence.endswith("A"):
            self.row = max(self.row - max(number, 1), 0)
        elif sequence.endswith("C"):
            self.column += max(number, 1)

    def markup(self):
        out = []
        for line in self.lines[-ROWS:]:
            text = "".join(f"<b>{html.escape(c)}</b>" if bold else html.escape(c) for c, bold in line).rstrip()
            out.append(re.sub(r"^(shipmate&gt;)", r'<span class="prompt">\1</span>', text))
        return "\n".join(out)


def console(binary, home):
    leader, follower = pty.openpty()
    process = subprocess.Popen([binary, "--config", str(home.path / "config.yaml"), "--env", "", "-i"], stdin=follower,
                               stdout=follower, stderr=follower, start_new_session=True,
                               env={**os.environ, "TERM": "xterm", "USER": "alice"})
    os.close(follower)
    screen = Screen()

    def read(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([leader], [], [], 0.05)[0]:
                screen.feed(os.read(leader, 65536).decode(errors="replace"))

    read(4)
    for line, seconds in (("status", 1), ("logs ticker 4", 1), ("restart ticker", 2.5), ("deploy crasher", 4),
                          ("status crasher", 1)):
        os.write(leader, line.encode() + b"\r")
        read(seconds)
    process.terminate()
    process.wait()
    os.close(leader)
    rows = min(len(screen.lines), ROWS)
    screenshot(f'<pre class="terminal">{screen.markup()}</pre>', HERE / "console.png", COLUMNS * 9 + 44, rows * 22 + 40)


def markdown(text):
    text = html.escape(re.sub(r"\\([^\w\s])", r"\1", text))
    text = re.sub(r"```\n(.*?)\n```", lambda m: f"<pre>{m[1]}</pre>", text, flags=re.S)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\n(?!<pre>)(?![^<]*</pre>)", "<br>", text)


def message(name, text, colour, bot):
    tag = '<span class="tag">APP</span>' if bot else ""
    return (f'<div class="message"><div class="face" style="background:{colour}">{name[0]}</div><div>'
            f'<span class="name">{name}</span>{tag}<span class="time">Today at 03:12</span>'
            f"<div>{text}</div></div></div>")


def discord(binary, double_binary, home):
    os.environ["SHIPMATE_FAKE_DISCORD"] = double_binary
    import fake_discord  # pylint: disable=import-outside-toplevel
    double = fake_discord.FakeDiscord()
    (home.path / "config.yaml").write_text(
        f'discord:\n  guild_id: "{fake_discord.GUILD}"\n  channel_id: "{fake_discord.CHANNEL}"\n'
        f"  api_url: {double.api_url}\n  ca_file: {double.ca}\n", encoding="utf-8")
    process = subprocess.Popen([binary, "--config", str(home.path / "config.yaml"), "--env", ""],
                               env={**os.environ, "DISCORD_TOKEN": "test-token"}, stderr=subprocess.DEVNULL)
    body = ""
    try:
        double.wait_session()
        for command in ("!status", "!restart ticker", "!logs ticker 4"):
            asked = double.say(command)
            said = double.wait(lambda asked=asked: double.replies_to(asked), "the reply")[0]["content"]
            body += message("alice", html.escape(command), "#3ba55c", False) + message("Shipmate", markdown(said),
                                                                                       "#5865f2", True)
            time.sleep(3)
        before = len(double.posts())
        asked = double.say("!deploy crasher")
        body += message("alice", "!deploy crasher", "#3ba55c", False)
        double.wait(lambda: [m for m in double.posts()[before:] if "failed" in m["content"]], "the notice")
        for post in double.posts()[before:]:
            body += message("Shipmate", markdown(post["content"]), "#5865f2", True)
    finally:
        process.terminate()
        process.wait()
        double.close()
    screenshot(f'<div class="discord">{body}</div>', HERE / "discord.png", 760, 920)


def main(binary, double_binary):
    import harness  # pylint: disable=import-outside-toplevel
    home = harness.Home()
    try:
        home.process("ticker", "n=0; while :; do n=$((n+1)); echo tick $n at $(date +%T); sleep 1; done")
        home.process("crasher", "echo up; exec sleep 1000",
                     "deploy:\n  - echo \"Checking the tests\"\n  - echo \"1 of 12 tests failed\" >&2; exit 1\n")
        console(binary, home)
        discord(binary, double_binary, home)
    finally:
        home.remove()


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
