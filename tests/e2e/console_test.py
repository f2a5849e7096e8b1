"""The program with a console: the first five minutes, without any account."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

import harness
from harness import BINARY, E2ETest, alive, wait_for

ECHO = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.2; done"


class Console(E2ETest):
    def setUp(self):
        super().setUp()
        self.home.process("echo", ECHO, "deploy:\n  - echo building\n  - echo done\n")
        self.home.process("crasher", "echo up; while [ ! -e crash ]; do sleep 0.1; done; rm crash; echo boom; exit 3")

    def test_commands_work_and_services_outlive_the_program(self):
        program = self.start()
        wait_for(lambda: len(self.home.processes()) >= 2, "both services to run")
        first = self.pid_of(program, "echo")
        self.assertTrue(alive(first))
        wait_for(lambda: "line 3" in program.ask("logs echo"), "the log to grow")
        self.assertRegex(program.ask("restart echo", "restarted"), r"echo.*restarted")
        second = self.pid_of(program, "echo")
        self.assertNotEqual(first, second)
        self.assertFalse(alive(first))
        self.assertRegex(program.ask("stop echo", "stopped"), r"echo.*stopped")
        self.assertFalse(alive(second))
        self.assertRegex(program.ask("stop echo", "already"), "already stopped")
        self.assertRegex(program.ask("start echo", "started"), r"echo.*started")
        self.assertRegex(program.ask("start echo", "already"), r"already running \(pid \d+")
        self.assertRegex(program.ask("deploy echo", "requested"), "Deploy requested for echo")
        wait_for(lambda: self.home.state("echo").get("last_result") == "success", "the deploy to succeed")
        third = wait_for(lambda: self.pid_of(program, "echo"), "echo to run again")
        other = self.pid_of(program, "crasher")
        self.assertEqual(program.end(), 0)
        self.assertIn("on running", program.output)
        self.assertIn(f"echo (pid {third})", program.output)
        self.assertTrue(alive(third))
        again = self.start()
        self.assertEqual(wait_for(lambda: self.pid_of(again, "echo"), "echo to be adopted"), third)
        self.assertEqual(self.pid_of(again, "crasher"), other)
        self.assertEqual(again.end(), 0)

    def test_a_crash_is_seen_and_told(self):
        program = self.start()
        pid = wait_for(lambda: self.pid_of(program, "crasher"), "crasher to run")
        (self.home.path / "work" / "crash").touch()
        wait_for(lambda: not alive(pid), "the crash")
        wait_for(lambda: "status 3" in program.ask("status crasher"), "the exit status to be shown")
        self.assertIn("boom", program.ask("logs crasher", "boom"))

    def test_a_stop_outlives_a_restart_of_the_program(self):
        program = self.start()
        wait_for(lambda: self.pid_of(program, "echo"), "echo to run")
        program.ask("stop echo", "stopped")
        program.end()
        again = self.start()
        wait_for(lambda: self.pid_of(again, "crasher"), "crasher to be adopted")
        self.assertIn("stopped", again.ask("status echo", "stopped"))
        self.assertIsNone(self.pid_of(again, "echo"))

    def test_sigterm_ends_it_cleanly_and_a_reader_may_stay(self):
        program = self.start()
        wait_for(lambda: self.pid_of(program, "echo"), "echo to run")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)

    def test_a_second_instance_is_refused_with_one_line(self):
        program = self.start()
        wait_for(lambda: self.pid_of(program, "echo"), "echo to run")
        other = self.home.path / "other"
        other.mkdir()
        (other / "services").mkdir()
        (other / "config.yaml").write_text(f"state_dir: {self.home.path}/state\n", encoding="utf-8")
        second = subprocess.run([BINARY, "--config", str(other / "config.yaml"), "--env", ""], capture_output=True,
                                text=True, timeout=harness.LIMIT, check=False)
        self.assertEqual(second.returncode, 1)
        self.assertEqual(len(second.stderr.strip().splitlines()), 1, second.stderr)
        self.assertRegex(second.stderr, rf"in use by another shipmate \(pid {program.process.pid}\)")
        self.assertTrue(self.pid_of(program, "echo"))

    def test_nonsense_is_answered_with_help(self):
        program = self.start()
        self.assertRegex(program.ask("restrat echo", "restart"), 'did you mean')
        self.assertRegex(program.ask("restart ecoh", "echo"), 'did you mean')
        self.assertRegex(program.ask("restart", "usage"), "usage: `restart <service>")
        self.assertRegex(program.ask("stop 0", "not found|no service"), "0")
        self.assertRegex(program.ask("status аpi", "u0430"), r"\\u0430pi")
        self.assertRegex(program.ask("logs ../../etc/passwd", "not found|no service"), "passwd")
        self.assertTrue(self.pid_of(program, "echo"))


class BadConfig(E2ETest):
    def test_every_problem_is_named_and_no_service_touched(self):
        (self.home.path / "config.yaml").write_text("dicsord:\n  channel_id: 1\n", encoding="utf-8")
        self.home.service("web", "procss:\n  cmd: sleep 60\n")
        program = self.start()
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.stderr(), r'config\.yaml:1:1: unknown key "dicsord" \(did you mean "discord"\?\)')
        self.assertFalse((self.home.path / "state").exists())

    def test_check_config_says_what_is_wrong_in_a_service(self):
        self.home.service("web", "procss:\n  cmd: sleep 60\n")
        program = self.start("--check-config")
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.stderr(), r'web\.yaml:1:1: unknown key "procss" \(did you mean "process"\?\)')


class Terminal(E2ETest):
    """The same on a terminal: a prompt, editing, completion, Ctrl-C."""

    def talk(self):
        self.home.process("echo", ECHO)
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [BINARY, "--config", str(self.home.path / "config.yaml"), "--env", "", "--interactive"], stdin=follower,
            stdout=follower, stderr=follower, start_new_session=True, cwd=self.home.path,
            env={**os.environ, "TERM": "xterm"},
            preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(follower)
        self.addCleanup(os.close, leader)
        self.addCleanup(lambda: (process.poll() is None and process.kill(), process.wait()))
        self.seen = ""

        def read():
            while select.select([leader], [], [], 0)[0]:
                try:
                    data = os.read(leader, 4096)
                except OSError:
                    break
                if not data:
                    break
                self.seen += data.decode(errors="replace")
            return self.seen

        def expect(pattern):
            wait_for(lambda: re.search(pattern, read()), f"{pattern!r} on the terminal; seen {self.seen[-400:]!r}")
            self.seen = ""

        return process, leader, expect

    def test_prompt_completion_and_ctrl_c(self):
        process, leader, expect = self.talk()
        expect("shipmate>")
        wait_for(self.home.processes, "echo to run")
        os.write(leader, b"stat\techo\r")
        expect(r"echo.*running|running.*echo|pid")
        os.write(leader, b"restart ec\t\r")
        expect("restarted")
        os.write(leader, b"\x03")
        expect("on running")
        wait_for(lambda: process.poll() is not None, "the program to end")
        self.assertEqual(process.returncode, 0)
        self.assertTrue(self.home.processes())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
