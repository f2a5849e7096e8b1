"""From a post on Mattermost to a signal to a process, and back: the built program against the fake Mattermost, over TLS."""

import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_mattermost import (ALICE, BOB, BOT, CHANNEL, DIRECT, OTHER_CHANNEL, SECRET_CHANNEL,  # noqa: E402
                             FakeMattermost, text_of)
from harness import E2ETest, alive, wait_for  # noqa: E402

# What may stand in a log: emoji, fences, colours, mentions, bytes that are no UTF-8, and a last line to look for.
NASTY = r'''
i=0
while [ $i -lt 300 ]; do
  i=$((i+1))
  printf 'line %s \360\237\230\200 ```` \033[31mred\033[0m @alice @all \377\376 \342\200\256\n```\n@here\n' $i
done
printf 'the very last line `\n'
exec sleep 1000
'''


class OnMattermost(E2ETest):
    """A home with a double of Mattermost, and one service."""

    def setUp(self):
        super().setUp()
        self.double = FakeMattermost(path="/chat")
        self.addCleanup(self.double.close)
        self.configure("  channel: ops/deploys\n")
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done")

    def configure(self, keys, more=""):
        (self.home.path / "config.yaml").write_text(
            f"mattermost:\n  url: {self.double.url}/\n  ca_file: {self.double.ca}\n{keys}{more}", encoding="utf-8")

    def connect(self):
        program = self.start(interactive=False, environment={"MATTERMOST_TOKEN": "test-token"})
        self.double.wait_connected()
        wait_for(lambda: "echo" in {mark.split("/")[1] for mark in self.home.processes().values()}, "the service")
        return program

    def answer(self, text, **more):
        post = self.double.say(text, **more)
        replies = self.double.wait(lambda: self.double.replies_to(more.get("root") or post), f"an answer to {text!r}")
        return text_of(replies[-1])

    def said(self, pattern, channel=CHANNEL):
        """The first post of ours that fits, once there is one."""
        return self.double.wait(
            lambda: [p for p in self.double.posts(channel) if re.search(pattern, text_of(p))], f"a post like {pattern!r}")[0]

    def pid(self):
        return int(re.search(r"pid (\d+)", self.answer("!status echo"))[1])


