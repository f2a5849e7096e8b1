"""Signals to the program while it is busy: a second one forces the end, and none waits for what takes long."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import E2ETest, alive, wait_for  # noqa: E402

STUBBORN = "trap '' TERM; while :; do sleep 0.1; done"  # beside it there is its sleep


class SignalsTest(E2ETest):
    config = "stop_on_exit: true\n"

    def running(self, name, command, extra=""):
        self.home.process(name, command, extra)
        program = self.start()
        return program, wait_for(lambda: self.pid_of(program, name), f"{name} to run")

    def test_a_second_signal_forces_the_end(self):
        program, pid = self.running("web", STUBBORN, "stop_timeout: 10m\n")
        program.signal(signal.SIGTERM)
        wait_for(lambda: "stopping every process service" in program.stderr(), "the first signal to be heard")
        self.assertIsNone(program.process.poll())
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 1)
        self.assertIn("shipmate: second signal: ending at once; services go on running", program.stderr())
        # What was begun is ended by the next one: the stop, and then what is wanted is up again.
        self.assertTrue(alive(pid))
        (self.home.path / "config.yaml").write_text("{}\n", encoding="utf-8")
        again = self.start()
        self.assertEqual(wait_for(lambda: self.pid_of(again, "web"), "web to be taken over"), pid)
        self.assertEqual(again.end(), 0, again.stderr())
        self.assertIn(pid, self.home.processes())
        self.assertEqual(len(set(self.home.processes().values())), 1)

    def test_the_end_does_not_wait_for_a_reload(self):
        (self.home.path / "config.yaml").write_text("{}\n", encoding="utf-8")
        self.home.process("stays", "exec sleep 100000")
        program, pid = self.running("goes", STUBBORN, "stop_timeout: 10m\n")
        (self.home.path / "services" / "goes.yaml").unlink()
        program.signal(signal.SIGHUP)
        wait_for(lambda: "1 removed" in program.stderr(), "the reload to begin")
        began = time.monotonic()
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0, program.stderr())
        self.assertLess(time.monotonic() - began, 50)
        self.assertTrue(alive(pid))
        self.assertIn("Shipmate ended.", program.output)
        again = self.start()
        wait_for(lambda: "goes: is no longer configured: stopping it" in again.stderr(), "the stop to be taken up again")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not (self.home.path / "state" / "goes.json").exists(), "its record to go")
        self.assertEqual(again.end(), 0, again.stderr())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
