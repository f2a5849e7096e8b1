"""What a supervisor with deploys must never get wrong, each case on the built program."""

import json
import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
from fake_discord import CHANNEL, FakeDiscord  # noqa: E402
from forge import SECRET, Forge, free_port, push  # noqa: E402
from harness import E2ETest, alive, stat_fields, wait_for  # noqa: E402

TICK = "while :; do echo tick; sleep 0.2; done"


class Acceptance(E2ETest):
    def running(self, *names):
        wait_for(lambda: {m.split("/")[1] for m in self.home.processes().values()} >= set(names), f"{names} to run")

    def test_a_crash_is_told_once_however_often_one_looks(self):
        double = FakeDiscord()
        self.addCleanup(double.close)
        (self.home.path / "config.yaml").write_text(
            f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {double.api_url}\n  ca_file: {double.ca}\n',
            encoding="utf-8")
        double.control("settings", bucket_limit=1000)
        self.home.process("web", "while [ ! -e crash ]; do sleep 0.1; done; rm crash; exit 3")
        self.start(interactive=False, environment={"DISCORD_TOKEN": "test-token"})
        double.wait_session()
        self.running("web")
        (self.home.path / "work" / "crash").touch()

        def told():
            return [m for m in double.posts() if "exited with status 3" in m["content"] and
                    "message_reference" not in m]
        double.wait(told, "the notice")
        for _ in range(5):
            asked = double.say("!logs web")
            double.wait(lambda asked=asked: double.replies_to(asked), "the answer")
        self.assertEqual(len(told()), 1)

    def test_an_adopted_process_killed_and_restarted_at_once_is_tracked(self):
        self.home.process("web", "exec sleep 1000")
        first = self.start()
        self.running("web")
        first.end()
        again = self.start()
        pid = wait_for(lambda: self.pid_of(again, "web"), "the adoption")
        os.kill(pid, signal.SIGKILL)
        again.ask("restart web", "restarted")
        current = wait_for(lambda: self.pid_of(again, "web"), "the new process")
        wait_for(lambda: not alive(pid), "the old process to be gone")
        self.assertEqual(list(self.home.processes()), [current])
        again.ask("stop web", "stopped")
        self.assertFalse(alive(current))

    def test_a_stop_after_a_failed_deploy_outlives_the_program(self):
        self.home.process("web", TICK, "deploy:\n  - 'false'\n")
        program = self.start()
        self.running("web")
        program.ask("deploy web", "requested")
        wait_for(lambda: self.home.state("web").get("last_result") == "failed", "the deploy to fail")
        program.ask("stop web", "stopped")
        program.end()
        again = self.start()
        self.assertIn("stopped", again.ask("status web", "stopped"))
        self.assertEqual(self.home.processes(), {})
        self.assertEqual(self.home.state("web")["last_result"], "failed")

    def test_a_deploy_does_not_start_what_a_person_stopped(self):
        self.home.process("web", TICK, "deploy:\n  - echo built\n")
        program = self.start()
        self.running("web")
        program.ask("stop web", "stopped")
        program.ask("deploy web", "requested")
        wait_for(lambda: self.home.state("web").get("last_result") == "success", "the deploy")
        self.assertIn("stopped", program.ask("status web", "stopped"))
        self.assertEqual(self.home.processes(), {})

    def test_foreign_files_in_the_state_directory_are_left_alone(self):
        state = self.home.path / "state"
        state.mkdir()
        (state / "package.json").write_text('{"name": "x"}', encoding="utf-8")
        (state / "broken.json").write_text("{", encoding="utf-8")
        self.home.process("web", TICK)
        program = self.start()
        self.running("web")
        program.ask("reload", r"\S")
        program.end()
        self.assertEqual((state / "package.json").read_text(encoding="utf-8"), '{"name": "x"}')
        self.assertEqual((state / "broken.json").read_text(encoding="utf-8"), "{")

    def test_a_step_that_leaves_a_child_behind_ends_with_its_shell(self):
        self.home.process("web", TICK, "deploy:\n  - 'sleep 600 & echo left behind'\n")
        program = self.start()
        self.running("web")
        program.ask("deploy web", "requested")
        wait_for(lambda: self.home.state("web").get("last_result") == "success", "the deploy", 30)
        self.assertIn("left behind", self.home.state("web")["last_output"])
        subprocess.run(["pkill", "-KILL", "-f", "^sleep 600$"], check=False)

    def test_status_answers_while_a_deploy_runs(self):
        self.home.process("web", TICK, "deploy:\n  - sleep 30\n")
        program = self.start()
        self.running("web")
        program.ask("deploy web", "requested")
        wait_for(lambda: "deploying" in program.ask("status web"), "the deploy to begin")
        self.assertRegex(program.ask("stop web", "busy"), r"busy: deploying for .*cancel web")
        self.assertNotIn("last_result", self.home.state("web"))
        program.ask("cancel web", r"\S")
        wait_for(lambda: self.home.state("web").get("last_result") == "failed", "the deploy to be cancelled")

    def receive_pushes(self):
        """Starts the program with one service that pushes deploy; the forge that can push to it."""
        port = free_port()
        (self.home.path / "config.yaml").write_text(f"webhook:\n  listen: 127.0.0.1:{port}\n", encoding="utf-8")
        self.home.process("web", TICK, "repo: acme/app\nbranch: main\ndeploy:\n  - echo built\n")
        self.start(environment={"GITHUB_WEBHOOK_SECRET": SECRET})
        self.running("web")
        return Forge(port)

    def test_a_signed_push_of_two_mebibytes_deploys(self):
        forge = self.receive_pushes()
        status, body = forge.post(push(filler="x" * (2 << 20)))
        self.assertEqual((status, body["result"]), (200, "web: queued"))
        wait_for(lambda: self.home.state("web").get("last_result") == "success", "the deploy")

    def test_a_deleted_branch_deploys_nothing(self):
        forge = self.receive_pushes()
        status, body = forge.post(push(deleted=True, after="0" * 40, head_commit=None, commits=[]))
        self.assertEqual(status, 200)
        self.assertEqual([entry["decision"] for entry in body["services"]], ["ignored"])
        self.assertIn("deleted", body["result"])
        # The next push is the first to deploy.
        self.assertEqual(forge.post(push())[1]["result"], "web: queued")
        wait_for(lambda: self.home.state("web").get("last_result") == "success", "the deploy")
        deploys = (self.home.path / "state" / ".deploys").read_text(encoding="utf-8")
        self.assertEqual(deploys.strip(), "1")

    def test_new_deploy_steps_need_no_restart(self):
        self.home.process("web", TICK, "deploy:\n  - echo old\n")
        program = self.start()
        self.running("web")
        pid = self.pid_of(program, "web")
        self.home.process("web", TICK, "deploy:\n  - echo new\n")
        program.ask("reload", "1 changed")
        self.assertEqual(self.pid_of(program, "web"), pid)
        program.ask("deploy web", "requested")
        wait_for(lambda: "new" in self.home.state("web").get("last_output", ""), "the new step to run")

    def test_a_reload_with_a_bad_file_changes_nothing(self):
        self.home.process("web", TICK)
        program = self.start()
        self.running("web")
        pid = self.pid_of(program, "web")
        self.home.process("api", TICK)
        self.home.service("bad", "dri: /tmp\n")
        self.assertRegex(program.ask("reload", "bad.yaml"), r'bad\.yaml:1:1: unknown key "dri"')
        self.assertEqual(self.pid_of(program, "web"), pid)
        self.assertNotIn("api", program.ask("list", "web"))

    def test_a_sigterm_in_the_middle_of_a_deploy_is_on_record(self):
        self.home.process("web", TICK, "deploy:\n  - echo begun\n  - sleep 60\n")
        program = self.start()
        self.running("web")
        program.ask("deploy web", "requested")
        wait_for(lambda: "deploying" in program.ask("status web"), "the deploy to begin")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
        state = self.home.state("web")
        self.assertEqual(state["last_result"], "failed")
        self.assertIn("interrupted", state["last_output"])
        self.assertNotEqual(state["status"], "deploying")
        self.assertEqual(len(set(self.home.processes().values())), 1)

    def test_a_grandchild_that_ignores_sigterm_is_gone_after_a_stop(self):
        self.home.process("web", "sh -c 'trap \"\" TERM; while :; do sleep 0.2; done' & exec sleep 1000",
                          "stop_timeout: 300ms\n")
        program = self.start()
        wait_for(lambda: len(self.home.processes()) >= 2, "the grandchild")
        pids = list(self.home.processes())
        program.ask("stop web", "stopped")
        for pid in pids:
            self.assertFalse(alive(pid), stat_fields(pid))

    def test_hostile_state_files_aim_no_signal(self):
        victim = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(lambda: (victim.kill(), victim.wait()))
        state = self.home.path / "state"
        state.mkdir()
        records = {"zero": {"pid": 0, "pgid": 0}, "one": {"pid": 1, "pgid": 1}, "none": {"pid": victim.pid, "pgid": 0},
                   "bare": {"pid": victim.pid, "pgid": victim.pid}, "minus": {"pid": -1, "pgid": -1},
                   "foreign": {"pid": victim.pid, "pgid": victim.pid, "boot_time": 1, "create_time": 1},
                   "mine": {"pid": os.getpid(), "pgid": os.getpgid(0)}, "far": {"pid": 2 ** 31, "pgid": 2 ** 31}}
        for name, backend in records.items():
            self.home.process(name, "exec sleep 1000")
            (state / f"{name}.json").write_text(json.dumps({"status": "running", "backend": backend}),
                                                encoding="utf-8")
        # The same for services that are configured no more.
        for name, backend in records.items():
            (state / f"gone-{name}.json").write_text(json.dumps({"status": "running", "backend": backend}),
                                                     encoding="utf-8")
        program = self.start()
        self.running(*records)
        for name in records:
            program.ask(f"stop {name}", "stopped")
        self.assertIsNone(victim.poll())
        self.assertEqual(program.end(), 0)

    def test_only_the_end_of_a_huge_log_is_read(self):
        self.home.process("web", "truncate -s 10G /proc/self/fd/1; echo the end of ten gigabytes; exec sleep 1000")
        program = self.start()
        self.running("web")

        def read_bytes():
            with open(f"/proc/{program.process.pid}/io", encoding="ascii") as counters:
                return int(re.search(r"rchar: (\d+)", counters.read())[1])
        wait_for(lambda: "the end of ten gigabytes" in program.ask("logs web"), "the log")
        before = read_bytes()
        self.assertIn("the end of ten gigabytes", program.ask("logs web 50", "gigabytes"))
        self.assertLess(read_bytes() - before, 4 * 1024 * 1024)

    def test_after_a_kill_of_the_program_services_are_adopted_and_their_end_is_seen(self):
        for number in range(20):
            self.home.process(f"s{number:02}", "echo up; exec sleep 1000")
        program = self.start()
        self.running(*[f"s{number:02}" for number in range(20)])
        wait_for(lambda: "20/20" in program.ask("count"), "all to be counted")
        pids = set(self.home.processes())
        program.kill()
        again = self.start()
        wait_for(lambda: "20/20" in again.ask("count"), "all to be adopted")
        self.assertEqual(set(self.home.processes()), pids)
        victim = self.pid_of(again, "s07")
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: self.pid_of(again, "s07") != victim, "its end to be seen")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
