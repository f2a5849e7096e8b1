"""From a message on Discord to a signal to a process, and back: the built program against the fake Discord, over TLS."""

import os
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_discord import ALICE, BOT, CHANNEL, GUILD, OTHER_CHANNEL, FakeDiscord  # noqa: E402
from harness import E2ETest, alive, wait_for  # noqa: E402

# What may stand in a log: emoji, fences, colours, mentions, bytes that are no UTF-8, and a last line to look for.
NASTY = r'''
i=0
while [ $i -lt 300 ]; do
  i=$((i+1))
  printf 'line %s \360\237\230\200 ```` \033[31mred\033[0m @everyone <@&1> \377\376 \342\200\256 ```\n' $i
done
printf 'the very last line `\n'
exec sleep 1000
'''


class OnDiscord(E2ETest):
    """The program on the fake Discord, with two services."""

    def setUp(self):
        super().setUp()
        self.double = FakeDiscord()
        self.addCleanup(self.double.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  guild_id: "{GUILD}"\n  channel_id: "{CHANNEL}"\n  api_url: {self.double.api_url}\n'
            f"  ca_file: {self.double.ca}\n" + self.access(), encoding="utf-8")
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done")
        self.home.process("nasty", NASTY)

    def access(self):
        """What config.yaml says of access; alice may everything."""
        return f'access:\n  admin:\n    discord: ["{ALICE}"]\n'

    def connect(self):
        program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()
        wait_for(lambda: len({mark.split("/")[1] for mark in self.home.processes().values()}) == 2, "both services")
        return program

    def answer(self, text, **more):
        message = self.double.say(text, **more)
        replies = self.double.wait(lambda: self.double.replies_to(message), f"an answer to {text!r}")
        self.assertEqual(len(replies), 1)
        return replies[0]["content"]

    def pid(self, name):
        return int(re.search(r"pid (\d+)", self.answer(f"!status {name}"))[1])


