"""Nothing to do, nothing done: with silent services neither loop nor workers wake up at all.

Every time a thread waits and goes on, the kernel counts a voluntary context switch for it. What happens after a start
(a run proves itself, logs are looked at) is waited for; then a stretch of time must pass without a single one.
"""

import os
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import E2ETest, wait_for  # noqa: E402

QUIET = float(os.environ.get("SHIPMATE_QUIET_SECONDS", "20"))
# Silent for so long, and what follows a start is over.
SETTLED = 6


def switches(pid):
    """{thread name and id: voluntary context switches}."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text(encoding="utf-8")
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        found[f"{fields['Name']}/{task.name}"] = int(fields["voluntary_ctxt_switches"])
    return found


class QuietTest(E2ETest):
    def test_no_wake_up_while_nothing_happens(self):
        for name in ("one", "two", "three"):
            self.home.process(name, "echo up; exec sleep 100000")
        self.home.process("ended", "exit 0", "restart: 'no'\n")
        program = self.start()
        for name in ("one", "two", "three"):
            wait_for(lambda name=name: self.pid_of(program, name), f"{name} to run")
        last = [switches(program.process.pid), time.monotonic()]

        def settled():
            now = switches(program.process.pid)
            if now != last[0]:
                last[:] = [now, time.monotonic()]
            return time.monotonic() - last[1] > SETTLED

        wait_for(settled, "the program to settle", 120)
        before = switches(program.process.pid)
        time.sleep(QUIET)
        after = switches(program.process.pid)
        woken = {thread: after[thread] - before.get(thread, 0) for thread in after}
        # spdlog's writer looks at its queue every ten seconds, and has no setting for that (thread_pool-inl.h, 1.10).
        self.assertLessEqual(max(woken.values()), QUIET / 10 + 1, program.stderr())
        self.assertLessEqual(sum(count > 0 for count in woken.values()), 1, f"{woken}\n{program.stderr()}")
        self.assertEqual(woken[f"shipmate/{program.process.pid}"], 0, f"{woken}\n{program.stderr()}")
        self.assertIsNotNone(self.pid_of(program, "one"))
        self.assertEqual(program.end(), 0, program.stderr())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
