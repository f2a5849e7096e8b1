"""What bots on Mattermost are known to suffer from, each told by its symptom: links that die in silence, servers that
refuse, lists that leave out, posts that double or vanish. What the session alone decides (back-off, jitter, pings, a
token that was revoked or an account that was disabled) is tested at tests/unit/platforms/mattermost/session_test.cc."""

import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_mattermost import CHANNEL, text_of  # noqa: E402
from harness import wait_for  # noqa: E402
from mattermost_test import OnMattermost  # noqa: E402


class DeadAndBrokenLinks(OnMattermost):
    def back(self, opened):
        self.double.wait(lambda: len(self.double.trace("open")) > opened, "a new connection")
        self.double.wait_connected()

    def opened(self):
        return len(self.double.trace("open"))

    def test_a_proxy_that_resets_the_link_does_not_leave_a_living_deaf_bot(self):
        program = self.connect()
        self.answer("!list")
        files = len(os.listdir(f"/proc/{program.process.pid}/fd"))
        for _ in range(3):
            opened = self.opened()
            self.double.cut()
            self.back(opened)
            self.assertIn("echo", self.answer("!list"))
        # The proxy's own restart: nobody is let in for a while, and an answer waits meanwhile.
        self.double.go_down()
        post = self.double.say("!list")
        time.sleep(3)
        began = time.monotonic()
        self.double.listen()
        self.double.wait(lambda: self.double.replies_to(post), "the answer")
        self.assertLess(time.monotonic() - began, 30)
        self.answer("!list")
        self.assertEqual(len(self.double.replies_to(post)), 1)
        wait_for(lambda: len(os.listdir(f"/proc/{program.process.pid}/fd")) <= files + 2, "descriptors to be closed")

    def test_a_stream_that_a_proxy_corrupted_is_a_lost_connection(self):
        # Reserved bits, a fragment that nothing began, text that is no UTF-8, a reserved opcode.
        self.connect()
        for frame in (b"\xf1\x02hi", b"\x80\x02hi", b"\x81\x02\xff\xfe", b"\x83\x00"):
            with self.subTest(frame):
                opened = self.opened()
                self.double._call(lambda bytes=frame: [s.writer.write(bytes) for s in self.double.sockets])
                self.back(opened)
                self.assertIn("echo", self.answer("!list"))

    def test_a_link_that_dies_in_silence_is_noticed_and_what_was_said_meanwhile_is_answered(self):
        self.connect()
        self.answer("!list")
        opened = self.opened()
        self.double.freeze()
        post = self.double.say("!list")
        self.double.wait(lambda: self.double.replies_to(post), "the answer", limit=120)
        self.assertEqual(self.opened(), opened + 1)
        # Not taken up: the server still holds the dead one for alive.
        self.assertEqual(len(self.double.replies_to(post)), 1)

    def test_events_that_were_lost_on_their_way_are_replayed(self):
        self.connect()
        self.double.skip(1)
        lost = self.double.say("!list")
        later = self.double.say("!count")
        for post in (lost, later):
            self.double.wait(lambda post=post: self.double.replies_to(post), "the answer")
        self.assertTrue(self.double.trace("resumed"))

    def test_an_event_that_comes_twice_is_acted_upon_once(self):
        self.connect()
        self.double._call(lambda: setattr(self.double, "mangle", lambda socket, text: [text, text]))
        post = self.double.say("!restart echo")
        self.double.wait(lambda: self.double.replies_to(post), "the answer")
        generation = self.home.state("echo")["generation"]
        self.answer("!list")
        self.assertEqual(len(self.double.replies_to(post)), 1)
        self.assertEqual(self.home.state("echo")["generation"], generation)
        # Nor are there ever two connections, each of which would be told everything.
        self.assertEqual(len(self.double.connected()), 1)

    def test_the_second_outage_is_over_as_soon_as_the_first(self):
        self.connect()
        for _ in range(2):
            self.double.go_down()
            time.sleep(2)
            began = time.monotonic()
            self.double.listen()
            self.double.wait_connected()
            self.assertLess(time.monotonic() - began, 20)


class Refusals(OnMattermost):
    def test_an_upgrade_that_is_refused_is_told_and_the_account_is_left_in_peace(self):
        self.double.refuse_upgrades(403, "<html>Forbidden by the proxy</html>")
        program = self.start(interactive=False, environment={"MATTERMOST_TOKEN": "test-token"})
        wait_for(lambda: "403" in program.stderr(), "the words")
        time.sleep(5)
        asked = [e for e in self.double.trace("rest") if e["path"].endswith("/users/me")]
        self.assertLess(len(asked), 8)
        self.assertEqual([e for e in self.double.trace("rest") if "login" in e["path"]], [])
        # Who sends an origin is refused by servers that compare it.
        self.assertEqual({(e["origin"], e["cookie"]) for e in self.double.trace("open")}, {(None, None)})
        self.double.heal()
        self.double.wait_connected()
        self.assertIn("echo", self.answer("!list"))

    def test_a_token_that_was_revoked_is_told_once_tried_slowly_and_taken_when_it_is_good_again(self):
        program = self.connect()
        self.double.revoke()
        self.double.cut()
        wait_for(lambda: "refuses the token (401)" in program.stderr(), "the words")
        time.sleep(5)
        self.assertEqual(program.stderr().count("refuses the token (401)"), 1)
        self.assertLess(len([e for e in self.double.trace("rest") if e["status"] == 401]), 5)

    def test_a_server_that_is_away_for_long_is_tried_for_ever(self):
        # Refused connections, a proxy's pages, and an API that is busy, one after another.
        program = self.connect()
        self.double.go_down()
        time.sleep(2)
        self.double.fault(".*", times=10 ** 6, status=502, body="<html>Bad Gateway</html>")
        self.double.refuse_upgrades(502, "<html>Bad Gateway</html>")
        self.double.listen()
        time.sleep(6)
        post = self.double.say("!list", quiet=True)
        self.double.heal()
        self.double.wait(lambda: self.double.replies_to(post), "the answer", limit=120)
        lines = [line for line in program.stderr().splitlines() if "mattermost" in line]
        self.assertLess(len(lines), 60, "\n".join(lines))

    def test_a_certificate_by_an_unknown_authority_is_told_and_the_token_is_not_sent(self):
        (self.home.path / "config.yaml").write_text(
            f"mattermost:\n  url: {self.double.url}\n  channel: ops/deploys\n", encoding="utf-8")
        program = self.start(interactive=False, environment={"MATTERMOST_TOKEN": "test-token"})
        wait_for(lambda: "certificate" in program.stderr(), "the words")
        self.assertEqual((self.double.trace("rest"), self.double.trace("open")), ([], []))
        self.assertNotIn("test-token", program.stderr())


