"""Health and order of services: a small web server that works or not as a file says, seen through the console."""

import socket
import sys
import unittest

from harness import E2ETest, alive, wait_for

SERVER = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists('ill') else 200)
        self.end_headers()

    def log_message(self, *_):
        pass

print('serving', flush=True)
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Health(E2ETest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.ill = self.home.path / "work" / "ill"
        (self.home.path / "work" / "server.py").write_text(SERVER, encoding="utf-8")

    def web(self, extra="", times="  interval: 1s\n  timeout: 10s\n  start_period: 40s\n  threshold: 2\n"):
        self.home.process("web", f"exec {sys.executable} server.py {self.port}",
                          f"health:\n  http: http://127.0.0.1:{self.port}/\n{times}{extra}")

    def test_unhealthy_is_shown_told_and_cured(self):
        self.web()
        program = self.start()
        wait_for(lambda: "health: healthy" in program.ask("status web"), "web to be healthy")
        pid = self.pid_of(program, "web")
        self.ill.touch()
        wait_for(lambda: "web: unhealthy: HTTP status 503, expected 200 to 299" in program.stderr(), "the word of it")
        self.assertRegex(program.ask("status", "web"), r"web running.*unhealthy: HTTP status 503")
        self.ill.unlink()
        wait_for(lambda: "web: healthy again" in program.stderr(), "the good news")
        self.assertEqual(self.pid_of(program, "web"), pid)
        # The watch goes on over a restart of the program.
        self.assertEqual(program.end(), 0)
        again = self.start()
        wait_for(lambda: "health: healthy" in again.ask("status web"), "web to be healthy again")
        self.assertEqual(self.pid_of(again, "web"), pid)

    def test_on_unhealthy_restart(self):
        self.web("  on_unhealthy: restart\n")
        program = self.start()
        wait_for(lambda: "health: healthy" in program.ask("status web"), "web to be healthy")
        pid = self.pid_of(program, "web")
        self.ill.touch()
        wait_for(lambda: not alive(pid), "the restart")
        self.ill.unlink()
        wait_for(lambda: "health: healthy" in program.ask("status web"), "web to be healthy again")
        self.assertNotEqual(self.pid_of(program, "web"), pid)

    def test_a_start_that_does_not_become_healthy_fails_with_the_log(self):
        self.web(times="  interval: 1s\n  start_period: 3s\n")
        self.ill.touch()
        program = self.start()
        program.ask("stop web", "stopped")
        answer = program.ask("start web", "failed")
        self.assertRegex(answer, "start failed: not healthy within 3s: HTTP status 503")
        wait_for(lambda: "serving" in program._read(), "the end of the log")

    def test_what_is_required_comes_first(self):
        self.web()
        self.home.process("api", "exec sleep 3600", "requires: [web]\n")
        program = self.start()
        program.ask("stop-all", r"\d stopped|already")
        wait_for(lambda: not self.home.processes(), "all to be stopped")
        self.assertRegex(program.ask("start api", "started"), r"started \(web was started for it\)")
        self.assertIn("health: healthy", program.ask("status web", "health"))
        self.assertRegex(program.ask("stop web", "stopped"), r"stopped \(api requires it and goes on running\)")
        self.ill.touch()

    def test_a_circle_is_a_config_error(self):
        self.home.process("api", "exec sleep 3600", "requires: [db]\n")
        self.home.process("db", "exec sleep 3600", "after: [api]\n")
        program = self.start("--check-config")
        self.assertEqual(program.wait(), 2)
        self.assertRegex(program.stderr(), r"db\.yaml:\d+:\d+: after: goes round in a circle: api -> db -> api")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
