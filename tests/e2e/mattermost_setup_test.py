"""README's "Set up Mattermost", followed word by word against the double: its configuration, its .env, its first commands,
and what it says that the log says when something is wrong."""

import os
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, str(HERE / ".." / "doubles"))
from fake_mattermost import BOT, CHANNEL, OTHER_CHANNEL, FakeMattermost, text_of  # noqa: E402
from harness import E2ETest, wait_for  # noqa: E402

README = (HERE / ".." / ".." / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Set up Mattermost"):]
SECTION = SECTION[:SECTION.index("\n## ", 3)]
SETTINGS = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
ENV = re.search(r"```\n(MATTERMOST_TOKEN=.*?)```", SECTION, re.DOTALL)[1]
SAID = re.findall(r"^\| `(.+?)` \|", SECTION, re.MULTILINE)


class SetUp(E2ETest):
    def setUp(self):
        super().setUp()
        self.double = FakeMattermost(bot_name="name-of-the-bot")
        self.addCleanup(self.double.close)
        self.home.process("api", "while :; do echo tick; sleep 0.2; done")

    def follow(self, settings, token="test-token", authority=True):
        """Does what the section says, with the double's address and token, whose authority is its own."""
        text = settings.replace("https://chat.example.com", self.double.url)
        (self.home.path / "config.yaml").write_text(text + (f"  ca_file: {self.double.ca}\n" if authority else ""),
                                                    encoding="utf-8")
        env = self.home.path / ".env"
        env.write_text(ENV.replace("the token you copied", token), encoding="utf-8")
        env.chmod(0o600)
        return self.start(interactive=False)

    def answer(self, text, **more):
        post = self.double.say(text, **more)
        return text_of(self.double.wait(lambda: self.double.replies_to(post), f"an answer to {text!r}")[0])

    def test_one_channel(self):
        program = self.follow(SETTINGS[0])
        self.double.wait_connected()
        wait_for(self.home.processes, "the service")
        self.assertIn("**api** running", self.answer("!status"))
        self.assertIn("**api** running", self.answer("@name-of-the-bot status"))
        self.assertNotIn(" warning ", program.stderr().lower())

    def test_several_channels(self):
        self.follow(SETTINGS[1])
        self.double.wait_connected()
        wait_for(self.home.processes, "the service")
        for channel in (CHANNEL, OTHER_CHANNEL):
            self.assertIn("**api** running", self.answer("!status", channel=channel))

    def test_what_the_log_says_when_something_is_wrong(self):
        self.assertEqual(len(SAID), 4)
        wrong = {
            "refuses the token": lambda: self.follow(SETTINGS[0], token="another"),
            "looking for": lambda: self.follow(SETTINGS[0].replace("ops/deploys", "ops/nowhere")),
            "status 403": self.without_membership,
            "its certificate": lambda: self.follow(SETTINGS[0], authority=False),
        }
        for mark, make in wrong.items():
            said = [text for text in SAID if mark in text]
            with self.subTest(said):
                program = make()
                pieces = [piece.strip() for piece in said[0].split("...")]
                wait_for(lambda program=program, pieces=pieces: all(p in program.stderr() for p in pieces),
                         f"the log to say {said[0]!r}; it says {program.stderr()}")
                program.kill()

    def without_membership(self):
        self.double.members[CHANNEL].discard(BOT)
        self.addCleanup(self.double.members[CHANNEL].add, BOT)
        return self.follow(SETTINGS[0])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
