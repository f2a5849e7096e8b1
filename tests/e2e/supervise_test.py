"""What follows when services crash, when the program or the machine is restarted, and what a person can do about it."""

import json
import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_discord import CHANNEL, FakeDiscord  # noqa: E402
from harness import E2ETest, alive, stat_fields, wait_for  # noqa: E402

# Crashes at once as long as a file says so.
FRAGILE = "while [ -e broken ]; do echo out of luck; exit 7; done; echo at work; exec sleep 1000"
QUICK = "backoff:\n  initial: 100ms\n  max: 300ms\nmin_uptime: 0s\nstart_limit:\n  count: 5\n  window: 60s\n"
PATIENT = "backoff:\n  initial: 1h\n  max: 1h\nmin_uptime: 0s\n"


class Supervise(E2ETest):
    def leaders(self):
        """{name: [pids]} of what was started as a service; not of what that started itself."""
        found = {}
        for pid, mark in self.home.processes().items():
            fields = stat_fields(pid)
            if fields is not None and fields[2] == pid:
                found.setdefault(mark.split("/")[1], []).append(pid)
        return found

    def running(self, name):
        """The pid of the one process of `name`; None when there is none."""
        pids = self.leaders().get(name, [])
        self.assertLessEqual(len(pids), 1, f"{name} runs twice")
        return pids[0] if pids else None

    def all_running(self, names):
        """{name: pid} once every one of `names` runs; never is one there twice."""
        leaders = self.leaders()
        self.assertTrue(all(len(pids) == 1 for pids in leaders.values()), leaders)
        return {name: pids[0] for name, pids in leaders.items()} if set(names) <= set(leaders) else None

    def wait_running(self, name):
        return wait_for(lambda: self.running(name), f"{name} to run")

    def wait_status(self, program, name, pattern):
        return wait_for(lambda: re.search(pattern, program.ask(f"status {name}")), f"{name} to be {pattern!r}")

    @property
    def broken(self):
        return self.home.path / "work" / "broken"

    def test_a_crash_loop_ends_in_failed_until_a_person_starts_it(self):
        self.home.process("web", FRAGILE, QUICK)
        program = self.start()
        pid = self.wait_running("web")
        self.broken.touch()
        os.kill(pid, signal.SIGKILL)
        self.wait_status(program, "web", r"failed: 5 crashes in 1m; start it with `?start web")
        log = program.stderr()
        self.assertIn("killed by SIGKILL", log)
        self.assertEqual(log.count("web: failed: 5 crashes in 1m"), 1)
        # It stays so, also through a restart of the program.
        program.end()
        program = self.start()
        self.wait_status(program, "web", "failed: 5 crashes")
        self.assertIsNone(self.running("web"))
        self.assertRegex(program.ask("start web", "start failed|started"), r"started|start failed: exited with status 7")
        self.broken.unlink()
        self.assertRegex(program.ask("restart web", "restarted"), r"restarted \(pid \d+\)")
        self.assertTrue(self.wait_running("web"))

    def test_a_start_that_does_not_stay_up_is_answered_with_the_reason(self):
        self.home.process("web", FRAGILE, "backoff:\n  initial: 1h\n  max: 1h\nmin_uptime: 30s\nautostart: false\n")
        self.broken.touch()
        program = self.start()
        said = program.ask("start web", "out of luck")
        self.assertRegex(said, r"start failed: exited with status 7 after \d+m?s; next try in \d+")
        self.wait_status(program, "web", r"backoff: next start in \d+\w* ?\w* \(1 crash\)")

    def test_a_stop_during_the_wait_cancels_it_and_a_start_acts_at_once(self):
        self.home.process("web", FRAGILE, PATIENT)
        program = self.start()
        for wish, after in (("start", "started"), ("restart", "restarted"), ("stop", "stopped")):
            pid = self.wait_running("web")
            os.kill(pid, signal.SIGKILL)
            self.wait_status(program, "web", r"backoff: next start in \d+m \(1 crash\)")
            wait_for(lambda: self.home.state("web")["status"] == "backoff", "the wait to be on record")
            self.assertRegex(program.ask(f"{wish} web", after), f"web.*: {after}")
        self.wait_status(program, "web", "stopped")
        self.assertEqual(self.home.state("web")["desired"], "down")
        self.assertIsNone(self.running("web"))

    def test_a_reboot_starts_what_was_up_and_not_what_was_stopped(self):
        for name in ("up", "down", "broken"):
            self.home.process(name, "exec sleep 1000")
        self.home.process("manual", "exec sleep 1000", "autostart: false\n")
        self.home.process("given-up", "exit 7", "restart: 'no'\nmin_uptime: 0s\n")
        program = self.start()
        pids = {name: self.wait_running(name) for name in ("up", "down", "broken")}
        self.wait_status(program, "given-up", "failed: exited with status 7")
        self.assertIsNone(self.running("manual"))
        pids["manual"] = int(re.search(r"started \(pid (\d+)", program.ask("start manual", "started"))[1])
        program.ask("stop down", "stopped")
        program.kill()
        for name in ("up", "broken", "manual"):
            os.kill(pids[name], signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids.values()), "the machine to go down")
        for name in ("up", "down", "broken", "manual", "given-up"):
            path = self.home.path / "state" / f"{name}.json"
            text = path.read_text(encoding="utf-8")
            boot = json.loads(text)
            for place in (boot, boot.get("backend", {})):
                for key in ("boot_id", "halt_boot"):
                    if key in place:
                        text = text.replace(place[key], "00000000-0000-0000-0000-000000000000")
            path.write_text(text, encoding="utf-8")
        self.home.process("given-up", "exec sleep 1000", "restart: 'no'\nmin_uptime: 0s\n")
        self.start()
        for name in ("up", "broken", "given-up"):
            self.assertNotEqual(self.wait_running(name), pids.get(name))
        self.assertIsNone(self.running("down"))
        self.assertIsNone(self.running("manual"))

    def test_forty_services_survive_the_program_and_three_that_did_not_are_dealt_with_once(self):
        names = [f"s{i:02}" for i in range(40)]
        ends = "while :; do for c in 0 1; do [ ! -e $1.$c ] || { rm $1.$c; exit $c; }; done; sleep 0.1; done"
        for name in names:
            self.home.process(name, f"set -- {name}; {ends}", "min_uptime: 0s\n")
        program = self.start(interactive=False)
        before = wait_for(lambda: self.all_running(names), "all forty")
        # All of them are on record before the program dies.
        wait_for(lambda: all("backend" in self.home.state(name) for name in names), "the records")
        program.kill()
        for code in (0, 1):
            (self.home.path / "work" / f"{names[code]}.{code}").touch()
        os.kill(before[names[2]], signal.SIGKILL)
        wait_for(lambda: not any(alive(before[name]) for name in names[:3]), "three to end")
        again = self.start(interactive=False)
        after = wait_for(lambda: self.all_running(names), "forty again")
        self.assertEqual({n: after[n] for n in names[3:]}, {n: before[n] for n in names[3:]})
        for name in names[:3]:
            self.assertNotEqual(after[name], before[name])
            wait_for(lambda name=name: f"{name}: ended while shipmate did not run" in again.stderr(), "the report")
        self.assertEqual(again.stderr().count("ended while shipmate did not run"), 3)
        self.assertEqual(len(self.all_running(names)), 40)
        # The end of an adopted one: status unknown, and started again.
        os.kill(after[names[5]], signal.SIGKILL)
        wait_for(lambda: self.running(names[5]) not in (None, after[names[5]]), "the adopted one to be replaced")
        wait_for(lambda: f"{names[5]}: exited (status unknown)" in again.stderr() or
                 f"{names[5]}: killed by SIGKILL" in again.stderr(), "its report")

    def test_on_failure_an_adopted_process_that_ends_counts_as_failed(self):
        self.home.process("web", "exec sleep 1000", "restart: on-failure\nmin_uptime: 0s\nbackoff:\n  initial: 0s\n")
        program = self.start()
        first = self.wait_running("web")
        wait_for(lambda: "backend" in self.home.state("web"), "the record")
        program.kill()
        self.start()
        self.assertEqual(self.wait_running("web"), first)
        os.kill(first, signal.SIGTERM)
        wait_for(lambda: self.running("web") not in (None, first), "its replacement")

    def test_a_job_that_is_done_is_not_started_again(self):
        self.home.process("job", "echo done", "restart: on-failure\nautostart: false\n")
        program = self.start()
        program.ask("start job", "started, and finished: exited with status 0")
        self.wait_status(program, "job", "finished")
        self.assertIsNone(self.running("job"))


