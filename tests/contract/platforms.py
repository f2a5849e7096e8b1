"""A chat platform as the contract suite sees it: what the program is told of it, what people say on it, and what they
read. A further platform is one more class, and its row of test classes in contract_test.py.
"""

import os
import re
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "doubles"), os.path.join(TESTS, "e2e")]
from fake_discord import ALICE, BOT, CHANNEL, FakeDiscord  # noqa: E402


class OnDiscord:
    """The program on the fake Discord."""

    name = "discord"
    # What one message may hold, in code points.
    limit = 2000
    stranger = "220000000000000009"

    def __init__(self, test):
        self.test = test
        self.double = FakeDiscord()
        test.addCleanup(self.double.close)
        self.double.control("settings", identify_interval=0, bucket_limit=10000)

    def config(self):
        """Its section of config.yaml."""
        return (f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {self.double.api_url}\n  ca_file: {self.double.ca}\n'
                f'access:\n  admin:\n    discord: ["{ALICE}"]\n')

    def start(self):
        """The program, not yet connected."""
        return self.test.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})

    def connect(self):
        program = self.start()
        self.double.wait_session()
        return program

    def say(self, command, **more):
        """What names the message afterwards."""
        return self.double.say("!" + command, **more)

    def mention(self, command):
        return self.double.say(f"<@{BOT}> {command}")

    def answers(self, message):
        """The texts that answer it, now."""
        return [post["content"] for post in self.double.replies_to(message)]

    def answer(self, command, expect=r"\S", **more):
        """The answer to it, once there is one like `expect`."""
        message = self.say(command, **more)
        return self.double.wait(lambda: [text for text in self.answers(message) if re.search(expect, text)],
                                f"an answer to {command!r}")[0]

    def order(self, messages):
        """Those of `messages` that are answered, in the order of their answers."""
        answered = [post.get("message_reference", {}).get("message_id") for post in self.double.posts()]
        return [message for message in answered if message in messages]

    def posts(self):
        """The texts of all posts of ours, as they read now."""
        return [post["content"] for post in self.double.posts()]

    def edits(self):
        """The texts that posts got later."""
        return [entry["body"]["content"] for entry in self.double.trace("rest") if entry["method"] == "PATCH"]

    @staticmethod
    def block(text):
        """What stands in the one fence of `text`."""
        fenced = re.fullmatch(r"(?s)[^`]*```\n(.*)\n```", text)
        if not fenced or text.count("```") != 2:
            raise AssertionError(f"not one fence: {text}")
        return fenced[1]

    # What is ignored.
    def say_as_itself(self, command):
        return self.double.say("!" + command, own=True)

    def say_as_a_bot(self, command):
        return self.double.say("!" + command, bot=True)

    def say_as_a_hook(self, command):
        return self.double.say("!" + command, webhook=True)

    # What goes wrong.
    def drop(self):
        self.double.control("cut")
        self.double.wait_session()

    def refuse_the_token(self):
        self.double.control("settings", token="another")

    def slow_down(self):
        """The next post is answered with 429, to come again after 1.5 s."""
        self.double.control("fault", rest={
            "path": "/messages", "status": 429, "headers": {"Content-Type": "application/json", "Via": "1.1 google",
                                                            "Retry-After": "2"},
            "body": '{"message":"slow down","retry_after":1.5,"global":false}'})

    def last_tries(self):
        """[(status, milliseconds)] of the last two tries to post."""
        posts = [entry for entry in self.double.trace("rest") if entry["method"] == "POST"][-2:]
        return [(entry["status"], entry["at_ms"]) for entry in posts]

    def hold_the_answer(self):
        """The next post is done, and its answer does not come."""
        self.double.control("fault", rest={"path": "/messages", "status": 0, "after_acting": True, "delay": 3600000})

    def fail_posts(self, after_acting):
        self.double.control("fault", rest={"path": "/messages", "status": 502, "times": 3, "after_acting": after_acting})

    def mend(self):
        self.double.control("no-faults")

    def forget_keys(self):
        """A repeated post is a second one from now on."""
        self.double.control("settings", nonce_window=0)

    def know_keys(self):
        self.double.control("settings", nonce_window=300000)


class OnConsole:
    """The program with its console on a pipe: nobody else is there, and nothing can be lost on the way."""

    name = "console"
    limit = 64 * 1024

    def __init__(self, test):
        self.test = test
        self.program = None

    def config(self):
        return "{}\n"

    def connect(self):
        self.program = self.test.start()
        self.program.ask("list", "service")
        return self.program

    def say(self, command):
        self.program.send(command)
        return command

    def answer(self, command, expect=r"\S"):
        return self.program.ask(command, expect)

    def order(self, messages):
        said = self.program._read()
        places = {message: said.find(f'"{message.split()[-1]}"') for message in messages}
        return sorted((message for message in messages if places[message] >= 0), key=places.get)

    @staticmethod
    def block(text):
        """All but the line above it."""
        return text.rstrip("\n").split("\n", 1)[1]
