"""What every chat platform owes, on the built program: each test runs on each platform that can show it.

KillNine kills the program with kill -9 at random points, many of them between a post and its acknowledgement, and
demands that each announcement is seen exactly once. The seed is printed, and may be given by SHIPMATE_SEED.
"""

import os
import random
import re
import sqlite3
import sys
import time
import unittest

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__))]
from platforms import OnConsole, OnDiscord  # noqa: E402
from harness import E2ETest, wait_for  # noqa: E402

POINTS = int(os.environ.get("SHIPMATE_CONTRACT_POINTS", "30"))


class Against(E2ETest):
    """The program on `Platform`."""

    Platform = None

    def setUp(self):
        super().setUp()
        self.platform = self.Platform(self)
        (self.home.path / "config.yaml").write_text(self.platform.config(), encoding="utf-8")


class Answers:
    """Whatever the place, commands are answered."""

    def test_a_command_gives_a_reply(self):
        self.platform.connect()
        self.assertIn("no services", self.platform.answer("list").lower())

    def test_order_is_kept(self):
        self.platform.connect()
        asked = [self.platform.say(f"help nothing-{number}") for number in range(30)]
        wait_for(lambda: len(self.platform.order(asked)) >= 30, "all answers")
        self.assertEqual(self.platform.order(asked), asked)

    def test_too_long_is_cut(self):
        line = "a long line of a log, with an accent \u00e9, a fence ``` and enough behind it to fill any message: "
        self.home.process("talker", f"yes '{line * 2}' | head -n 3000; echo the end; exec sleep 1000")
        self.platform.connect()
        wait_for(lambda: "the end" in self.platform.answer("logs talker 1"), "the log to be written")
        said = self.platform.answer("logs talker 1000", "the end")
        self.assertLessEqual(len(said), self.platform.limit + 200)
        block = self.platform.block(said)
        self.assertRegex(block, r"^\.\.\. \(truncated, \d+ earlier bytes omitted\)\n")
        self.assertTrue(block.replace("\u200b", "").endswith("and enough behind it to fill any message: \nthe end"),
                        block[-300:])


class Channels(Answers):
    """Where others speak, too, and where connections break."""

    def test_a_mention_gives_a_reply(self):
        self.platform.connect()
        message = self.platform.mention("list")
        wait_for(lambda: self.platform.answers(message), "an answer to a mention")
        self.assertIn("no services", self.platform.answers(message)[0].lower())

    def test_own_and_bot_messages_are_ignored(self):
        self.platform.connect()
        ignored = [say("list") for say in (self.platform.say_as_itself, self.platform.say_as_a_bot,
                                           self.platform.say_as_a_hook)]
        self.platform.answer("list")
        self.assertEqual([self.platform.answers(message) for message in ignored], [[], [], []])

    def test_who_has_no_role_is_refused(self):
        self.home.process("web", "exec sleep 1000")
        self.platform.connect()
        wait_for(self.home.processes, "the service to run")
        before = self.home.processes()
        said = self.platform.answer("stop web", author=self.platform.stranger)
        self.assertTrue(said.startswith("Not allowed: "), said)
        self.assertIn("operator", said)
        self.assertEqual(self.home.processes(), before)

    def test_a_429_is_obeyed(self):
        self.platform.connect()
        self.platform.answer("list")
        self.platform.slow_down()
        self.platform.answer("list")
        (first, refused_at), (second, posted_at) = self.platform.last_tries()
        self.assertEqual(first, 429)
        self.assertLess(second, 300)
        self.assertGreaterEqual(posted_at - refused_at, 1500)

    def test_reconnects_after_a_drop(self):
        self.platform.connect()
        self.platform.answer("list")
        self.platform.drop()
        self.platform.answer("list")

    def test_a_rejected_token_ends_the_platform_alone(self):
        self.home.process("web", "exec sleep 1000")
        self.platform.refuse_the_token()
        program = self.platform.start()
        wait_for(lambda: "token" in program.stderr(), "the refusal to be told")
        wait_for(self.home.processes, "the service to run")
        self.assertIsNone(program.process.poll())

    def test_a_deploy_is_one_message(self):
        self.home.process("web", "exec sleep 1000", "deploy:\n  - echo building\n  - sleep 0.2\n")
        self.platform.connect()
        self.platform.answer("deploy web")
        wait_for(lambda: [text for text in self.platform.posts() if "succeeded" in text], "the result")
        about = [text for text in self.platform.posts() if re.search("Deploy", text)]
        self.assertEqual(len(about), 1, about)
        self.assertTrue(self.platform.edits())


class KillNine:
    """Every service waits for a word and ends: one announcement each."""

    def outbox(self, statement):
        database = sqlite3.connect(self.home.path / "state" / "outbox.db", timeout=30)
        try:
            rows = database.execute(statement).fetchall()
            database.commit()
            return rows
        finally:
            database.close()

    def told(self, number):
        """The lines that tell of the end of service `number`, alone or in a summary."""
        end = re.compile(rf"(?m)^(\*\*)?s{number}(\*\*)?: .*exited")
        return [line for text in self.platform.posts() for line in end.finditer(text)]

    def test_each_announcement_is_seen_exactly_once(self):
        seed = int(os.environ.get("SHIPMATE_SEED", str(random.randrange(1 << 32))))
        print(f"SHIPMATE_SEED={seed}", file=sys.stderr)
        source = random.Random(seed)
        pipes = self.home.path / "work" / "pipes"
        pipes.mkdir()
        for number in range(POINTS):
            os.mkfifo(pipes / str(number))
            self.home.process(f"s{number}", f"read word < pipes/{number}; echo $word; exit 3", "restart: \"no\"\n")
        program = self.platform.connect()
        wait_for(lambda: len(self.home.processes()) >= POINTS, "all services to run")
        for number in range(POINTS):
            kind = source.choice(["any", "any", "held", "failed after", "failed before"])
            if kind == "held":
                self.platform.hold_the_answer()
            elif kind != "any":
                self.platform.fail_posts(kind == "failed after")
            with open(pipes / str(number), "w", encoding="ascii") as pipe:
                pipe.write("enough\n")
            if kind in ("held", "failed after"):
                wait_for(lambda: self.told(number), f"the end of s{number} to be posted")
            time.sleep(source.uniform(0, 0.15))
            program.kill()
            self.platform.mend()
            aged = source.random() < 0.5
            if aged:
                # As if it had been down for longer than keys are known.
                self.outbox("UPDATE message SET tried = tried - 1200000000000 WHERE done = 0 AND tried > 0")
                self.platform.forget_keys()
            program = self.platform.connect()
            wait_for(lambda: self.told(number),
                     f"the end of s{number} to be told ({kind}, {'aged' if aged else 'at once'}, seed {seed})")
            wait_for(lambda: not self.outbox("SELECT 1 FROM message WHERE done = 0"), "the outbox to be empty")
            self.platform.know_keys()
        self.assertEqual({f"s{n}": len(self.told(n)) for n in range(POINTS) if len(self.told(n)) != 1}, {})


class Console(Answers, Against):
    Platform = OnConsole


class Discord(Channels, Against):
    Platform = OnDiscord


class DiscordKilled(KillNine, Against):
    Platform = OnDiscord


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
