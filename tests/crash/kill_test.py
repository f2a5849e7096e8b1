"""kill -9 of the program at random moments of start, stop and restart: no service is ever run twice or forgotten.

Each round drives changes through the console, kills the program at a random moment, starts it again and then compares
what it says with what /proc shows. The seed is printed, and may be given by SHIPMATE_SEED.
"""

import os
import random
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import E2ETest, stat_fields, wait_for  # noqa: E402

ROUNDS = int(os.environ.get("SHIPMATE_CRASH_ROUNDS", "50"))
SERVICES = ["one", "two", "three"]


class KillNine(E2ETest):
    def leaders(self):
        """{service: [pid of each living process group leader that is marked as it]}."""
        found = {name: [] for name in SERVICES}
        for pid, mark in self.home.processes().items():
            fields = stat_fields(pid)
            if fields and fields[2] == pid:
                found[mark.split("/")[1]].append(pid)
        return found

    def marked(self):
        found = {name: set() for name in SERVICES}
        for pid, mark in self.home.processes().items():
            found[mark.split("/")[1]].add(pid)
        return found

    def drive(self, program, random_source, stop):
        try:
            while not stop.is_set():
                program.send(f"{random_source.choice(['start', 'stop', 'restart'])} {random_source.choice(SERVICES)}")
                time.sleep(random_source.uniform(0, 0.02))
        except (OSError, ValueError):
            pass

    def test_every_service_is_adopted_or_correctly_reported(self):
        seed = int(os.environ.get("SHIPMATE_SEED", str(random.randrange(1 << 32))))
        print(f"SHIPMATE_SEED={seed}", file=sys.stderr)
        source = random.Random(seed)
        self.home.process("one", "exec sleep 1000")
        self.home.process("two", "sleep 1000 & wait")
        self.home.process("three", "trap '' TERM; while :; do sleep 0.1; done", "stop_timeout: 100ms\n")
        for number in range(ROUNDS):
            program = self.start()
            wait_for(lambda: "one" in program.ask("list"), "the console to answer")
            stop = threading.Event()
            driver = threading.Thread(target=self.drive, args=(program, source, stop))
            driver.start()
            time.sleep(source.uniform(0, 0.6))
            program.kill()
            stop.set()
            driver.join()
            program.close()

            again = self.start()
            wait_for(lambda: "one" in again.ask("list"), "the console to answer")
            for name in SERVICES:
                with self.subTest(round=number, service=name):
                    def settled(name=name):
                        said = again.ask(f"status {name}", r"running|stopped|failed|starting|stopping")
                        pids = self.leaders()[name]
                        match = re.search(r"pid:? (\d+)", said)
                        if match:
                            return pids == [int(match[1])]
                        return pids == [] and not self.marked()[name] and re.search("stopped|failed", said)
                    wait_for(settled, f"{name} to be one process, and said so (seed {seed}, round {number}): "
                                      f"{self.leaders()[name]}", 30)
            self.assertEqual(again.end(), 0, again.stderr())
            again.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