class InChat(E2ETest):
    def test_a_loop_is_one_message_that_counts_and_tells_the_recovery(self):
        double = FakeDiscord()
        self.addCleanup(double.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {double.api_url}\n  ca_file: {double.ca}\n',
            encoding="utf-8")
        self.home.process("web", FRAGILE, "backoff:\n  initial: 300ms\n  max: 300ms\nmin_uptime: 0s\n"
                                          "start_limit:\n  count: 0\n")
        self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        double.wait_session()
        pid = wait_for(lambda: next(iter(self.home.processes()), None), "web to run")
        broken = self.home.path / "work" / "broken"
        broken.touch()
        os.kill(pid, signal.SIGKILL)

        def told(pattern):
            return [m["content"] for m in double.posts() if re.search(pattern, m["content"])]
        double.wait(lambda: told(r"\*\*web\*\*: 8 crashes, the last: exited with status 7"), "the eighth crash")
        broken.unlink()
        recovered = double.wait(lambda: told(r"\*\*web\*\*: running again"), "the recovery")
        self.assertRegex(recovered[0], r"\*\*web\*\*: running again after \d+ crashes, down for \d+m?s")
        crashes = int(re.search(r"after (\d+) crashes", recovered[0])[1])
        self.assertLess(crashes, 16 * 4)
        # The first crash, the count and the recovery are one message, edited in place.
        self.assertEqual([re.sub(r"\n.*", "", post["content"]) for post in double.posts()],
                         ["**web**: started", recovered[0].split("\n")[0]])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