class Discord(OnDiscord):
    def test_restart_reaches_the_process(self):
        self.connect()
        first = self.pid("echo")
        said = self.answer("!restart echo")
        second = int(re.search(r"\*\*echo\*\*: restarted \(pid (\d+)\)", said)[1])
        self.assertNotEqual(first, second)
        self.assertTrue(alive(second))
        self.assertFalse(alive(first))

    def test_logs_end_with_the_end_whatever_is_in_them(self):
        self.connect()
        wait_for(lambda: "the very last line" in self.answer("!logs nasty"), "the log to be written")
        said = self.answer("!logs nasty")
        self.assertLessEqual(len(said), 2000)
        said.encode("utf-8")
        self.assertEqual(said.count("```"), 2, said)
        self.assertTrue(said.endswith("\n```"))
        self.assertEqual(said[:-4].splitlines()[-1].replace("\u200b", ""), "the very last line `")
        self.assertIn("truncated", self.answer("!logs nasty 250"))
        self.assertNotRegex(said, "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
        posts = [e for e in self.double.trace("rest") if e["method"] == "POST"]
        self.assertTrue(all(e["body"]["allowed_mentions"] == {"parse": [], "replied_user": False} for e in posts))

    def test_a_drop_in_the_middle_of_a_command_neither_loses_nor_repeats_it(self):
        self.home.process("slow", "trap '' TERM; while :; do sleep 0.1; done", "stop_timeout: 1s\n")
        program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()
        wait_for(lambda: any("/slow/" in mark for mark in self.home.processes().values()), "slow to run")
        before = self.home.state("slow")["generation"]
        message = self.double.say("!restart slow")
        wait_for(lambda: "!restart slow" in program.stderr(), "the command to arrive")
        self.double.control("cut")
        self.double.control("repeat", id=message)
        self.double.wait(lambda: self.double.replies_to(message), "the answer")
        self.double.wait_session()
        self.answer("!list")
        self.assertEqual(len(self.double.replies_to(message)), 1)
        self.assertEqual(self.home.state("slow")["generation"], before + 1)

    def test_only_people_in_the_channel_are_heard(self):
        """T-14, and G1: talk is no command."""
        self.connect()
        pid = self.pid("echo")
        ignored = [self.double.say("!stop echo", channel=OTHER_CHANNEL), self.double.say("!stop echo", bot=True),
                   self.double.say("!stop echo", webhook=True), self.double.say("!stop echo", own=True),
                   self.double.say("!stop echo", channel="770000000000000007"),
                   self.double.say("!stop echo", extra={"type": 21}),
                   self.double.say("!stop echo", extra={"message_reference": {"type": 1, "message_id": "1"}}),
                   self.double.say("please !stop echo"), self.double.say("stop echo")]
        talk = self.double.say("good morning")
        self.double.control("dispatch", t="MESSAGE_UPDATE", d={
            "id": talk, "type": 0, "channel_id": CHANNEL, "guild_id": GUILD, "content": "!stop echo",
            "author": {"id": ALICE, "username": "alice"}, "edited_timestamp": "2026-08-01T10:00:01.000000+00:00"})
        ignored.append(talk)
        self.answer("!list")
        for message in ignored:
            self.assertEqual(self.double.replies_to(message), [])
        self.assertEqual(self.pid("echo"), pid)

    def test_a_mention_needs_no_prefix(self):
        self.connect()
        self.assertIn("**echo**", self.answer(f"<@{BOT}> status echo"))

    def test_a_crash_is_announced_with_its_reason(self):
        self.home.process("crasher", "while [ ! -e crash ]; do sleep 0.1; done; rm crash; echo '@everyone boom'; exit 3")
        self.connect_three()
        (self.home.path / "work" / "crash").touch()
        notice = self.double.wait(
            lambda: [m["content"] for m in self.double.posts() if "exited with status 3" in m["content"]], "the notice")
        self.assertIn("**crasher**", notice[0])
        self.assertIn("boom", notice[0])

    def connect_three(self):
        program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()
        wait_for(lambda: any("/crasher/" in mark for mark in self.home.processes().values()), "crasher to run")
        return program

    def test_several_names_and_a_glob_in_one_command(self):
        self.connect()
        said = self.answer("!restart e* nasty")
        self.assertRegex(said, r"\*\*echo\*\*: restarted")
        self.assertRegex(said, r"\*\*nasty\*\*: restarted")

    def test_deploy_and_its_notices(self):
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done", "deploy:\n  - echo building\n  - 'false'\n")
        self.connect()
        self.answer("!deploy echo")
        failed = self.double.wait(
            lambda: [m["content"] for m in self.double.posts() if "failed at step" in m["content"]], "the failure")
        self.assertIn("`false`", failed[0])
        self.assertIn("building", failed[0])

    def test_no_secret_shows_anywhere(self):
        """T-12: a sentinel in every secret, through failures and a kill, with all that can be logged."""
        names = ["DISCORD_TOKEN", "MATTERMOST_TOKEN", "GITHUB_WEBHOOK_SECRET", "GITLAB_WEBHOOK_SECRET",
                 "GITEA_WEBHOOK_SECRET", "GENERIC_WEBHOOK_SECRET"]
        secrets = {name: f"sentinel-of-{name.lower()}-5f2a9c" for name in names}
        in_url = "sentinel-of-a-url-5f2a9c"
        # Half of them by the file.
        (self.home.path / ".env").write_text("".join(f"{name}={secrets[name]}\n" for name in names[3:]), encoding="utf-8")
        self.home.process("printer", "env; cat /proc/self/environ /proc/$PPID/environ /proc/$PPID/cmdline; echo printed; "
                                     "exec sleep 1000",
                          f"deploy:\n  - env; cat /proc/$PPID/environ; git clone https://me:{in_url}@127.0.0.1:1/x y\n")
        self.double.control("settings", token=secrets["DISCORD_TOKEN"])
        environment = {name: secrets[name] for name in names[:3]}
        errors = []
        for _ in range(2):
            program = self.start("--verbose", interactive=False, environment=environment)
            self.double.wait_session()
            wait_for(lambda: "printed" in self.answer("!logs printer 200"), "the log to be written")
            self.answer("!reload")
            self.answer("!deploy printer")
            self.double.wait(lambda: [m for m in self.double.posts() if "failed at step" in m["content"]], "the failure")
            self.answer("!deploy-log 1")
            self.answer("!history printer")
            self.answer("!status printer")
            self.double.control("fault", rest={"path": "/messages", "status": 500, "times": 2})
            self.answer("!count")
            running = list(self.home.processes()) + [program.process.pid]
            seen = {}
            for pid in running:
                for what in ("environ", "cmdline"):
                    seen[f"/proc/{pid}/{what}"] = Path(f"/proc/{pid}/{what}").read_text(encoding="utf-8", errors="replace")
            errors.append(program)
            program.kill()
        seen["messages"] = str(self.double.read("messages"))
        for number, program in enumerate(errors):
            seen[f"standard error {number}"] = program.stderr()
        for root, _, files in os.walk(self.home.path):
            for name in files:
                path = Path(root) / name
                # Where they were written down by the user.
                if name != ".env" and path.parent.name != "services":
                    seen[str(path)] = path.read_bytes().decode(errors="replace")
        found = [(place, secret) for place, text in seen.items() for secret in [*secrets.values(), in_url] if secret in text]
        self.assertEqual(found, [])


class Record(OnDiscord):
    """What was commanded is known after a kill, and nothing is done twice."""

    def test_a_killed_run_s_command_is_answered_once_and_never_run_again(self):
        self.home.process("slow", "trap '' TERM; while :; do sleep 0.1; done", "stop_timeout: 30s\n")
        program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()
        wait_for(lambda: any("/slow/" in mark for mark in self.home.processes().values()), "slow to run")
        done = self.double.say("!stop echo")
        self.double.wait(lambda: self.double.replies_to(done), "the first answer")
        self.answer("!start echo")
        left = self.double.say("!restart slow")
        wait_for(lambda: "!restart slow" in program.stderr(), "the command to arrive")
        program.kill()
        program = self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        replies = self.double.wait(lambda: self.double.replies_to(left), "the late answer")
        self.assertIn("`!restart slow` was interrupted by a restart of Shipmate", replies[0]["content"])
        self.double.wait_session()
        pid = self.pid("echo")
        self.double.control("repeat", id=done)
        self.double.control("repeat", id=left)
        wait_for(lambda: program.stderr().count("not run again") == 2, "both to be known")
        self.assertEqual(self.pid("echo"), pid)
        program.signal(15)
        program.wait()
        self.connect_again()
        self.answer("!list")
        self.assertEqual(len(self.double.replies_to(left)), 1)
        self.assertEqual(len(self.double.replies_to(done)), 1)

    def connect_again(self):
        self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()

    def test_the_audit_trail_and_whoami(self):
        self.connect()
        self.answer("!stop echo")
        self.answer("!stop nosuch", author=STRANGER, name="mallory")
        said = self.answer("!audit 3")
        self.assertRegex(said, r"`!stop nosuch`: refused: needs operator, has none")
        self.assertIn(STRANGER, said)
        self.assertRegex(said, r"`!stop echo`: echo: stopped")
        self.assertIn(ALICE, self.answer("!whoami"))

    def test_a_broken_database_stops_no_command_and_is_said(self):
        (self.home.path / "state").mkdir(mode=0o750, exist_ok=True)
        (self.home.path / "state" / "history.db").write_bytes(b"this is no database, " * 100)
        program = self.connect()
        said = self.answer("!stop echo")
        self.assertTrue(said.startswith("**echo**: stopped\nnot in the audit trail: "), said)
        self.assertIn("commands are not recorded", program.stderr())
        self.assertEqual((self.home.path / "state" / "history.db").read_bytes()[:7], b"this is")


class Custom(OnDiscord):
    """Commands of the user's own."""

    def access(self):
        commands = self.home.path / "cmd"
        commands.mkdir()
        (commands / "show.yaml").write_text(
            "name: show\nhelp: Shows its arguments and environment\nrole: operator\n"
            "run: [sh, -c, 'env; echo; for a; do echo \"[$a]\"; done', sh, \"{service}\", \"{args}\"]\n", encoding="utf-8")
        (commands / "wipe.yaml").write_text(
            "name: wipe\nhelp: Deletes something\nrole: admin\nconfirm: true\nrun: [rm, -v, here]\ndir: work\n"
            "output: plain\n", encoding="utf-8")
        return super().access() + "commands_dir: cmd\n"

    def test_what_was_typed_is_an_argument_and_no_secret_is_there(self):
        self.connect()
        said = self.answer("!show echo 'a b' $(id) `id` ;")
        self.assertTrue(said.replace("\u200b", "").endswith("[echo]\n[a b]\n[$(id)]\n[`id`]\n[;]\n```"), said)
        self.assertNotIn("test-token", said)
        self.assertNotIn("DISCORD_TOKEN", said)
        self.assertIn("Shows its arguments", self.answer("!help"))
        self.assertIn("Not allowed", self.answer("!show echo", author=STRANGER))

    def test_reload_applies_commands_and_access(self):
        self.connect()
        self.assertIn("Not allowed", self.answer("!show echo", author=STRANGER))
        self.assertEqual(self.answer("!reload"), "Config reloaded: nothing changed")
        commands = self.home.path / "cmd"
        code = re.search(r"`!yes (\w+)`", self.answer("!wipe"))[1]
        (commands / "wipe.yaml").unlink()
        (commands / "dump.yaml").write_text(
            "name: dump\nhelp: Counts\nrole: viewer\nrun: [seq, '3']\noutput: file\n", encoding="utf-8")
        config = self.home.path / "config.yaml"
        config.write_text(config.read_text(encoding="utf-8").replace(
            "access:\n", f'access:\n  operator:\n    discord: ["{STRANGER}"]\n') + "prefix: '?'\n", encoding="utf-8")
        (commands / "bad.yaml").write_text("name: bad\n", encoding="utf-8")
        self.assertIn("nothing was changed", self.answer("!reload"))
        self.assertIn("Not allowed", self.answer("!show echo", author=STRANGER))
        (commands / "bad.yaml").unlink()
        said = self.answer("!reload")
        self.assertTrue(said.startswith("Config reloaded: access changed, 2 commands changed"), said)
        self.assertIn("applied when Shipmate is restarted", said)
        self.assertIn("[echo]", self.answer("!show echo", author=STRANGER))
        self.assertIn("unknown command", self.answer("!wipe"))
        self.assertIn("nothing of yours", self.answer(f"!yes {code}"))
        self.assertIn("done in", self.answer("!dump"))
        files = [file["filename"] for e in self.double.trace("rest") for file in e.get("body", {}).get("attachments", [])]
        self.assertIn("dump.txt", files)

    def test_what_asks_first_waits_for_a_yes(self):
        here = self.home.path / "work" / "here"
        here.touch()
        self.connect()
        code = re.search(r"`!yes (\w+)`", self.answer("!wipe"))[1]
        self.assertIn("nothing of yours", self.answer("!yes xxxx"))
        self.assertTrue(here.exists())
        self.assertIn("removed", self.answer(f"!yes {code}"))
        self.assertFalse(here.exists())


class Missed(OnDiscord):
    """What is typed while the program is away."""

    def test_commands_of_a_gap_are_not_run_late_and_answered_once(self):
        program = self.connect()
        pid = self.pid("echo")
        self.double.say("good morning")
        self.answer("!count")
        program.signal(15)
        program.wait()
        missed = self.double.say("!stop echo")
        talk = self.double.say("nobody there?")
        role = self.double.say("!restart echo", author="220000000000000009", name="mallory")
        silent = [talk, self.double.say("!stop echo", ago=3600), self.double.say("!stop echo", bot=True),
                  self.double.say("!stop echo", channel=OTHER_CHANNEL), self.double.say("!stop echo", own=True)]
        program = self.connect()
        # What comes by an event meanwhile is no miss.
        self.assertEqual(self.pid("echo"), pid)
        for message in (missed, role):
            replies = self.double.wait(lambda at=message: self.double.replies_to(at), "the answer to what was missed")
            self.assertRegex(replies[0]["content"], r"^missed while offline \d+s ago; not run$")
        self.assertTrue(alive(pid))
        program.signal(15)
        program.wait()
        self.connect()
        self.assertEqual(self.pid("echo"), pid)
        looks = self.double.wait(lambda: [e for e in self.double.trace("rest") if e["method"] == "GET"
                                          and e["path"].endswith(f"/{CHANNEL}/messages")][1:], "the second look back")
        # It is judged once every event that could tell more must have come.
        wait_for(lambda: time.monotonic() * 1000 > looks[0]["at_ms"] + 4000, "the look to be over")
        self.answer("!list")
        self.assertEqual([len(self.double.replies_to(message)) for message in (missed, role)], [1, 1])
        for message in silent:
            self.assertEqual(self.double.replies_to(message), [])


class Hostile(OnDiscord):
    """What people type to see what happens."""

    def test_echoes_ping_nobody_and_are_short(self):
        """SEC-01."""
        self.connect()
        for text in ["!status x` <@everyone> @here <@&123> `", "!" + "x" * 1900, "!help <@&123>", "!logs @everyone"]:
            said = self.answer(text)
            self.assertLess(len(said), 300, said)
            for mention in ["<@everyone>", "@here", "<@&123>", "@everyone"]:
                self.assertNotIn(mention, said)
        posts = [e for e in self.double.trace("rest") if e["method"] == "POST" and e["path"].endswith("/messages")]
        self.assertTrue(posts)
        self.assertTrue(all(e["body"]["allowed_mentions"]["parse"] == [] for e in posts))

    def test_what_only_looks_like_a_command_does_nothing(self):
        """T-16."""
        self.connect()
        pid = self.pid("echo")
        for text, part in [("!stop \u0435cho", "u0435cho"), ("!stop\u00a0echo", "u00a0echo"), ("!stop e\u200bcho", "u200b"),
                           ("\uff01stop echo", "uff01"), ("!STOP ECHO", "not found; did you mean **echo**?"),
                           ("!count\n!stop echo", "one command a message"), ("!stop " + "x" * 1900, "not found")]:
            said = self.answer(text)
            self.assertIn(part, said)
            self.assertLess(len(said), 300)
        self.assertEqual(self.pid("echo"), pid)

    def test_a_flood_of_commands_is_bounded(self):
        """T-32."""
        self.double.control("settings", bucket_limit=10000)
        program = self.connect()
        before = self.memory(program)
        asked = [self.double.say("!logs nasty 50") for _ in range(1000)]
        last = self.double.say("!count")
        self.double.wait(lambda: self.double.replies_to(last), "an answer to what came after the flood", 120)
        answers = {}
        for post in self.double.posts():
            answers.setdefault(post.get("message_reference", {}).get("message_id"), []).append(post["content"])
        for message in asked:
            self.assertLessEqual(len(answers.get(message, [])), 1)
        self.assertLess(self.memory(program), before + 64 * 1024)

    def memory(self, program):
        """Resident memory in KiB."""
        with open(f"/proc/{program.process.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1])


STRANGER = "220000000000000009"
OPERATOR = "220000000000000007"
ROLE = "550000000000000005"


class Access(OnDiscord):
    """Who may do what: a named operator, a role that is one, and everybody else."""

    def access(self):
        return f'access:\n  operator:\n    discord: ["{OPERATOR}"]\n    discord_roles: ["{ROLE}"]\n'

    def answer(self, text, **more):
        return super().answer(text, **{"author": OPERATOR, **more})

    def test_a_stranger_is_refused_and_the_service_lives(self):
        program = self.connect()
        pid = self.pid("echo")
        # The name of somebody who may, and roles that a person can only claim, change nothing.
        said = self.answer("!stop echo", author=STRANGER, name="operator",
                           extra={"roles": [ROLE], "member": {"roles": ["550000000000000006"]}})
        self.assertTrue(said.startswith("Not allowed: `stop` needs the role **operator**; you have none here."), said)
        self.assertIn(STRANGER, said)
        self.assertTrue(alive(pid))
        self.assertEqual(self.pid("echo"), pid)
        wait_for(lambda: f'actor="{STRANGER}"' in program.stderr() and "command refused: needs operator, has none"
                 in program.stderr(), "the refusal in the log")
        self.assertTrue(self.answer("!help", author=STRANGER).startswith("Not allowed: "))

    def test_a_named_operator_and_a_holder_of_the_role_succeed(self):
        self.connect()
        pid = self.pid("echo")
        self.assertEqual(self.answer("!stop echo"), "**echo**: stopped")
        self.assertFalse(alive(pid))
        said = self.answer("!start echo", author=STRANGER, extra={"member": {"roles": ["1", ROLE]}})
        self.assertIn("**echo**: started", said)

    def test_admin_commands_need_an_admin(self):
        self.connect()
        pid = self.pid("echo")
        said = self.answer("!stop-all")
        self.assertTrue(said.startswith("Not allowed: `stop-all` needs the role **admin**; you are an operator"), said)
        self.assertTrue(alive(pid))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
