"""The fake Discord, proved by Discord's usual client libraries; then the same talks with ours, traces compared.

A scenario drives the double and gives the trace that a client left: which sockets were opened, what was sent on them in
which order, how they ended. The expectation of a scenario is one list for all clients, except where a client of another
house is known to behave otherwise; that is then written here.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

HERE = Path(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, str(HERE / ".." / "doubles"))
sys.path.insert(0, str(HERE / ".." / "e2e"))
from fake_discord import CHANNEL, GUILD, FakeDiscord  # noqa: E402
from harness import Home, Program, wait_for  # noqa: E402

MODULES = Path(os.environ.get("SHIPMATE_NODE_MODULES", str(HERE / "node_modules")))
NODE = MODULES / "node" / "bin" / "node"

IDENTIFY, RESUME = "identify", "resume"


class NodeClient:
    """One of the scripts beside this file, with its events."""

    def __init__(self, double, script, **environment):
        self.events = []
        self.process = subprocess.Popen(
            [NODE, str(MODULES.parent / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "DISCORD_API": f"https://localhost:{double.port}/api", "DISCORD_TOKEN": "test-token",
                 "NODE_EXTRA_CA_CERTS": str(double.ca), **environment})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self.events.append({"event": "text", "text": line.decode(errors="replace")})

    def has(self, event, **more):
        return [e for e in self.events if e["event"] == event and all(e.get(k) == v for k, v in more.items())]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(timeout=10)
        self.process.stdout.close()


class ShipmateClient:
    """Ours: the built program with one service, on the double."""

    def __init__(self, double, token="test-token"):
        self.home = Home(f"discord:\n  guild_id: \"{GUILD}\"\n  channel_id: \"{CHANNEL}\"\n"
                         f"  api_url: {double.api_url}\n  ca_file: {double.ca}\n")
        self.home.process("echo", "while :; do echo tick; sleep 1; done")
        self.program = Program(self.home, environment={"DISCORD_TOKEN": token}, interactive=False)

    def close(self):
        self.program.close()
        self.home.remove()


def talk(double):
    """The gateway side of the trace, shortened to what is told of a session."""
    lines = []
    for entry in double.trace():
        if entry["kind"] == "open":
            lines.append("open")
        elif entry["kind"] == "frame" and entry["op"] in (2, 6):
            lines.append(IDENTIFY if entry["op"] == 2 else RESUME)
        elif entry["kind"] == "server-close":
            lines.append(f"closed by server {entry['code']}")
    return lines


class Conformance:
    """The scenarios; a subclass says which client."""

    resumed_after = (4000, 4001, 4002, 4008, 1001)

    def setUp(self):
        self.double = FakeDiscord()
        self.addCleanup(self.double.close)

    def run_client(self):
        client = self.make_client()
        self.addCleanup(client.close)
        self.double.wait_session()
        return client

    def answered(self, message_id):
        return self.double.wait(lambda: self.double.replies_to(message_id), "the reply")

    def posted_for(self, message_id):
        """Every try to post an answer to that message."""
        return [e for e in self.double.trace("rest") if e["method"] == "POST" and e["path"].endswith("/messages") and
                e["body"].get("message_reference", {}).get("message_id") == message_id]

    def test_ready_command_reply(self):
        self.run_client()
        message = self.double.say("!status echo")
        reply = self.answered(message)
        self.assertEqual(len(reply), 1)
        sent = [e for e in self.double.trace("rest") if e["method"] == "POST" and e["path"].endswith("/messages")]
        body = sent[-1]["body"]
        self.assertEqual(body["allowed_mentions"]["parse"], [])
        self.assertEqual(body["message_reference"]["message_id"], message)
        self.assertTrue(body["enforce_nonce"])
        self.assertLessEqual(len(str(body["nonce"])), 25)
        self.assertEqual(talk(self.double), ["open", IDENTIFY])

    def test_identify_says_who_and_what(self):
        self.run_client()
        identify = [e["d"] for e in self.double.trace("frame") if e["op"] == 2][0]
        self.assertEqual(identify["intents"], 46593)
        self.assertEqual(set(identify["properties"]), {"os", "browser", "device"})

    def test_heartbeats_carry_the_sequence(self):
        self.double.control("settings", heartbeat_interval=300)
        self.run_client()
        beats = self.double.wait(lambda: [e for e in self.double.trace("frame") if e["op"] == 1][2:], "three heartbeats")
        self.assertIsInstance(beats[-1]["d"], int)

    def test_unacknowledged_heartbeat_is_a_dead_connection(self):
        self.double.control("settings", heartbeat_interval=400)
        self.run_client()
        self.double.control("fault", mute_acks=True)
        self.double.wait(lambda: RESUME in talk(self.double), "a resume")
        self.double.control("fault", mute_acks=False)
        self.double.wait_session()
        closes = [e["code"] for e in self.double.trace("close")]
        self.assertTrue(all(code not in (1000, 1001) for code in closes), closes)
        self.assertEqual([line for line in talk(self.double) if line == IDENTIFY], [IDENTIFY])

    def test_cut_connection_is_resumed_and_nothing_lost(self):
        self.run_client()
        self.double.control("cut")
        message = self.double.say("!status echo")
        self.assertEqual(len(self.answered(message)), 1)
        self.assertEqual(talk(self.double), ["open", IDENTIFY, "open", RESUME])

    def test_reconnect_request(self):
        self.run_client()
        self.double.control("raw", op=7, d=None, s=None, t=None)
        self.double.wait(lambda: talk(self.double)[2:] == ["open", RESUME], "a resume")
        self.answered(self.double.say("!status echo"))

    def test_server_heartbeat_request_is_answered_at_once(self):
        self.run_client()
        before = len([e for e in self.double.trace("frame") if e["op"] == 1])
        self.double.control("raw", op=1, d=None, s=None, t=None)
        self.double.wait(lambda: len([e for e in self.double.trace("frame") if e["op"] == 1]) > before, "a heartbeat", 8)

    def test_invalid_session_not_resumable(self):
        self.double.control("settings", identify_interval=0)
        self.run_client()
        self.double.control("fault", answer_resume=False)
        self.double.control("cut")
        self.double.wait(lambda: [line for line in talk(self.double) if line != "open"] == [IDENTIFY, RESUME, IDENTIFY],
                         "a new session")
        self.answered(self.double.say("!status echo"))

    def test_invalid_session_resumable(self):
        self.run_client()
        self.double.control("fault", answer_resume=True)
        self.double.control("cut")
        self.double.wait(lambda: [line for line in talk(self.double) if line != "open"] == [IDENTIFY, RESUME, RESUME],
                         "a second resume")
        self.answered(self.double.say("!status echo"))

    def test_resumable_close_codes(self):
        self.run_client()
        for code in self.resumed_after:
            with self.subTest(code=code):
                self.double.wait_session()
                before = len(talk(self.double))
                self.double.control("close", code=code)
                self.double.wait(lambda before=before: RESUME in talk(self.double)[before:], "a resume")
                self.answered(self.double.say("!status echo"))
                self.assertNotIn(IDENTIFY, talk(self.double)[before:])

    def test_codes_that_end_the_session(self):
        self.double.control("settings", identify_interval=0)
        self.run_client()
        for code in (4003, 4005, 4007):
            with self.subTest(code=code):
                self.double.wait_session()
                before = len(talk(self.double))
                self.double.control("close", code=code)
                self.double.wait(lambda before=before: IDENTIFY in talk(self.double)[before:], "a new session")
                self.answered(self.double.say("!status echo"))

    def test_rate_limit_is_waited_out(self):
        self.run_client()
        self.double.control("fault", rest={
            "path": "/messages", "status": 429,
            "headers": {"Content-Type": "application/json", "Via": "1.1 google", "Retry-After": "1",
                        "X-RateLimit-Reset-After": "0.350", "X-RateLimit-Scope": "user"},
            "body": '{"message":"You are being rate limited.","retry_after":0.35,"global":false}'})
        message = self.double.say("!status echo")
        self.assertEqual(len(self.answered(message)), 1)
        tries = self.posted_for(message)
        self.assertEqual([e["status"] for e in tries], [429, 200])
        self.assertGreaterEqual(tries[1]["at_ms"] - tries[0]["at_ms"], 350)

    def test_answer_lost_after_the_post_is_one_post(self):
        self.run_client()
        self.double.control("fault", rest={"path": "/messages", "status": 502, "after_acting": True, "body": "<html>"})
        message = self.double.say("!status echo")
        self.answered(message)
        self.double.wait(lambda: [e["status"] for e in self.posted_for(message)] == [502, 200], "the retry")
        self.assertEqual(len(self.double.replies_to(message)), 1)

    def refused(self, code):
        self.double.control("fault", close_on_identify=code)
        client = self.make_client()
        self.addCleanup(client.close)
        self.double.wait(lambda: f"closed by server {code}" in talk(self.double), "the refusal")
        return client


@unittest.skipUnless(NODE.exists(), "npm's discord.js is not installed")
class DiscordJs(Conformance, unittest.TestCase):
    resumed_after = (4000, 4001, 4002, 1001)  # it identifies anew after 4008
    def make_client(self):
        return NodeClient(self.double, "discord-bot.mjs")

    def test_refused_token(self):
        client = self.refused(4004)
        wait_for(lambda: client.has("refused") or client.process.poll() is not None, "the client to give up")

    def test_disallowed_intents(self):
        client = self.refused(4014)
        wait_for(lambda: client.has("refused") or client.has("error") or client.process.poll() is not None,
                 "the client to give up")

    def test_interaction_answers(self):
        client = self.run_client()
        self.double.control("interact", name="status")
        wait_for(lambda: client.has("interaction"), "the interaction to be answered")
        self.assertEqual([m["content"] for m in self.double.posts()], ["done", "and more"])
        callback = [e for e in self.double.trace("rest") if e["path"].endswith("/callback")][0]
        self.assertFalse(callback["authorization"])


@unittest.skipUnless(NODE.exists(), "npm's @discordjs/ws is not installed")
class DiscordJsGateway(unittest.TestCase):
    """@discordjs/ws alone, with zlib-stream."""

    def setUp(self):
        self.double = FakeDiscord()
        self.addCleanup(self.double.close)

    def test_compressed_session_survives_a_cut(self):
        client = NodeClient(self.double, "discord-ws.mjs")
        self.addCleanup(client.close)
        wait_for(lambda: client.has("ready"), "the session")
        self.double.control("cut")
        message = self.double.say("missed meanwhile 😀")
        wait_for(lambda: client.has("dispatch", id=message), "the missed event")
        self.assertEqual(client.has("dispatch", id=message)[0]["content"], "missed meanwhile 😀")
        self.assertTrue(client.has("resumed"))
        self.assertIn("compress=zlib-stream", self.double.trace("open")[0]["target"])


class Ours(Conformance, unittest.TestCase):
    def make_client(self):
        return ShipmateClient(self.double)

    def run_client(self):
        client = super().run_client()
        self.double.wait(self.double.posts, "the notice of the service's start")
        return client

    def test_refused_token(self):
        client = self.refused(4004)
        wait_for(lambda: "token" in client.program.stderr(), "the words")
        self.assertEqual(talk(self.double).count("open"), 1)
        self.assertIsNone(client.program.process.poll())
        self.assertTrue(client.home.processes())

    def test_disallowed_intents(self):
        client = self.refused(4014)
        wait_for(lambda: "MESSAGE CONTENT INTENT" in client.program.stderr(), "the portal steps")
        self.assertEqual(talk(self.double).count("open"), 1)
        self.assertIsNone(client.program.process.poll())
        self.assertTrue(client.home.processes())

    def test_clean_close_by_the_server_is_resumed(self):
        # discord.js identifies anew after 1000; a resume costs no identify and loses nothing.
        self.run_client()
        self.double.control("close", code=1000)
        self.double.wait(lambda: talk(self.double) == ["open", IDENTIFY, "open", RESUME], "a resume")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
