"""The program replaces itself: the same process, the same children, the same lock; and what may go wrong on the way."""

import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_discord import CHANNEL, GUILD, OTHER_CHANNEL, FakeDiscord  # noqa: E402
from harness import BINARY, LIMIT, E2ETest, alive, environment_of, stat_fields, wait_for  # noqa: E402

TOKEN = "test-token"
SELF = "dir: {home}/work\ntype: none\nself_deploy: true\ndeploy:\n  - {step}\n"
# Says what a good program says, and cannot be executed any more after that.
VANISHES = '''#!/bin/sh
case "$*" in
  *--version*) echo "shipmate 99" ;;
  *--check-config*) chmod 0 "$0"; echo good ;;
esac
'''


class SelfDeploy(E2ETest):
    def setUp(self):
        super().setUp()
        self.double = FakeDiscord()
        self.addCleanup(self.double.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  guild_id: "{GUILD}"\n  channels:\n  - id: "{CHANNEL}"\n  - id: "{OTHER_CHANNEL}"\n'
            f"    services: [nothing]\n  api_url: {self.double.api_url}\n  ca_file: {self.double.ca}\n", encoding="utf-8")
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done")
        self.home.process("other", "exec sleep 1000")
        self.home.service("ship", SELF.format(home=self.home.path, step="sh ./install"))
        self.binary = self.home.path / "bin" / "shipmate"
        self.binary.parent.mkdir()
        self.install(BINARY)

    def install(self, program):
        """Puts `program` at the path the program is started by, as an installer does: the running file is not written."""
        shutil.copy(program, self.binary.with_suffix(".new"))
        self.binary.with_suffix(".new").rename(self.binary)

    def deploys(self, script):
        (self.home.path / "work" / "install").write_text(script, encoding="utf-8")

    def deploys_the_same(self):
        self.deploys(f"cp {BINARY} {self.binary}.new && mv {self.binary}.new {self.binary}\n")

    def deploys_text(self, text):
        (self.home.path / "work" / "program").write_text(text, encoding="utf-8")
        self.deploys(f"cp program {self.binary}.new && chmod 755 {self.binary}.new && mv {self.binary}.new {self.binary}\n")

    def connect(self, **options):
        program = self.start(interactive=options.pop("interactive", False), binary=self.binary,
                             environment={"DISCORD_TOKEN": TOKEN}, **options)
        self.double.wait_session()
        self.services = wait_for(lambda: len(self.leaders()) == 2 and self.leaders(), "the services")
        return program

    def leaders(self):
        """The processes that were started as services: what they start themselves comes and goes."""
        return {pid for pid in self.home.processes() if (stat_fields(pid) or (0, 0, 0))[2] == pid}

    def said(self, text, channel=CHANNEL):
        return [post["content"] for post in self.double.posts(channel) if text in post["content"]]

    def wait_said(self, text, times=1):
        return self.double.wait(lambda: len(self.said(text)) >= times and self.said(text), f"{text!r} {times} times")

    def answer(self, text):
        message = self.double.say(text)
        return self.double.wait(lambda: self.double.replies_to(message), f"an answer to {text!r}")[0]["content"]

    def check_unharmed(self, program):
        self.assertIsNone(program.process.poll())
        self.assertEqual(self.leaders(), self.services)
        self.assertIn("running", self.answer("!status other"))
        second = subprocess.run([BINARY, "--config", str(self.home.path / "config.yaml"), "--env", ""], text=True,
                                capture_output=True, timeout=LIMIT, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, rf"in use by another shipmate \(pid {program.process.pid}\)")

    def test_a_deploy_renews_the_program_in_its_process(self):
        self.deploys_the_same()
        program = self.connect()
        pid = program.process.pid
        began = os.readlink(f"/proc/{pid}/exe")
        descriptors = []
        for times in (1, 2):
            self.answer("!deploy ship")
            news = self.wait_said("back online", times)
            self.assertRegex(news[-1], r"version [\d.]+ \(before: [\d.]+\); 2 services adopted in \d+ ms")
            self.double.wait_session()
            self.check_unharmed(program)
            descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))
            environment = environment_of(pid)
            self.assertNotIn(b"SHIPMATE_HANDOVER", environment_of(next(iter(self.services))))
            self.assertNotIn(TOKEN.encode(), b"".join(environment.values()))
        self.assertEqual(began, str(self.binary))
        self.assertEqual(os.readlink(f"/proc/{pid}/exe"), str(self.binary))
        self.assertEqual(descriptors[0], descriptors[1])
        self.assertEqual(len(self.said("back online")), 2)
        # A channel that hears of no service hears this all the same.
        self.double.wait(lambda: len(self.said("back online", OTHER_CHANNEL)) == 2, "the news in the other channel")
        # A child of before is still ours: its end is seen, with its status.
        pid_of_other = int(re.search(r"pid:? (\d+)", self.answer("!status other"))[1])
        os.kill(pid_of_other, signal.SIGKILL)
        self.wait_said("killed by SIGKILL")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)

    def test_a_program_that_does_not_check_out_changes_nothing(self):
        self.deploys_text("#!/bin/sh\necho broken >&2\nexit 3\n")
        program = self.connect()
        self.answer("!deploy ship")
        news = self.wait_said("the new program was not started")
        self.assertRegex(news[0], r"exited with status 3.*broken")
        self.check_unharmed(program)
        # One that says yes to everything is no Shipmate.
        self.deploys_text("#!/bin/sh\nexit 0\n")
        self.answer("!deploy ship")
        self.assertIn("is not what Shipmate says", self.wait_said("the new program was not started", 2)[1])
        # The right program, but not with this configuration.
        self.deploys_the_same()
        self.home.service("odd", "procss: 1\n")
        self.answer("!deploy ship")
        self.assertIn("unknown key", self.wait_said("the new program was not started", 3)[2])
        self.check_unharmed_and_mends(program)

    def check_unharmed_and_mends(self, program):
        (self.home.path / "services" / "odd.yaml").unlink(missing_ok=True)
        self.deploys_the_same()
        self.answer("!deploy ship")
        self.wait_said("back online")
        self.double.wait_session()
        self.check_unharmed(program)

    def test_a_program_that_cannot_be_executed_after_all(self):
        self.deploys_text(VANISHES)
        program = self.connect()
        self.answer("!deploy ship")
        news = self.wait_said("the new program was not started")
        self.assertRegex(news[0], r"exec .*/bin/shipmate: [Pp]ermission denied")
        self.double.wait_session()
        self.check_unharmed(program)
        self.assertEqual(self.said("back online"), [])
        self.check_unharmed_and_mends(program)

    def test_two_at_once(self):
        self.deploys_the_same()
        self.home.service("ship2", SELF.format(home=self.home.path, step="sleep 1"))
        program = self.connect()
        for _ in range(2):
            self.double.say("!deploy ship")
            self.double.say("!deploy ship2")
        self.wait_said("back online")
        self.double.wait_session()
        self.check_unharmed(program)

    def test_the_console_goes_on(self):
        self.deploys_the_same()
        program = self.connect(interactive=True)
        program.ask("deploy ship", "requested")
        self.wait_said("back online")
        self.assertRegex(program.ask("status other", "pid"), "running")
        self.assertEqual(program.end(), 0)


class StopOnExit(E2ETest):
    config = "stop_on_exit: true\n"

    def test_services_end_with_the_program_and_come_back_with_it(self):
        self.home.process("echo", "while :; do echo tick; sleep 0.2; done")
        self.home.process("held", "exec sleep 1000")
        program = self.start()
        wait_for(lambda: self.pid_of(program, "echo") and self.pid_of(program, "held"), "both to run")
        program.ask("stop held", "stopped")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
        self.assertEqual(self.home.processes(), {})
        self.assertIn("No service process is running", program.output)
        again = self.start()
        self.assertTrue(alive(wait_for(lambda: self.pid_of(again, "echo"), "echo to come back")))
        self.assertIsNone(self.pid_of(again, "held"))
        self.assertEqual(again.end(), 0)
        self.assertEqual(self.home.processes(), {})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