class Mattermost(OnMattermost):
    def setUp(self):
        super().setUp()
        self.home.process("nasty", NASTY)

    def connect(self):
        program = super().connect()
        wait_for(lambda: len(self.home.processes()) > 1, "both services")
        return program

    def test_restart_reaches_the_process_and_is_answered_once_in_the_thread(self):
        self.connect()
        first = self.pid()
        post = self.double.say("!restart echo")
        said = self.double.wait(lambda: self.double.replies_to(post), "the answer")
        second = int(re.search(r"\*\*echo\*\*: restarted \(pid (\d+)\)", said[0]["message"])[1])
        self.assertNotEqual(first, second)
        self.assertTrue(alive(second))
        self.assertFalse(alive(first))
        self.assertIn("**echo**", self.answer("@Shipmate: status echo"))
        self.assertEqual(len(self.double.replies_to(post)), 1)

    def test_an_answer_in_a_thread_stays_in_it(self):
        self.connect()
        root = self.double.say("about echo")
        self.assertIn("**echo**", self.answer("!status echo", root=root))

    def test_several_channels_each_with_its_services_and_notices(self):
        self.configure("  team: ops\n  channels:\n    - {name: deploys, services: [echo]}\n"
                       f"    - {{id: {OTHER_CHANNEL}, notices: [deploy]}}\n    - {{name: secret, notices: [service]}}\n")
        program = self.connect()
        wait_for(lambda: "ops/secret" in program.stderr(), "the words about the channel that cannot be seen")
        self.assertIn("**echo**", self.answer("!status echo"))
        self.assertIn("cannot be reached", self.answer("!status nasty"))
        self.assertIn("**nasty**", self.answer("!status nasty", channel=OTHER_CHANNEL))
        # What is done in one channel is told in those that want to hear of it; the third is found once we are in it.
        self.double.add_member(BOT, SECRET_CHANNEL)
        wait_for(lambda: [e for e in self.double.trace("rest")
                          if e["path"].endswith(f"/channels/{SECRET_CHANNEL}/posts")], "the channel to be found")
        self.assertIn("restarted", self.answer("!restart echo", channel=OTHER_CHANNEL))
        self.said("restarted")
        self.said("restarted", SECRET_CHANNEL)
        self.assertIn("**echo**", self.answer("!status echo", channel=SECRET_CHANNEL))
        self.assertEqual([p for p in self.double.posts(OTHER_CHANNEL) if not p["root_id"]], [])

    def test_answers_in_the_channel_where_that_is_wanted_and_in_threads_all_the_same(self):
        self.configure("  channel: ops/deploys\n  answers: channel\n")
        self.connect()
        self.double.say("!status echo")
        said = self.double.wait(self.double.posts, "the answer")
        self.assertEqual((len(said), said[0]["root_id"]), (1, ""))
        root = self.double.say("about echo")
        self.assertIn("**echo**", self.answer("!status echo", root=root))

    def test_direct_messages_are_for_those_who_are_named(self):
        self.configure("  channel: ops/deploys\n  direct_messages: true\n",
                       f"access:\n  admin: {{mattermost: [{ALICE}]}}\n  viewer: {{everyone: true}}\n")
        self.connect()

        def answer(text, **more):
            before = len(self.double.posts(DIRECT))
            self.double.say(text, channel=DIRECT, **more)
            return self.double.wait(
                lambda: [p for p in self.double.posts(DIRECT)[before:] if not p["message"].startswith("Working on")],
                f"an answer to {text!r}")[0]
        said = answer("restart echo")
        self.assertRegex(said["message"], r"\*\*echo\*\*: restarted")
        self.assertEqual(said["root_id"], "")
        self.said("restarted")
        # Whoever is in the channel may look there; nobody may here who is not named.
        self.assertIn("**echo**", self.answer("!status echo", user=BOB))
        self.double.add_member(BOB, DIRECT)
        self.assertIn("Not allowed", answer("status echo", user=BOB)["message"])

    def test_direct_messages_are_not_heard_unless_that_is_wanted(self):
        self.connect()
        self.double.say("status echo", channel=DIRECT)
        self.answer("!list")
        self.assertEqual(self.double.posts(DIRECT), [])

    def test_what_was_said_while_shipmate_was_down_is_answered_and_old_commands_are_not_run(self):
        program = self.connect()
        pid = self.pid()
        program.kill()
        program.wait()
        old, fresh = self.double.say("!stop echo"), self.double.say("!status echo")
        self.double.all_posts[old]["create_at"] -= 120_000
        # The order of the list is that of the times; the anchor stays before both.
        for post in self.double.all_posts.values():
            if post["id"] not in (old, fresh):
                post["create_at"] -= 200_000
        self.connect()
        self.double.wait(lambda: self.double.replies_to(fresh) and self.double.replies_to(old), "the answers")
        self.assertIn("not run", self.double.replies_to(old)[0]["message"])
        self.assertIn(f"pid {pid}", self.double.replies_to(fresh)[0]["message"])

    def test_logs_are_fenced_whatever_is_in_them_and_ping_nobody(self):
        self.connect()
        wait_for(lambda: "the very last line" in self.answer("!logs nasty"), "the log to be written")
        said = self.answer("!logs nasty 300")
        self.assertLessEqual(len(said), 16383)
        self.assertTrue(said.endswith("the very last line `\n`````"), said[-80:])
        self.assertEqual(len(re.findall(r"(?m)^`{5,}$", said)), 2)
        self.assertNotRegex(said, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
        ours = {p["id"] for p in self.double.posts()}
        self.assertEqual([p for p in self.double.pings if p[0] in ours], [])

    def test_only_people_in_the_channel_are_heard(self):
        self.connect()
        pid = self.pid()
        ignored = [self.double.say("!stop echo", channel=OTHER_CHANNEL), self.double.say("!stop echo", user=BOT),
                   self.double.say("!stop echo", type="system_join_channel"),
                   self.double.say("please !stop echo"), self.double.say("stop echo"),
                   *(self.double.say("!stop echo", props={mark: "true"})
                     for mark in ("from_webhook", "from_bot", "from_plugin", "from_oauth_app"))]
        edited = self.double.say("nothing")
        self.double.edit(edited, "!stop echo")
        self.answer("!list")
        for post in [*ignored, edited]:
            self.assertEqual(self.double.replies_to(post), [])
        self.assertEqual(self.pid(), pid)

    def test_a_drop_in_the_middle_of_a_command_neither_loses_nor_repeats_it(self):
        self.home.process("slow", "trap '' TERM; while :; do sleep 0.1; done", "stop_timeout: 1s\n")
        program = self.connect()
        wait_for(lambda: any("/slow/" in mark for mark in self.home.processes().values()), "slow to run")
        before = self.home.state("slow")["generation"]
        post = self.double.say("!restart slow")
        wait_for(lambda: "!restart slow" in program.stderr(), "the command to arrive")
        self.double.forget()
        self.double.cut()
        self.double.wait(lambda: self.double.replies_to(post), "the answer")
        self.double.wait_connected()
        self.answer("!list")
        self.assertEqual(len(self.double.replies_to(post)), 1)
        self.assertEqual(self.home.state("slow")["generation"], before + 1)

    def test_what_was_said_in_an_outage_is_caught_up_and_old_commands_are_not_run(self):
        self.connect()
        pid = self.pid()
        self.double.go_down()
        old, fresh = self.double.say("!stop echo", quiet=True), self.double.say("!status echo", quiet=True)
        # The server's clock goes on by two minutes before the first of them is read; the other is said now.
        last = max(p["create_at"] for p in self.double.all_posts.values() if p["id"] not in (old, fresh))
        self.double.all_posts[old]["create_at"] = last + 1
        self.double.clock_ahead = 120_000
        self.double.all_posts[fresh]["create_at"] += 120_000
        self.double.listen()
        self.double.wait(lambda: self.double.replies_to(fresh) and self.double.replies_to(old), "the answers")
        self.assertIn("not run", self.double.replies_to(old)[0]["message"])
        self.assertIn(f"pid {pid}", self.double.replies_to(fresh)[0]["message"])
        self.assertTrue(alive(pid))

    def test_a_close_without_a_fault_is_followed_by_a_new_connection_and_little_work(self):
        program = self.connect()
        self.double.close_sockets(1000)
        self.double.wait(lambda: len(self.double.trace("open")) > 1, "a new connection")
        self.double.wait_connected()
        self.answer("!list")
        with open(f"/proc/{program.process.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        self.assertLess((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 5)
        self.assertLess(len(self.double.trace("open")), 5)

    def test_a_refused_token_is_told_and_services_run(self):
        self.double.revoke()
        program = self.start(interactive=False, environment={"MATTERMOST_TOKEN": "test-token"})
        wait_for(lambda: "refuses the token (401)" in program.stderr(), "the words")
        wait_for(lambda: self.home.processes(), "the services")
        self.assertEqual(self.double.trace("open"), [])

    def test_an_answer_lost_after_the_post_is_one_post(self):
        self.connect()
        self.double.fault("POST /api/v4/posts", act="reset", after=True)
        post = self.double.say("!list")
        self.double.wait(lambda: self.double.replies_to(post), "the answer")
        self.answer("!status echo")
        self.assertEqual(len(self.double.replies_to(post)), 1)

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_the_smoke_script_of_the_docs(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "mattermost_smoke.sh")

        def run(token):
            return subprocess.run(["sh", script, self.double.url + "/", "ops/deploys", str(self.double.ca)], check=False,
                                  capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "MATTERMOST_TOKEN": token})
        good = run("test-token")
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertTrue(good.stdout.endswith("all is well\n"))
        self.assertEqual([p["message"] for p in self.double.posts()], ["Shipmate can write here"])
        self.assertNotEqual(run("wrong").returncode, 0)

    def test_a_rate_limit_is_waited_out(self):
        self.connect()
        self.double.fault("POST /api/v4/posts", status=429, body="limit exceeded\n", content="text/plain; charset=utf-8",
                          headers={"Retry-After": "1"})
        self.assertIn("echo", self.answer("!list"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