class Lists(OnMattermost):
    def test_many_posts_that_were_missed_are_all_read_page_by_page(self):
        self.connect()
        self.answer("!list")
        self.double.go_down()
        first = self.double.say("!count", quiet=True)
        for i in range(450):
            self.double.say(f"talk {i}", quiet=True)
        last = self.double.say("!list", quiet=True)
        self.double.listen()
        for post in (first, last):
            self.double.wait(lambda post=post: self.double.replies_to(post), "the answer")
        reads = [e["query"] for e in self.double.trace("rest") if e["path"].endswith("/posts") and e["method"] == "GET"]
        # By the time of change posts are left out, as servers do it: it is never asked for.
        self.assertEqual([query for query in reads if "since=" in query], [])
        self.assertTrue([query for query in reads if "after=" in query and "page=2" in query])


class Posting(OnMattermost):
    def test_an_answer_whose_acknowledgement_was_lost_behind_a_proxy_is_one_post(self):
        self.connect()
        for rule in ({"status": 502, "body": "<html>Bad Gateway</html>", "after": True}, {"act": "reset", "after": True},
                     {"act": "truncate", "after": True}, {"act": "half"}):
            with self.subTest(rule):
                self.double.fault("POST /api/v4/posts", **rule)
                post = self.double.say("!list")
                self.double.wait(lambda post=post: self.double.replies_to(post), "the answer")
                self.answer("!count")
                self.assertEqual(len(self.double.replies_to(post)), 1)

    def test_a_page_in_place_of_an_answer_loses_no_message(self):
        self.connect()
        for status in (400, 403, 404):
            self.double.fault("POST /api/v4/posts", status=status, body="<html>no</html>")
            self.assertIn("echo", self.answer("!list"))

    def long_deploy(self, command, limit):
        self.double.set(max_post_size=limit)
        self.home.service("long", f"dir: {self.home.path}\ntype: none\ndeploy:\n  - {command}\n")
        self.connect()
        self.answer("!deploy long")
        failed = self.said(r"Deploy of \*\*long\*\* failed")
        for post in self.double.posts():
            self.assertLessEqual(len(post["message"]), limit)
        return failed

    def test_output_over_the_limit_is_cut_to_its_end_and_the_whole_is_a_file(self):
        failed = self.long_deploy('"seq 1 20000; exit 3"', 16383)
        text = text_of(failed)
        self.assertLessEqual(len(text), 16383)
        self.assertRegex(text, r"20000\nERROR: exit status 3\n`{3,}$")
        self.assertRegex(text, r"(?i)\d+ .*(left out|omitted|more)|truncated|\.\.\.")
        self.assertEqual(failed["props"]["attachments"][0]["color"], "#d6336c")

        def whole():
            found = [i for p in self.double.posts(CHANNEL) for i in p["file_ids"]]
            return found and self.double.file(found[0])
        file = self.double.wait(whole, "the whole output")
        self.assertRegex(file["name"], r"^long-deploy-\d+\.log$")
        self.assertIn("\n20000\n", file["data"].decode())
        self.assertTrue(file["data"].decode().lstrip().startswith("1\n") or b"\n1\n2\n" in file["data"][:200])

    def test_output_over_a_smaller_limit_of_four_byte_characters_is_cut_to_whole_characters(self):
        line = r'"i=0; while [ $i -lt 2000 ]; do i=$((i+1)); printf \"\\360\\237\\230\\200 $i\\n\"; done; exit 3"'
        text = text_of(self.long_deploy(line, 4000))
        self.assertLessEqual(len(text), 4000)
        self.assertRegex(text, "\U0001F600 2000\nERROR: exit status 3\n`{3,}$")
        self.assertNotIn("\ufffd", text)

    def test_a_deploy_is_one_post_that_is_edited_and_keeps_its_properties(self):
        self.home.service("app", f"dir: {self.home.path}\ntype: none\ndeploy:\n  - 'sleep 0.5'\n")
        self.connect()
        self.answer("!deploy app")
        done = self.said(r"Deploy of \*\*app\*\* succeeded")
        about = [p for p in self.double.posts(CHANNEL) if "app" in text_of(p)]
        self.assertEqual([p["id"] for p in about], [done["id"]])
        self.assertTrue(done["edit_at"])
        self.assertIn("key", done["props"]["shipmate"])
        self.assertEqual(done["props"]["from_bot"], "true")
        edits = [e for e in self.double.trace("rest") if e["method"] == "PUT"]
        self.assertLess(len(edits), 4)
        self.assertTrue(all(re.fullmatch(r"/api/v4/posts/[a-z0-9]{26}/patch", e["path"]) for e in edits))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
