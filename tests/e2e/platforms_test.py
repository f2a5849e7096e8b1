"""Discord and Mattermost at once, in one process, with the same services: what is asked is asked on both, what is answered
on one is shown as answered on the other, and what happens is told on both."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
import fake_discord  # noqa: E402
import fake_mattermost  # noqa: E402
from fake_discord import FakeDiscord  # noqa: E402
from fake_mattermost import FakeMattermost, text_of  # noqa: E402
from harness import E2ETest, wait_for  # noqa: E402


class BothPlatforms(E2ETest):
    def setUp(self):
        super().setUp()
        self.discord, self.mattermost = FakeDiscord(), FakeMattermost()
        self.addCleanup(self.discord.close)
        self.addCleanup(self.mattermost.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  channel_id: "{fake_discord.CHANNEL}"\n  api_url: {self.discord.api_url}\n'
            f"  ca_file: {self.discord.ca}\n"
            f"mattermost:\n  url: {self.mattermost.url}\n  channel: ops/deploys\n  ca_file: {self.mattermost.ca}\n"
            f'access:\n  operator:\n    discord: ["{fake_discord.ALICE}"]\n    mattermost: [{fake_mattermost.ALICE}]\n',
            encoding="utf-8")
        self.discord.control("settings", bucket_limit=1000)
        self.log = self.home.path / "deploys"
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done")
        self.home.service("app", f"dir: {self.home.path}\ntype: none\nconfirm: always\n"
                                 f"deploy:\n  - 'echo done >> {self.log}'\n")
        self.program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token",
                                                                  "MATTERMOST_TOKEN": "test-token"})
        self.discord.wait_session()
        self.mattermost.wait_connected()
        wait_for(self.home.processes, "the service")

    def on_discord(self, pattern):
        """The texts of ours on Discord that fit, once there are some; edited posts as they stand."""
        return self.discord.wait(lambda: [m["content"] for m in self.discord.posts() if re.search(pattern, m["content"])],
                                 f"a post like {pattern!r} on Discord")

    def on_mattermost(self, pattern):
        return self.mattermost.wait(
            lambda: [text_of(p) for p in self.mattermost.posts() if re.search(pattern, text_of(p))],
            f"a post like {pattern!r} on Mattermost")

    def deploys(self):
        return self.log.read_text().count("done") if self.log.exists() else 0

    def prompt(self):
        def asking():
            return [p for p in self.mattermost.posts() if p["props"]["shipmate"].get("choices")]
        return self.mattermost.wait(asking, "the question")[-1]

    def test_asked_on_discord_confirmed_on_mattermost_told_on_both(self):
        self.discord.say("!deploy app")
        self.on_discord("app.* waits for a confirmation")
        self.mattermost.react(self.prompt()["id"], "white_check_mark")
        self.on_discord(r"confirmed by alice")
        self.on_mattermost(r"Confirmed deploy for \*\*app\*\*")
        self.on_discord(r"Deploy of \*\*app\*\* succeeded")
        self.on_mattermost(r"Deploy of \*\*app\*\* succeeded")
        self.assertEqual(self.deploys(), 1)
        # Whoever answers second is told so, and nothing happens.
        late = self.discord.say("!confirm app")
        self.discord.wait(lambda: self.discord.replies_to(late), "the answer")
        self.assertIn("No pending deploy confirmation", self.discord.replies_to(late)[0]["content"])
        self.assertEqual(self.deploys(), 1)

    def test_asked_on_mattermost_declined_on_discord_told_on_both(self):
        self.mattermost.say("!deploy app")
        self.prompt()
        self.on_discord("app.* waits for a confirmation")
        asked = self.discord.say("!decline app")
        self.discord.wait(lambda: self.discord.replies_to(asked), "the answer")
        self.assertIn("Declined the deploy of **app**", self.discord.replies_to(asked)[0]["content"])
        self.on_mattermost(r"declined by alice")
        self.assertEqual(self.deploys(), 0)

    def test_what_is_done_on_one_is_answered_there_and_announced_on_the_other(self):
        post = self.mattermost.say("!restart echo")
        self.mattermost.wait(lambda: self.mattermost.replies_to(post), "the answer")
        self.assertRegex(self.mattermost.replies_to(post)[0]["message"], r"\*\*echo\*\*: restarted \(pid \d+\)")
        self.on_discord(r"^\*\*echo\*\*: restarted$")
        said = self.discord.say("!stop echo")
        self.discord.wait(lambda: self.discord.replies_to(said), "the answer")
        self.on_mattermost(r"^\*\*echo\*\*: stopped$")

    def test_one_platform_s_outage_is_not_the_other_s(self):
        self.mattermost.go_down()
        said = self.discord.say("!restart echo")
        self.discord.wait(lambda: self.discord.replies_to(said), "the answer")
        self.mattermost.listen()
        self.on_mattermost(r"\*\*echo\*\*: restarted")
        status = self.discord.say("!status")
        self.discord.wait(lambda: self.discord.replies_to(status), "the answer")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
