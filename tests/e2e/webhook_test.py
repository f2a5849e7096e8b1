"""From a forge's push to a deploy that chat hears of, on the built program."""

import os
import signal
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
import certificates  # noqa: E402
from fake_discord import CHANNEL, FakeDiscord  # noqa: E402
from forge import SECRET, Forge, free_port, push  # noqa: E402
from harness import E2ETest, wait_for  # noqa: E402

TICK = "while :; do echo tick; sleep 0.2; done"
COMMIT = "deadbeefcafe0000000000000000000000000000"


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class WebhookTest(E2ETest):
    def serve(self, section="", secret=SECRET, more="", **options):
        """Starts the program with webhooks on a free port, once it accepts."""
        self.port = free_port()
        text = section.format(port=self.port) if section else f"  listen: 127.0.0.1:{self.port}\n"
        (self.home.path / "config.yaml").write_text(f"webhook:\n{text}{more}", encoding="utf-8")
        environment = {"GITHUB_WEBHOOK_SECRET": secret, **options.pop("environment", {})}
        program = self.start(environment=environment, **options)
        wait_for(lambda: program.process.poll() is not None or listens(self.port), "the port to be open")
        self.assertIsNone(program.process.poll(), program.stderr())
        return program, Forge(self.port)

    def deployed(self, name, extra="repo: acme/app\nbranch: main\n", step="echo built"):
        self.home.process(name, TICK, f"{extra}deploy:\n  - {step}\n")

    def decisions(self, answer):
        status, body = answer
        self.assertEqual(status, 200, body)
        return {entry["service"]: (entry["decision"], entry["why"]) for entry in body["services"]}

    def result(self, name):
        # The first word of a new service is written when its deploy begins.
        if not (self.home.path / "state" / f"{name}.json").exists():
            return None
        return self.home.state(name).get("last_result")

    def succeeded(self, name):
        wait_for(lambda: self.result(name) == "success", f"the deploy of {name}")


class PushToChat(WebhookTest):
    def test_a_signed_push_is_announced_and_deployed_and_a_forged_one_is_nothing(self):
        double = FakeDiscord()
        self.addCleanup(double.close)
        self.deployed("web", step="echo built >> built.txt")
        program, forge = self.serve(
            more=f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {double.api_url}\n  ca_file: {double.ca}\n',
            environment={"DISCORD_TOKEN": "test-token"}, interactive=False)
        double.wait_session()

        for signature in ("", "sha256=" + "0" * 64, "sha256=invalidsignature"):
            self.assertEqual(forge.post(push(), signature=signature), (403, "invalid signature\n"))
        self.assertEqual(forge.post(push(), secret="not the secret"), (403, "invalid signature\n"))

        status, body = forge.post(push())
        self.assertEqual((status, body["result"]), (200, "web: queued"))
        self.assertEqual(body["services"], [{"service": "web", "decision": "queued", "why": ""}])
        double.wait(lambda: [m for m in double.posts(CHANNEL) if "succeeded" in m["content"]], "the end of the deploy")
        posts = [m["content"] for m in double.posts(CHANNEL)]
        announced = [text for text in posts if "Webhook for" in text]
        self.assertEqual(len(announced), 1, posts)
        for part in ("web", "acme/app@deadbee", f"https://github.com/acme/app/commit/{COMMIT}", "main", "Alice",
                     "feat: add a thing", "compare"):
            self.assertIn(part, announced[0])
        self.assertNotIn("more of it", announced[0])
        self.assertEqual((self.home.path / "work" / "built.txt").read_text(encoding="utf-8"), "built\n")
        self.assertIn("a request was refused", program.stderr())
        self.assertNotIn(SECRET, program.stderr())

    def test_a_push_that_must_be_confirmed_waits_for_a_person(self):
        double = FakeDiscord()
        self.addCleanup(double.close)
        self.deployed("web", "repo: acme/app\nbranch: main\nrequire_confirmation: true\n")
        _, forge = self.serve(
            more=f'discord:\n  channel_id: "{CHANNEL}"\n  api_url: {double.api_url}\n  ca_file: {double.ca}\n',
            environment={"DISCORD_TOKEN": "test-token"}, interactive=False)
        double.wait_session()
        self.assertEqual(self.decisions(forge.post(push()))["web"][0], "awaits confirmation")
        double.wait(lambda: [m for m in double.posts(CHANNEL) if "confirm web" in m["content"]], "the question")
        self.assertIsNone(self.result("web"))
        double.say("!confirm web")
        self.succeeded("web")


