"""Services that run by a schedule, in the built program: what a missed run, a failure and the console show of it."""

import json
import os
import re
import sys
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import E2ETest, wait_for  # noqa: E402


class ScheduleTest(E2ETest):
    def add(self, name, command, when):
        self.home.process(name, command, f"schedule: \"{when}\"\ntimezone: UTC\n")

    def looked_at(self, name, ago):
        """The record of a Shipmate that ended so long ago."""
        then = datetime.now(timezone.utc) - ago
        state = self.home.path / "state"
        state.mkdir(exist_ok=True)
        text = json.dumps({"status": "stopped", "desired": "up", "scheduled": then.strftime("%Y-%m-%dT%H:%M:%SZ")})
        (state / f"{name}.json").write_text(text, encoding="utf-8")

    def done(self):
        path = Path(self.home.path / "work" / "done")
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def test_a_missed_run_is_made_up_for_once(self):
        self.add("job", "echo $$ >> done", "*/10 * * * *")
        self.looked_at("job", timedelta(hours=2))
        program = self.start()
        wait_for(self.done, "the job to have run")
        wait_for(lambda: re.search(r"next run at \d{4}-\d\d-\d\d \d\d:\d0 UTC", program.ask("status job", r"job.*\n")),
                 "the next run to be shown")
        self.assertRegex(program.stderr(), r"job: its run of .* UTC was missed, and is made up for now")
        self.assertEqual(program.end(), 0, program.stderr())
        self.assertEqual(len(self.done()), 1)
        again = self.start()
        again.ask("status job", "next run at")
        self.assertEqual(again.end(), 0, again.stderr())
        self.assertEqual(len(self.done()), 1)

    def test_a_job_is_not_started_at_start_up_but_by_its_name(self):
        self.add("job", "echo $$ >> done; exit 3", "0 3 1 1 *")
        program = self.start()
        self.assertIn("next run at", program.ask("status", r"job.*\n"))
        program.ask("start-all", r"\S.*\n")
        self.assertEqual(self.done(), [])
        self.assertRegex(program.ask("start job", r"job: .*\n"), "exited with status 3")
        self.assertEqual(len(self.done()), 1)
        self.assertRegex(program.ask("status job", r"(?s)job.*next run.*\n"), r"(?s)failed.*next run at \d{4}-01-01 03:00 UTC")
        program.ask("stop job", r"job: .*\n")
        self.assertRegex(program.ask("status job", r"(?s)job.*schedule.*\n"), "schedule rests")
        self.assertEqual(program.end(), 0, program.stderr())

    def test_what_is_no_schedule_is_told_with_its_place(self):
        self.add("job", "true", "0 25 * * *")
        program = self.start("--check-config", interactive=False)
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.stderr(), r'job\.yaml:\d+:\d+: schedule: the hour "25"')


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
