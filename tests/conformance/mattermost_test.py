"""The fake Mattermost, proved by Mattermost's own client library and by the one under hubot; then the same talks with
ours, traces compared.

A scenario drives the double and looks at what a client left: which sockets were opened and how, what was sent on them,
what was posted. What only one client is known to do is written at that client.
"""

import json
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path

HERE = Path(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, str(HERE / ".." / "doubles"))
sys.path.insert(0, str(HERE / ".." / "e2e"))
from fake_mattermost import BOT, CHANNEL, DIRECT, SECRET_CHANNEL, FakeMattermost  # noqa: E402
from harness import Home, Program, wait_for  # noqa: E402

MODULES = Path(os.environ.get("SHIPMATE_NODE_MODULES", str(HERE / "node_modules")))
NODE = MODULES / "node" / "bin" / "node"
INSTALLED = NODE.exists() and (MODULES / "@mattermost" / "client").exists()


class NodeClient:
    """One of the scripts beside this file, with its events."""

    def __init__(self, double, script, token="test-token"):
        self.events = []
        self.process = subprocess.Popen(
            [NODE, str(MODULES.parent / script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MATTERMOST_URL": double.url, "MATTERMOST_TOKEN": token,
                 "NODE_EXTRA_CA_CERTS": str(double.ca)})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event:
                self.events.append(event)
            else:
                self.events.append({"event": "text", "text": line.decode(errors="replace")})

    def call(self, name, *args):
        self.process.stdin.write((json.dumps({"call": name, "args": args}) + "\n").encode())
        self.process.stdin.flush()

    def has(self, event, **more):
        return [e for e in list(self.events) if e["event"] == event and all(e.get(k) == v for k, v in more.items())]

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

    def __init__(self, double):
        self.home = Home(f"mattermost:\n  url: {double.url}\n  channel: ops/deploys\n  ca_file: {double.ca}\n")
        self.home.process("echo", "while :; do echo tick; sleep 1; done")
        self.program = Program(self.home, environment={"MATTERMOST_TOKEN": "test-token"}, interactive=False)

    def close(self):
        self.program.close()
        self.home.remove()


class Conformance:
    """The scenarios; a subclass says which client."""

    header = True

    def setUp(self):
        self.double = FakeMattermost(path="/chat" if self.header else "")
        self.addCleanup(self.double.close)

    def run_client(self):
        client = self.make_client()
        self.addCleanup(client.close)
        self.double.wait_connected()
        return client

    def opens(self):
        return self.double.trace("open")

    def answered(self, post_id):
        return self.double.wait(lambda: self.double.replies_to(post_id), "the reply")

    def actions(self):
        return [e["frame"]["action"] for e in self.double.trace("frame")]

    def test_command_and_its_answer_in_the_thread(self):
        self.run_client()
        post = self.double.say("!status echo")
        answer = self.answered(post)
        self.assertEqual(len(answer), 1)
        self.assertIn("running", answer[0]["message"])
        self.assertEqual(answer[0]["props"]["from_bot"], "true")
        opened = self.opens()[0]
        self.assertEqual(opened["header"], self.header)
        self.assertIsNone(opened["origin"])
        self.assertIsNone(opened["cookie"])

    def test_what_only_looks_like_a_command_of_a_person(self):
        self.run_client()
        hook = self.double.say("!status echo", props={"from_webhook": "true", "override_username": "ci"})
        joined = self.double.say("!status echo", type="system_join_channel")
        elsewhere = self.double.say("!status echo", channel=SECRET_CHANNEL)
        self.answered(self.double.say("!status echo"))
        for post in (hook, joined, elsewhere):
            self.assertEqual(self.double.replies_to(post), [])


class Resuming(Conformance):
    """What a client does that authenticates by the header."""

    def test_a_ping_is_the_first_word(self):
        self.run_client()
        self.double.wait(self.actions, "the first action")
        self.assertEqual(self.actions()[0], "ping")

    def test_a_cut_connection_is_taken_up_and_nothing_lost(self):
        self.run_client()
        first = self.double.connected()[0]
        self.answered(self.double.say("!status echo"))
        self.double.cut()
        missed = self.double.say("!status echo")
        self.assertEqual(len(self.answered(missed)), 1)
        again = self.double.wait(lambda: self.opens()[1:], "the second connection")[0]
        self.assertEqual(again["query"]["connection_id"], first)
        self.assertGreater(int(again["query"]["sequence_number"]), 0)
        self.assertEqual(len(self.double.trace("resumed")), 1)
        self.assertEqual(self.double.wait_connected(), [first])

    def test_a_hole_in_the_numbers_is_healed(self):
        self.run_client()
        self.answered(self.double.say("!status echo"))
        self.double.skip()
        lost = self.double.say("!status echo")
        after = self.double.say("!status echo")
        self.assertEqual(len(self.answered(lost)), 1)
        self.assertEqual(len(self.answered(after)), 1)
        self.assertEqual(len(self.double.trace("resumed")), 1)

    def test_a_dead_connection_is_noticed(self):
        self.run_client()
        self.double.freeze()
        self.double.wait(lambda: len(self.opens()) > 1, "a new connection", 90)
        self.double.wait_connected()
        self.answered(self.double.say("!status echo"))

    def test_a_restart_of_the_server(self):
        self.run_client()
        self.double.go_down()
        self.double.listen()
        self.double.wait(lambda: len(self.opens()) > 1 and self.double.connected(), "a new connection")
        self.answered(self.double.say("!status echo"))


@unittest.skipUnless(INSTALLED, "npm's @mattermost/client is not installed")
class Official(Resuming, unittest.TestCase):
    def make_client(self):
        return NodeClient(self.double, "mattermost-bot.mjs")

    def test_who_where_and_how_long(self):
        client = self.run_client()
        self.assertEqual(client.has("me")[0]["value"]["id"], BOT)
        self.assertEqual(client.has("config")[0]["value"]["MaxPostSize"], "16383")
        self.assertEqual(client.has("channel")[0]["value"]["id"], CHANNEL)

    def test_a_loss_of_unknown_size_is_told_once(self):
        client = self.run_client()
        wait_for(lambda: client.has("hello"), "hello")
        self.double.forget()
        self.double.cut()
        wait_for(lambda: client.has("missed"), "the word of the loss")
        wait_for(lambda: len(client.has("hello")) == 2, "the second hello")
        self.assertEqual(len(client.has("missed")), 1)

    def test_a_revoked_session_is_open_and_silent_and_refuses_a_ping(self):
        client = self.run_client()
        self.answered(self.double.say("!status echo"))
        self.double.revoke()
        unheard = self.double.say("!status echo")
        client.call("ping")
        refused = wait_for(lambda: client.has("pong", status="FAIL"), "the refusal")[0]
        self.assertEqual(refused["error"]["id"], "api.web_socket_router.not_authenticated.app_error")
        self.assertEqual(refused["error"]["status_code"], 401)
        self.assertEqual(client.has("message", id=unheard), [])
        client.call("getMe")
        wait_for(lambda: client.has("error", call="getMe", status=401, id="api.context.session_expired.app_error"),
                 "the refusal by REST")

    def test_refusals_bear_the_server_s_words(self):
        client = self.run_client()
        client.call("createPost", {"channel_id": SECRET_CHANNEL, "message": "x"})
        wait_for(lambda: client.has("error", status=403, id="api.context.permissions.app_error"), "403")
        client.call("createPost", {"channel_id": CHANNEL, "message": "x" * 16384})
        wait_for(lambda: client.has("error", status=400, id="model.post.is_valid.message_length.app_error"), "400")
        client.call("getChannelByNameAndTeamName", "ops", "nowhere")
        wait_for(lambda: client.has("error", status=404, id="app.channel.get_by_name.missing.app_error"), "404")
        self.double.fault("POST /api/v4/posts", status=429, body="limit exceeded\n", content="text/plain; charset=utf-8",
                          headers={"Retry-After": "1", "X-RateLimit-Reset": "1"})
        before = len(client.has("error"))
        client.call("createPost", {"channel_id": CHANNEL, "message": "x"})
        wait_for(lambda: len(client.has("error")) > before, "the text that is no JSON to be an error")

    def test_a_post_repeated_under_one_pending_id_is_one_post(self):
        client = self.run_client()
        for _ in range(2):
            client.call("createPost", {"channel_id": CHANNEL, "message": "once", "pending_post_id": "me:1"})
        wait_for(lambda: len(client.has("createPost")) == 2, "both answers")
        first, second = (e["value"] for e in client.has("createPost"))
        self.assertEqual(first["id"], second["id"])
        self.assertEqual(first["pending_post_id"], "me:1")
        self.assertEqual(second["pending_post_id"], "")
        self.assertEqual(len(self.double.posts()), 1)

    def test_mentions_name_only_oneself(self):
        client = self.run_client()
        one = self.double.say("@shipmate and @bob, look")
        other = self.double.say("`@shipmate` alone")
        direct = self.double.say("hello", channel=DIRECT)
        wait_for(lambda: client.has("message", id=direct), "the posts")
        self.assertEqual(client.has("message", id=one)[0]["mentions"], [BOT])
        self.assertEqual(client.has("message", id=other)[0]["mentions"], [])
        self.assertEqual(client.has("message", id=direct)[0]["mentions"], [BOT])

    def test_reactions_edits_files_and_threads(self):
        client = self.run_client()
        post = self.double.say("look")
        client.call("addReaction", BOT, post, "white_check_mark")
        wait_for(lambda: client.has("reaction", post_id=post, emoji_name="white_check_mark", user_id=BOT), "the reaction")
        client.call("getReactionsForPost", post)
        wait_for(lambda: client.has("getReactionsForPost"), "the reactions")
        self.assertEqual(len(client.has("getReactionsForPost")[0]["value"]), 1)
        client.call("createPost", {"channel_id": CHANNEL, "message": "one", "root_id": post, "props": {"a": 1, "b": 2}})
        made = wait_for(lambda: client.has("createPost"), "the post")[0]["value"]
        client.call("patchPost", {"id": made["id"], "message": "two", "props": {"b": 3}})
        patched = wait_for(lambda: client.has("patchPost"), "the patch")[0]["value"]
        self.assertEqual(patched["message"], "two")
        self.assertEqual(patched["props"], {"b": 3, "from_bot": "true"})
        client.call("getPostThread", post)
        thread = wait_for(lambda: client.has("getPostThread"), "the thread")[0]["value"]
        self.assertEqual(thread["order"], [made["id"], post])
        client.call("createPost", {"channel_id": CHANNEL, "message": "x", "root_id": made["id"]})
        wait_for(lambda: client.has("error", id="api.post.create_post.root_id.app_error"), "no answer to an answer")

    def test_pages_after_a_post(self):
        client = self.run_client()
        anchor = self.double.say("anchor")
        later = [self.double.say(str(i)) for i in range(5)]
        client.call("getPostsAfter", CHANNEL, anchor, 0, 3)
        page = wait_for(lambda: client.has("getPostsAfter"), "a page")[0]["value"]
        self.assertEqual(page["order"], later[:3][::-1])
        client.call("getPostsAfter", CHANNEL, anchor, 1, 3)
        page = wait_for(lambda: client.has("getPostsAfter")[1:], "the next page")[0]["value"]
        self.assertEqual(page["order"], later[3:][::-1])
        self.assertFalse(page["has_next"])


@unittest.skipUnless(INSTALLED, "npm's @mattermost/client is not installed")
class WrongToken(unittest.TestCase):
    def test_a_wrong_token_is_let_in_and_cut_off(self):
        double = FakeMattermost()
        self.addCleanup(double.close)
        double.set(auth_check=0.3)
        script = ("import WS from 'ws';"
                  "const w = new WS(process.env.MATTERMOST_URL.replace('https', 'wss') + '/api/v4/websocket',"
                  " {headers: {Authorization: 'Bearer wrong'}});"
                  "w.on('open', () => console.log(JSON.stringify({event: 'open'})));"
                  "w.on('message', (m) => console.log(JSON.stringify({event: 'message', text: String(m)})));"
                  "w.on('close', (code) => console.log(JSON.stringify({event: 'close', code})));")
        done = subprocess.run([NODE, "--input-type=module", "-e", script], cwd=MODULES.parent, capture_output=True,
                              timeout=60, check=True,
                              env={**os.environ, "MATTERMOST_URL": double.url, "NODE_EXTRA_CA_CERTS": str(double.ca)})
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()],
                         [{"event": "open"}, {"event": "close", "code": 1006}])


