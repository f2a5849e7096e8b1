"""Deploys on the built program, with real repositories: a bare one as the forge, a clone of it as the service's
directory. What is announced is what is deployed; what fails leaves the version before at work."""

import os
import re
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_discord import CHANNEL, FakeDiscord  # noqa: E402
from forge import SECRET, Forge, free_port, push  # noqa: E402
from harness import E2ETest, alive, wait_for  # noqa: E402

SERVE = """#!/bin/sh
[ -e broken ] && exit 7
while :; do echo serving $(cat version); sleep 0.2; done
"""

GIT_ENV = {**os.environ, "GIT_AUTHOR_NAME": "bob", "GIT_AUTHOR_EMAIL": "bob@example.com",
           "GIT_COMMITTER_NAME": "bob", "GIT_COMMITTER_EMAIL": "bob@example.com", "GIT_CONFIG_GLOBAL": "/dev/null"}


class Deploys(E2ETest):
    def setUp(self):
        super().setUp()
        self.forge = self.home.path / "forge.git"
        self.desk = self.home.path / "desk"
        self.work = self.home.path / "app"
        self.git("init", "-q", "--bare", "-b", "main", str(self.forge), at=self.home.path)
        self.git("clone", "-q", str(self.forge), str(self.desk), at=self.home.path)
        self.git("checkout", "-q", "-B", "main", at=self.desk)
        (self.desk / "serve.sh").write_text(SERVE, encoding="utf-8")
        self.first = self.push("one")
        self.git("clone", "-q", str(self.forge), str(self.work), at=self.home.path)

    def join(self, more=""):
        """The program with a channel of the Discord double."""
        self.double = FakeDiscord()
        self.addCleanup(self.double.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {self.double.api_url}\n  ca_file: {self.double.ca}\n{more}',
            encoding="utf-8")
        self.double.control("settings", bucket_limit=1000)
        program = self.start(environment={"DISCORD_TOKEN": "test-token", "GITHUB_WEBHOOK_SECRET": SECRET})
        self.double.wait_session()
        return program

    def said(self, pattern):
        """What was said in the channel, once something fits `pattern`."""
        def found():
            return [m["content"] for m in self.double.posts() if re.search(pattern, m["content"])]
        self.double.wait(found, f"a post like {pattern!r}")
        return found()

    def git(self, *arguments, at):
        done = subprocess.run(["git", *arguments], cwd=at, env=GIT_ENV, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def push(self, version, broken=False):
        """A commit on the forge; its id."""
        (self.desk / "version").write_text(version + "\n", encoding="utf-8")
        (self.desk / "broken").unlink(missing_ok=True)
        if broken:
            (self.desk / "broken").touch()
        self.git("add", "-A", at=self.desk)
        self.git("commit", "-q", "-m", f"version {version}", at=self.desk)
        self.git("push", "-q", "origin", "main", at=self.desk)
        return self.git("rev-parse", "HEAD", at=self.desk)

    def app(self, steps, extra=""):
        lines = "".join(f"  - '{step}'\n" for step in steps)
        self.home.service("app", f"dir: {self.work}\nrepo: acme/app\nbranch: main\n"
                                 f"process:\n  cmd: exec sh serve.sh\ndeploy:\n{lines}{extra}")

    def deployed(self):
        return self.git("rev-parse", "HEAD", at=self.work)

    def serving(self, program, version):
        wait_for(lambda: f"serving {version}" in program.ask("logs app 3", r"(?s)app.*\n|no logs"),
                 f"version {version} to serve")

    PULL = ["git fetch -q origin", "git checkout -q --detach $SHIPMATE_COMMIT"]

    def test_what_was_announced_is_confirmed_deployed_and_recorded(self):
        # Announced in the channel, answered there.
        self.app([*self.PULL, "echo $SHIPMATE_SERVICE $SHIPMATE_BRANCH $SHIPMATE_DEPLOY_ID $CI token=$MY_TOKEN"],
                 "confirm: always\nenv:\n  MY_TOKEN: tops3cret-value\n")
        second = self.push("two")
        program = self.join()
        self.serving(program, "one")
        program.ask("deploy app", "waits for a confirmation")
        self.assertIn(second[:7], self.said(r"Deploy of \*\*app\*\* waits for a confirmation")[0])
        pending = program.ask("pending", r"app +[0-9a-f]{7}")
        self.assertIn(second[:7], pending)
        # The question outlives the program.
        program.end()
        program = self.start(environment={"DISCORD_TOKEN": "test-token"})
        self.double.wait_session()
        program.ask(f"confirm app {self.first[:7]}", "is not what waits")
        asked = self.double.say(f"!confirm app {second[:7]}")
        self.double.wait(lambda: self.double.replies_to(asked), "the answer")
        self.assertIn("Confirmed deploy for **app**", self.double.replies_to(asked)[0]["content"])
        self.assertIn(second[:7], self.said(r"Deploy of \*\*app\*\* succeeded")[0])
        wait_for(lambda: "success" in self.home.state("app").get("last_result", ""), "the deploy")
        self.assertEqual(self.deployed(), second)
        self.serving(program, "two")
        history = program.ask("history app", r"#\d+ ")
        self.assertIn(second[:7], history)
        self.assertIn("version two", history)
        number = re.search(r"#(\d+) ", history)[1]
        log = program.ask(f"deploy-log {number}", "CI|app main")
        self.assertRegex(log, rf"app main {number} true token=\*\*\*")
        self.assertNotIn("tops3cret", log)

    def test_a_signed_push_is_announced_confirmed_in_the_channel_and_deployed_once(self):
        self.app(self.PULL, "confirm: webhook\n")
        port = free_port()
        program = self.join(f"webhook:\n  listen: 127.0.0.1:{port}\n")
        self.serving(program, "one")
        second = self.push("two")
        payload = push(commit=second, before=self.first)
        forge = wait_for(lambda: self.reachable(port) and Forge(port), "the port to be open")
        status, body = forge.post(payload)
        self.assertEqual((status, body["services"][0]["decision"]), (200, "awaits confirmation"))
        self.assertIn(f"!confirm app {second[:7]}", self.said(r"waits for a confirmation")[0])
        self.assertEqual(forge.post(payload)[1]["services"][0]["decision"], "replay")
        self.double.say(f"!confirm app {second[:7]}")
        self.said(r"Deploy of \*\*app\*\* succeeded")
        self.assertEqual(self.deployed(), second)
        self.serving(program, "two")
        self.assertEqual(forge.post(payload)[1]["services"][0]["decision"], "replay")
        self.assertIn(second[:7], program.ask("history app", r"#\d+ "))
        # One deploy, one notice of its success, and none of the restart that belongs to it.
        self.assertEqual(len(self.said("succeeded")), 1)
        self.assertEqual([m["content"] for m in self.double.posts() if "restarted" in m["content"]], [])

    @staticmethod
    def reachable(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def test_a_branch_that_moved_since_is_not_deployed(self):
        self.app(self.PULL, "confirm: always\n")
        self.push("two")
        program = self.start()
        program.ask("deploy app", "waits for a confirmation")
        third = self.push("three")
        program.ask("confirm app", "Confirmed")
        wait_for(lambda: "main has moved" in program.ask("why app", "decided"), "the refusal")
        self.assertIn(third[:7], program.ask("why app", "moved"))
        self.assertEqual(self.deployed(), self.first)

    def test_a_bad_build_leaves_the_version_before_serving(self):
        self.app([*self.PULL, "echo compiling; echo no such header; exit 2"],
                 "rollback:\n  - 'git checkout -q --detach $SHIPMATE_COMMIT'\nauto_rollback: true\n")
        program = self.join()
        self.serving(program, "one")
        pid = self.pid_of(program, "app")
        self.push("two")
        program.ask("deploy app", "requested")
        told = self.said(r"(?s)Deploy of \*\*app\*\* failed at step.*exit status 2")
        self.assertEqual(len(told), 1)
        self.assertIn("no such header", told[0])
        self.assertIn("runs on", told[0])
        self.assertEqual(self.pid_of(program, "app"), pid)
        self.assertEqual(self.deployed(), self.first)
        program.ask("history app", r"failed at .?echo compiling")

    def test_a_new_version_that_does_not_stay_up_is_rolled_back(self):
        self.app(self.PULL, "rollback:\n  - 'git checkout -q --detach $SHIPMATE_COMMIT'\nauto_rollback: true\n")
        program = self.join()
        self.serving(program, "one")
        bad = self.push("two", broken=True)
        program.ask("deploy app", "requested")
        told = self.said(r"(?s)Deploy of \*\*app\*\* failed at step.*exited with status 7")
        self.assertIn(f"Rolled back: {self.first[:7]} runs again", told[0])
        self.assertEqual(self.deployed(), self.first)
        wait_for(lambda: "app running" in program.ask("status", r"app \w+"), "the old version")
        self.assertIn(bad[:7], program.ask("history app", r"#\d+ "))

    def test_a_person_goes_back_and_pushes_are_frozen(self):
        self.app(self.PULL)
        program = self.start()
        for version in ("two", "three"):
            last = self.push(version)
            program.ask("deploy app", "requested")
            wait_for(lambda last=last: f"of {last[:7]} (main): succeeded" in program.ask("why app", "decided"),
                     f"version {version}")
            self.assertEqual(self.deployed(), last)
            self.serving(program, version)
        program.ask("rollback app", "going back to")
        self.serving(program, "two")
        program.ask("deploy app", "frozen by")
        program.ask("unfreeze app", "Deploys again")
        program.ask("deploy app", "requested")
        self.serving(program, "three")

    def test_a_killed_program_says_where_the_deploy_was_cut_off(self):
        self.app(["true", "env -i sh -c \"echo \\$\\$ > step.pid; exec sleep 600\"", "true"])
        program = self.start()
        program.ask("deploy app", "requested")
        pid = int(wait_for(lambda: (self.work / "step.pid").exists() and
                           (self.work / "step.pid").read_text(encoding="utf-8").strip(), "the step"))
        wait_for(lambda: self.home.state("app").get("step_process", {}).get("pid") and
                 self.home.state("app").get("deploy_step") == 2, "the step to be on record")
        program.kill()
        self.assertTrue(alive(pid))
        again = self.join()
        self.said(r"Deploy of \*\*app\*\* was interrupted at step 2 of 3")
        wait_for(lambda: not alive(pid), "the step to be ended")
        again.ask("history app", "interrupted")
        again.ask("deploy app", "requested")
        again.ask("cancel app", "Cancelling|no deploy")

    def test_cancel_ends_the_whole_group_at_once(self):
        self.app(["echo $$ > step.pid; sleep 600 & sleep 600"])
        program = self.join()
        program.ask("deploy app", "requested")
        pid = int(wait_for(lambda: (self.work / "step.pid").exists() and
                           (self.work / "step.pid").read_text(encoding="utf-8").strip(), "the step"))
        program.ask("cancel app", "Cancelling")
        self.said(r"Deploy of \*\*app\*\* \(\w{7}\) was cancelled at step 1 of 1")
        self.assertFalse(alive(pid))
        os_left = [p for p in os.listdir("/proc") if p.isdigit() and self.session(p) == pid]
        self.assertEqual(os_left, [])

    @staticmethod
    def session(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except OSError:
            return 0
        return int(fields[3]) if fields[0] not in "ZX" else 0


if __name__ == "__main__":
    signal.alarm(800)
    unittest.main(verbosity=2)
