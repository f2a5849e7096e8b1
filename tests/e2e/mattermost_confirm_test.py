"""Questions on Mattermost and their answers, without a port that the server would have to reach: by a reaction, by a word
in the thread, by the command; and over an outage or a restart."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_mattermost import ALICE, BOB, BOT, CHANNEL, text_of  # noqa: E402
from harness import wait_for  # noqa: E402
from mattermost_test import OnMattermost  # noqa: E402

ASKS = r"Deploy of \*\*app\*\* waits for a confirmation"


class Confirmations(OnMattermost):
    def setUp(self):
        super().setUp()
        self.configure("  channel: ops/deploys\n",
                       f"access:\n  operator: {{mattermost: [{ALICE}]}}\n  viewer: {{everyone: true}}\n")
        self.log = self.home.path / "deploys"
        self.home.service("app", f"dir: {self.home.path}\ntype: none\nconfirm: always\n"
                                 f"deploy:\n  - 'echo done >> {self.log}'\n")

    def ask(self):
        """The post that asks whether app may be deployed."""
        before = {p["id"] for p in self.double.posts()}
        self.double.say("!deploy app")

        def asking():
            return [p for p in self.double.posts() if p["id"] not in before and p["props"]["shipmate"].get("choices")]
        prompt = self.double.wait(asking, "the question")[0]
        self.double.wait(lambda: len(self.reactions(prompt)) == 2, "the reactions to click")
        return prompt

    def reactions(self, prompt):
        return [r["emoji_name"] for r in self.double.reactions.get(prompt["id"], []) if r["user_id"] == BOT]

    def deploys(self):
        return self.log.read_text().count("done") if self.log.exists() else 0

    def wait_deployed(self, count=1):
        wait_for(lambda: self.deploys() >= count, "the deploy")
        self.assertEqual(self.deploys(), count)

    def answered(self, prompt, pattern):
        posts = self.double.wait(lambda: self.double.replies_to(prompt["id"]), "the answer below the question")
        self.assertRegex(text_of(posts[-1]), pattern)
        return posts

    def test_a_reaction_of_any_skin_tone_confirms_once(self):
        self.connect()
        prompt = self.ask()
        self.assertRegex(text_of(prompt), ASKS)
        self.assertEqual(self.reactions(prompt), ["white_check_mark", "x"])
        self.double.react(prompt["id"], "tada")
        self.double.react(prompt["id"], "+1_medium_dark_skin_tone")
        self.double.react(prompt["id"], "+1_medium_dark_skin_tone")
        self.wait_deployed()
        self.answered(prompt, r"Confirmed deploy for \*\*app\*\*")
        done = self.said(r"Deploy of \*\*app\*\* succeeded")
        self.assertIn("alice", text_of(done))
        self.assertEqual(done["props"]["attachments"][0]["color"], "#2f9e44")
        self.assertEqual(len(self.double.replies_to(prompt["id"])), 1)

    def test_a_cross_declines(self):
        self.connect()
        prompt = self.ask()
        self.double.react(prompt["id"], "x")
        self.answered(prompt, r"Declined the deploy of \*\*app\*\*")
        self.answer("!confirm app")
        self.assertEqual(self.deploys(), 0)

    def test_a_word_in_the_thread_answers_and_talk_does_not(self):
        self.connect()
        prompt = self.ask()
        self.double.say("yes", root=self.double.say("shall we?"))
        self.double.say("yes, why not", root=prompt["id"])
        self.double.say("yes")
        self.answer("!list")
        self.assertEqual((self.deploys(), self.double.replies_to(prompt["id"])), (0, []))
        self.double.say("Confirm.", root=prompt["id"])
        self.answered(prompt, r"Confirmed deploy for \*\*app\*\*")
        self.wait_deployed()
        prompt = self.ask()
        self.double.say("no", root=prompt["id"])
        self.answered(prompt, r"Declined the deploy of \*\*app\*\*")
        self.assertEqual(self.deploys(), 1)

    def test_only_whoever_may_deploy_is_obeyed_and_bots_never(self):
        self.connect()
        prompt = self.ask()
        self.double.users[BOB]["is_bot"] = True
        self.double.react(prompt["id"], "white_check_mark", user=BOB)
        self.answer("!list")
        self.assertEqual(self.double.replies_to(prompt["id"]), [])
        self.double.users[BOB]["is_bot"] = False
        self.double.say("yes", root=prompt["id"], user=BOB)
        self.answered(prompt, r"Not allowed: `confirm`")
        other = self.ask()
        self.double.say("yes", root=other["id"], props={"from_webhook": "true"})
        # Nobody else's post asks, whatever it bears.
        fake = self.double.say("deploy?", user=BOB, props={"shipmate": {"choices": [
            {"kind": "yes", "command": "confirm app"}]}})
        self.double.react(fake, "white_check_mark")
        self.answer("!list")
        self.assertEqual((self.deploys(), self.double.replies_to(other["id"])), (0, []))
        self.double.react(other["id"], "white_check_mark")
        self.wait_deployed()

    def test_a_question_that_another_took_the_place_of_is_not_what_a_late_answer_means(self):
        self.connect()
        first = self.ask()
        self.double.say("!decline app", root=first["id"])
        self.answered(first, "Declined")
        second = self.ask()
        self.double.react(first["id"], "white_check_mark")
        self.double.say("yes", root=first["id"])
        self.answer("!list")
        self.assertEqual(self.deploys(), 0)
        self.double.react(second["id"], "white_check_mark")
        self.wait_deployed()

    def test_what_was_answered_in_an_outage_is_read_again(self):
        self.connect()
        for how in ("reaction", "word"):
            with self.subTest(how):
                before = self.deploys()
                prompt = self.ask()
                self.double.go_down()
                if how == "reaction":
                    self.double.react(prompt["id"], "+1", quiet=True)
                else:
                    self.double.say("yes", root=prompt["id"], quiet=True)
                self.double.listen()
                self.wait_deployed(before + 1)
                self.assertEqual(len(self.answered(prompt, "Confirmed")), 1)

    def test_a_question_outlives_the_program(self):
        program = self.connect()
        prompt = self.ask()
        program.kill()
        program.wait()
        self.double.react(prompt["id"], "white_check_mark")
        self.connect()
        self.wait_deployed()
        self.answered(prompt, "Confirmed")
        # The same is not taken twice by the next run, however often it is read.
        self.double.go_down()
        self.double.listen()
        self.double.wait_connected()
        self.answer("!list")
        self.assertEqual((self.deploys(), len(self.double.replies_to(prompt["id"]))), (1, 1))

    def test_the_command_answers_as_well_and_the_post_says_how(self):
        self.connect()
        prompt = self.ask()
        self.assertIn("`!confirm app", text_of(prompt))
        self.assertIn("Confirmed", self.answer("!confirm app"))
        self.wait_deployed()
        # Once it is answered, the post does not ask any more.
        self.double.wait(lambda: not [p for p in self.double.posts(CHANNEL) if p["props"]["shipmate"].get("choices")],
                         "the question to be closed")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