@unittest.skipUnless(INSTALLED, "npm's mattermost-client is not installed")
class Hubot(Conformance, unittest.TestCase):
    """It neither takes a connection up nor catches up; and it answers hooks."""

    header = False

    def make_client(self):
        return NodeClient(self.double, "mattermost-hubot.mjs")

    def test_what_only_looks_like_a_command_of_a_person(self):
        client = self.run_client()
        elsewhere = self.double.say("!status echo", channel=SECRET_CHANNEL)
        self.answered(self.double.say("!status echo"))
        self.assertEqual(client.has("message", id=elsewhere), [])

    def test_hello_comes_before_the_answer_to_the_challenge(self):
        client = self.run_client()
        wait_for(lambda: client.has("hello"), "hello")
        self.assertEqual(self.actions()[0], "authentication_challenge")

    def test_a_cut_makes_a_new_connection(self):
        client = self.run_client()
        first = self.double.connected()[0]
        self.double.cut()
        self.double.wait(lambda: self.double.connected() not in ([], [first]), "another connection")
        wait_for(lambda: len(client.has("hello")) == 2, "the second hello")
        self.answered(self.double.say("!status echo"))


class Ours(Resuming, unittest.TestCase):
    def make_client(self):
        return ShipmateClient(self.double)

    def run_client(self):
        client = super().run_client()
        self.double.wait(self.double.posts, "the notice of the service's start")
        return client

    def test_a_loss_of_unknown_size_is_made_up_by_rest(self):
        self.run_client()
        self.answered(self.double.say("!status echo"))
        self.double.go_down()
        missed = self.double.say("!status echo", quiet=True)
        self.double.listen()
        self.assertEqual(len(self.answered(missed)), 1)

    def test_a_revoked_session_is_found_by_its_ping(self):
        client = self.run_client()
        self.double.revoke()
        wait_for(lambda: "refuses the token (401)" in client.program.stderr(), "the words", 90)
        self.assertEqual(client.program.stderr().count("refuses the token (401)"), 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
