"""What machines do to a supervisor: clocks that jump, many crashes at once, trees of processes, descriptors."""

import os
import re
import signal
import sys
import time
import unittest

from harness import E2ETest, alive, stat_fields, wait_for

CLOCK = os.environ.get("SHIPMATE_CLOCK_STEP", "")
YEAR = 365 * 24 * 3600
DAY = 24 * 3600


class OnAMachine(E2ETest):
    def leaders(self, name=None):
        """The pids of what was started as a service."""
        found = []
        for pid, mark in self.home.processes().items():
            fields = stat_fields(pid)
            if fields is not None and fields[2] == pid and name in (None, mark.split("/")[1]):
                found.append(pid)
        return found

    def wait_one(self, name, but=None):
        def one():
            pids = self.leaders(name)
            self.assertLessEqual(len(pids), 1, f"{name} runs twice")
            return pids[0] if pids and pids[0] != but else None
        return wait_for(one, f"{name} to run")

    @unittest.skipUnless(CLOCK, "SHIPMATE_CLOCK_STEP names no library")
    def test_steps_of_the_wall_clock(self):
        step = self.home.path / "step"

        def set_clock(seconds):
            new = self.home.path / "step.new"
            new.write_text(str(seconds), encoding="utf-8")
            new.rename(step)
        set_clock(0)
        self.home.process("quiet", "exec sleep 1000", "min_uptime: 0s\n")
        self.home.process("web", "exec sleep 1000", "min_uptime: 3s\nautostart: false\n"
                                                    "backoff:\n  initial: 4s\n  max: 4s\n")
        program = self.start(environment={"LD_PRELOAD": CLOCK, "CLOCK_STEP": str(step),
                                          "ASAN_OPTIONS": "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")})
        quiet = self.wait_one("quiet")
        # Back by a year while a start waits whether its process stays up.
        began = time.monotonic()
        program.send("start web")
        pid = self.wait_one("web")
        set_clock(-YEAR)
        wait_for(lambda: re.search(r"web.*: started", program._read()), "the answer")
        took = time.monotonic() - began
        self.assertGreaterEqual(took, 2.5)
        self.assertLess(took, 40)
        self.assertNotRegex(program.ask("status web", "up for"), r"up for (-|\d+d|\d+h)")
        # On by a year and a day during the wait for the next start.
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_for(lambda: "backoff" in program.ask("status web"), "the wait")
        set_clock(DAY)
        self.assertRegex(program.ask("status web", "next start"), r"next start in [0-4]s")
        self.wait_one("web", but=pid)
        took = time.monotonic() - killed
        self.assertGreaterEqual(took, 1.5)
        self.assertLess(took, 40)
        # Nobody else has noticed.
        self.assertEqual(self.leaders("quiet"), [quiet])
        self.assertNotRegex(program.ask("status quiet", "up for"), r"up for (-|\d+d|\d+h)")
        set_clock(-YEAR)
        self.assertEqual(program.end(), 0)
        # What was recorded by one clock is found by another.
        again = self.start()
        self.assertEqual(self.pid_of(again, "quiet"), quiet)
        self.assertEqual(self.leaders("quiet"), [quiet])

    def test_two_hundred_crash_at_once(self):
        names = [f"s{i:03}" for i in range(200)]
        for name in names:
            self.home.process(name, "exec sleep 1000", "min_uptime: 0s\nbackoff:\n  initial: 200ms\n  max: 1s\n")
        program = self.start()
        wait_for(lambda: len(self.leaders()) == len(names), "two hundred services")
        # Each is on record, so the program is at rest.
        wait_for(lambda: all("backend" in self.home.state(name) for name in names), "the records")
        descriptors = len(os.listdir(f"/proc/{program.process.pid}/fd"))
        before = self.leaders()
        for pid in before:
            os.kill(pid, signal.SIGKILL)

        def all_anew():
            pids = self.leaders()
            self.assertLessEqual(len(pids), len(names))
            return len(pids) == len(names) and not set(pids) & set(before)
        wait_for(all_anew, "all to be started again")
        wait_for(lambda: f"{len(names)}/{len(names)} running" in program.ask("status", "running"), "all to be up")
        log = program.stderr()
        for name in names:
            self.assertEqual(log.count(f"{name}: killed by SIGKILL after"), 1, name)
        wait_for(lambda: len(os.listdir(f"/proc/{program.process.pid}/fd")) <= descriptors + 2, "descriptors to be closed")

    def test_nothing_of_a_tree_is_left_and_restarts_leave_one(self):
        tree = "sh -c 'trap : TERM; while :; do sleep 1; done' & (setsid sleep 986 &); wait"
        self.home.process("web", tree, "stop_timeout: 1s\nmin_uptime: 0s\n")
        program = self.start()
        wait_for(lambda: len(self.home.processes()) >= 3, "the tree")
        program.ask("stop web", r": stopped")
        self.assertEqual(self.home.processes(), {})
        for _ in range(3):
            program.ask("restart web", r": restarted")
        self.assertEqual(len(self.leaders("web")), 2, "the leader, and the one that left its session")
        program.ask("stop web", r": stopped")
        self.assertEqual(self.home.processes(), {})

    def test_services_hold_three_descriptors_and_the_next_program_gets_its_lock(self):
        for name in ("a", "b", "c"):
            self.home.process(name, "exec sleep 1000", "deploy:\n  - 'setsid sleep 985 >/dev/null 2>&1 &'\n")
        program = self.start()
        pids = [self.wait_one(name) for name in ("a", "b", "c")]
        for pid in pids:
            wait_for(lambda pid=pid: sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"], "its own descriptors")
        program.ask("deploy a", "requested")
        wait_for(lambda: self.home.state("a").get("last_result") == "success", "the deploy")
        program.kill()
        again = self.start()
        self.assertRegex(again.ask("status", "running"), "3/3 running")
        self.assertNotIn("in use", again.stderr())
        self.assertTrue(all(alive(pid) for pid in pids[1:]))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
