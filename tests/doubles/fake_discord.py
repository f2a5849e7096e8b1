"""The fake Discord as a test sees it: a process, its address, and its control side."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certificates  # noqa: E402

BINARY = os.environ.get("SHIPMATE_FAKE_DISCORD", "build/test/tests/doubles/fake_discord")
CHANNEL = "440000000000000004"
OTHER_CHANNEL = "440000000000000005"
GUILD = "330000000000000003"
BOT = "1100000000000000001"
ALICE = "220000000000000002"
LIMIT = float(os.environ.get("SHIPMATE_TEST_LIMIT", "60"))


class FakeDiscord:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="shipmate-discord-")
        self.ca, certificate, key = certificates.make(self.directory.name)
        self.errors = open(Path(self.directory.name) / "stderr", "w+b")
        self.process = subprocess.Popen([BINARY, "--cert", certificate, "--key", key], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors)
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"the fake Discord did not start: {self.errors.read().decode()}")
        self.port = json.loads(line)["port"]
        self.tls = ssl.create_default_context(cafile=str(self.ca))

    @property
    def api_url(self):
        return f"https://localhost:{self.port}/api/v10"

    def control(self, what, **body):
        request = urllib.request.Request(f"https://localhost:{self.port}/control/{what}",
                                         data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, context=self.tls, timeout=LIMIT) as answer:
            return json.loads(answer.read())

    def read(self, what):
        with urllib.request.urlopen(f"https://localhost:{self.port}/control/{what}", context=self.tls,
                                    timeout=LIMIT) as answer:
            return json.loads(answer.read())

    def say(self, content, **more):
        """A person's message; its id."""
        return self.control("say", content=content, **more)["id"]

    def posts(self, channel=None):
        """Our bot's messages, oldest first."""
        return [m for m in self.read("messages")
                if m["author"]["id"] == BOT and (channel is None or m["channel_id"] == channel)]

    def replies_to(self, message_id):
        """The answers to it; that it is being worked on is none yet."""
        return [m for m in self.posts() if m.get("message_reference", {}).get("message_id") == message_id
                and not m["content"].startswith("Working on ")]

    def trace(self, kind=None):
        return [e for e in self.read("trace") if kind is None or e["kind"] == kind]

    def wait(self, condition, what, limit=LIMIT):
        deadline = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {limit:.0f} s in vain for {what}; trace: "
                                     f"{json.dumps(self.trace()[-12:])[:3000]}")
            time.sleep(0.05)

    def session(self):
        """The one attached session, or None."""
        attached = [s for s in self.read("sessions") if s["attached"] and s["valid"]]
        return attached[0] if attached else None

    def wait_session(self, limit=LIMIT):
        return self.wait(self.session, "a client to be connected", limit)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        self.directory.cleanup()