class Decisions(WebhookTest):
    def test_every_service_of_the_repository_is_answered_for(self):
        self.deployed("zeta", "repo: git@github.com:Acme/App.git\nbranch: main\n")
        self.deployed("alpha", "repo: https://github.com/acme/app\nbranch: main\n")
        self.deployed("dev", "repo: acme/app\nbranch: dev\n")
        self.deployed("docs", "repo: acme/app\nbranch: main\npaths: [docs/**]\n")
        self.deployed("tagged", "repo: acme/app\ntags: v*\n")
        self.deployed("other", "repo: acme/other\nbranch: main\n")
        _, forge = self.serve()
        answer = forge.post(push())
        self.assertEqual([entry["service"] for entry in answer[1]["services"]],
                         ["alpha", "dev", "docs", "tagged", "zeta"])
        self.assertEqual(self.decisions(answer), {
            "alpha": ("queued", ""), "zeta": ("queued", ""), "dev": ("ignored", "branch main, service deploys dev"),
            "docs": ("ignored", "none of its 1 files is among docs/**"),
            "tagged": ("ignored", "branch main, service deploys tags v*")})
        self.succeeded("alpha")
        self.succeeded("zeta")
        self.assertEqual(self.decisions(forge.post(push(ref="refs/tags/v1.0")))["tagged"], ("queued", ""))
        self.succeeded("tagged")
        self.assertEqual(self.decisions(forge.post(push(files=["docs/a.md"])))["docs"], ("queued", ""))
        self.succeeded("docs")
        for name in ("dev", "other"):
            self.assertIsNone(self.result(name), name)
        status, body = forge.post(push(repo="acme/unknown"))
        self.assertEqual((status, body["services"]), (200, []))
        self.assertIn("no service has the repository", body["result"])

    def test_what_is_no_push_to_a_branch_deploys_nothing(self):
        self.deployed("web")
        _, forge = self.serve()
        self.assertEqual(forge.post({"zen": "x"}, event="ping"), (200, {"event": "ping", "result": "pong"}))
        for event in ("pull_request", "release", "create", "delete"):
            self.assertEqual(forge.post(push(), event=event)[0], 200)
        skipped = push()
        skipped["head_commit"]["message"] = "fix [skip deploy]"
        for payload in (push(ref="refs/tags/main"), push(ref="refs/notes/x"), push(branch="$(touch pwn)"), skipped):
            self.assertEqual(self.decisions(forge.post(payload))["web"][0], "ignored")
        self.assertEqual(forge.post(b"{}")[0], 400)
        self.assertEqual(forge.post(b"[" * 100000)[0], 400)
        self.assertIsNone(self.result("web"))
        self.assertFalse((self.home.path / "work" / "pwn").exists())
        self.assertEqual(self.decisions(forge.post(push(forced=True)))["web"], ("queued", ""))
        self.succeeded("web")


class Start(WebhookTest):
    def test_a_taken_port_ends_the_start_before_any_service_is_touched(self):
        self.deployed("web")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            (self.home.path / "config.yaml").write_text(f"webhook:\n  listen: 127.0.0.1:{port}\n", encoding="utf-8")
            program = self.start(environment={"GITHUB_WEBHOOK_SECRET": SECRET})
            self.assertEqual(program.wait(), 1)
        said = [line for line in program.stderr().splitlines() if line.startswith("shipmate: ")]
        self.assertEqual(said, [f"shipmate: webhook: listening on 127.0.0.1:{port}: address already in use; another "
                                "program uses this port"])
        self.assertFalse((self.home.path / "state" / "web.json").exists())
        self.assertEqual(self.home.processes(), {})

    def test_without_a_secret_nothing_listens(self):
        self.deployed("web")
        port = free_port()
        (self.home.path / "config.yaml").write_text(f"webhook:\n  listen: 127.0.0.1:{port}\n", encoding="utf-8")
        program = self.start(environment={"GITHUB_WEBHOOK_SECRET": ""})
        program.ask("status", "web")
        self.assertFalse(listens(port))
        self.assertIn("/webhook/github is closed: GITHUB_WEBHOOK_SECRET holds no secret", program.stderr())
        self.assertIn("webhooks are off", program.stderr())

    def test_the_port_of_mezzaops_is_served_on_this_machine_alone(self):
        self.deployed("web")
        program, forge = self.serve("  port: {port}\n")
        self.assertEqual(forge.post({}, event="ping")[0], 200)
        self.assertIn(f"write `listen: 0.0.0.0:{self.port}` for that", program.stderr())
        with open("/proc/net/tcp", encoding="ascii") as table:
            bound = [line.split()[1] for line in table if line.split()[3] == "0A"]
        self.assertIn(f"0100007F:{self.port:04X}", bound)

    def test_tls(self):
        self.deployed("web")
        ca, certificate, key = certificates.make(str(self.home.path))
        self.serve(f"  listen: 127.0.0.1:{{port}}\n  tls_cert: {certificate}\n  tls_key: {key}\n")
        self.assertEqual(self.decisions(Forge(self.port, ca).post(push()))["web"], ("queued", ""))
        self.succeeded("web")

    def test_a_certificate_that_cannot_be_read_ends_the_start(self):
        (self.home.path / "config.yaml").write_text(
            f"webhook:\n  listen: 127.0.0.1:{free_port()}\n  tls_cert: no.pem\n  tls_key: no.key\n", encoding="utf-8")
        program = self.start(environment={"GITHUB_WEBHOOK_SECRET": SECRET})
        self.assertEqual(program.wait(), 1)
        self.assertIn(f"reading the certificate {self.home.path}/no.pem", program.stderr())

    def test_the_port_is_free_again_after_the_end(self):
        self.deployed("web")
        program, forge = self.serve(interactive=False)
        self.assertEqual(forge.post({}, event="ping")[0], 200)
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
        self.assertFalse(listens(self.port))

    def test_two_secrets_are_good_while_one_takes_the_place_of_the_other(self):
        self.deployed("web")
        _, forge = self.serve(secret="the secret of tomorrow, the secret of today")
        for secret, status in (("the secret of tomorrow", 200), ("the secret of today", 200), ("the secret", 403)):
            self.assertEqual(forge.post({}, event="ping", secret=secret)[0], status)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[1:], verbosity=1)
