"""Mattermost behind a bad network: while faults of every kind go on, people give 200 commands and a forge pushes 200 times.
Every command that was said is answered exactly once, every push is told exactly once and in order, and all of it is there
within a minute after the faults have stopped.

A few seeds by default; SHIPMATE_FAULT_SEEDS names their number (100 is the full form) or a range (40-50), SHIPMATE_FAULT_JOBS
how many run side by side.
"""

import concurrent.futures
import hashlib
import os
import random
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_mattermost import CHANNEL, FakeMattermost, text_of  # noqa: E402
from forge import SECRET, Forge, free_port, push  # noqa: E402
from harness import Home, Program, wait_for  # noqa: E402
from mattermost_faults import Faults  # noqa: E402

STEPS = int(os.environ.get("SHIPMATE_FAULT_STEPS", "200"))
BACK_WITHIN = 60.0


def seeds():
    wanted = os.environ.get("SHIPMATE_FAULT_SEEDS", "3")
    first, _, last = wanted.rpartition("-")
    return range(int(first or 1), int(last) + 1)


def commit_of(seed, step):
    return hashlib.sha1(f"{seed}/{step}".encode()).hexdigest()


class World:
    """One program, one double, one seed."""

    def __init__(self, seed):
        self.seed, self.random = seed, random.Random(f"steps {seed}")
        self.double, self.home = FakeMattermost(), Home()
        port = free_port()
        (self.home.path / "config.yaml").write_text(
            f"mattermost:\n  url: {self.double.url}\n  ca_file: {self.double.ca}\n"
            f"  channels:\n    - {{name: deploys, team: ops, notices: [webhook]}}\n"
            f"webhook:\n  listen: 127.0.0.1:{port}\n", encoding="utf-8")
        self.home.service("app", f"dir: {self.home.path}\ntype: none\nrepo: acme/app\nbranch: main\ndeploy: ['true']\n")
        self.program = Program(self.home, interactive=False, environment={
            "MATTERMOST_TOKEN": "test-token", "GITHUB_WEBHOOK_SECRET": SECRET})
        self.forge = Forge(port)
        self.commands, self.commits = [], []

    def close(self):
        self.program.close()
        self.home.remove()
        self.double.close()

    def step(self, step):
        self.commands.append(self.double.say("!count"))
        commit = commit_of(self.seed, step)
        status, _ = self.forge.post(push(commit=commit), headers={"X-GitHub-Delivery": commit})
        if status == 200:
            self.commits.append(commit[:7])
        time.sleep(self.random.uniform(0, 0.08))

    def answers(self):
        count = dict.fromkeys(self.commands, 0)
        for post in self.double.posts(CHANNEL):
            if post["root_id"] in count:
                count[post["root_id"]] += 1
        return count

    def told(self):
        """The commits that were told, in the order in which a reader of the channel meets them."""
        order = []
        for post in self.double.posts(CHANNEL):
            if post["root_id"]:
                continue
            found = re.findall(r"acme/app@([0-9a-f]{7})", text_of(post).replace("\u200b", "").replace("\\", ""))
            # Many at once are one post, the newest first.
            order += found[::-1] if "notices at once" in text_of(post) else found
        return order

    def problems(self):
        answers, told = self.answers(), self.told()
        wrong = {count: sum(1 for c in answers.values() if c == count) for count in set(answers.values()) - {1}}
        found = []
        if wrong:
            found.append(f"answers a command, and how often: {wrong}")
        if told != self.commits:
            missing = [c for c in self.commits if c not in told]
            twice = sorted({c for c in told if told.count(c) > 1})
            found.append(f"announcements missing: {missing}, twice: {twice}, else out of order: {len(told)} told")
        return found

    def run(self):
        self.double.wait_connected()
        wait_for(lambda: self._reachable(), "the receiver of pushes")
        faults = Faults(self.double, self.seed)
        faults.start()
        try:
            for step in range(STEPS):
                self.step(step)
        finally:
            faults.stop()
        stopped = time.monotonic()
        last = self.double.say("!count")
        self.commands.append(last)
        while self.problems() and time.monotonic() - stopped < BACK_WITHIN:
            time.sleep(0.1)
        took = time.monotonic() - stopped
        # What should not come any more gets a moment to come all the same.
        time.sleep(0.5)
        problems = self.problems()
        if len(self.commits) != STEPS:
            problems.append(f"only {len(self.commits)} pushes were taken")
        if self.program.process.poll() is not None:
            problems.append(f"the program ended with {self.program.process.returncode}")
        log = self.program.stderr() if problems else ""
        return {"seed": self.seed, "problems": problems, "back_after": took, "faults": faults.counts, "log": log}

    def _reachable(self):
        try:
            return self.forge.post(b"{}", event="ping")[0] in (200, 400)
        except OSError:
            return False


def run_seed(seed):
    world = World(seed)
    try:
        return world.run()
    finally:
        world.close()


class RandomFaults(unittest.TestCase):
    def test_every_command_is_answered_once_and_every_push_told_once_in_order(self):
        results = []
        with concurrent.futures.ProcessPoolExecutor(int(os.environ.get("SHIPMATE_FAULT_JOBS", "2"))) as pool:
            for result in pool.map(run_seed, seeds()):
                results.append(result)
                print(f"seed {result['seed']}: back after {result['back_after']:.1f} s, "
                      f"{sum(result['faults'].values())} faults, {result['problems'] or 'all is well'}", flush=True)
                if result["problems"]:
                    print(result["log"][-6000:], flush=True)
        self.assertTrue(results)
        self.assertEqual([(r["seed"], r["problems"]) for r in results if r["problems"]], [])
        # The dice must have fallen on every kind of fault, or the test is not what it says.
        if len(results) >= 10:
            self.assertGreaterEqual(len(set().union(*(r["faults"] for r in results))), 20)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
