"""From a forge's push to a deploy that chat hears of, on the built program."""

import base64
import os
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "doubles"))
import certificates  # noqa: E402
from fake_discord import CHANNEL, FakeDiscord  # noqa: E402
from forge import (SECRET, Forge, digits, encoded, free_port, gitea_push, gitlab_push, push, sign,  # noqa: E402
                   standard_headers)
from harness import E2ETest, wait_for  # noqa: E402

TICK = "while :; do echo tick; sleep 0.2; done"
COMMIT = "deadbeefcafe0000000000000000000000000000"
OTHER = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"


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
        self.assertEqual(self.decisions(forge.post(push(ref="refs/tags/v1.0")))["tagged"][0], "queued")
        self.succeeded("tagged")
        self.assertEqual(self.decisions(forge.post(push(files=["docs/a.md"])))["docs"][0], "queued")
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


class OtherForges(WebhookTest):
    ZEROS = "0" * 40

    def serve_all(self):
        self.deployed("web", step="echo built >> built.txt")
        self.key = "whsec_" + base64.b64encode(bytes(range(32))).decode()
        return self.serve(environment={
            "GITLAB_WEBHOOK_SECRET": f"a token in clear,{self.key}", "GITEA_WEBHOOK_SECRET": "what gitea knows",
            "GENERIC_WEBHOOK_SECRET": "what others know"})

    def deployed_times(self, count):
        built = self.home.path / "work" / "built.txt"
        wait_for(lambda: built.exists() and len(built.read_text(encoding="utf-8").splitlines()) == count and
                 self.result("web") == "success", f"deploy {count}")

    def queued(self, answer):
        self.assertEqual(self.decisions(answer)["web"], ("queued", ""))
        self.succeeded("web")

    def nothing(self, answer, why):
        self.assertEqual(self.decisions(answer)["web"], ("ignored", why))

    def refused(self, answer):
        self.assertEqual(answer, (403, "invalid signature\n"))

    def test_gitlab_with_a_token_in_clear(self):
        _, forge = self.serve_all()

        def post(payload, event="Push Hook", token="a token in clear"):
            return forge.send("/webhook/gitlab", payload, {"X-Gitlab-Event": event, "X-Gitlab-Token": token})

        for token in ("", "a token", "a token in clear,", self.key, SECRET):
            self.refused(post(gitlab_push(), token=token))
        self.assertEqual(post({}, event="Issue Hook")[1]["result"], "ignored: only pushes deploy")
        self.nothing(post(gitlab_push(branch="dev")), "branch dev, service deploys main")
        self.nothing(post(gitlab_push(ref="refs/tags/v1"), event="Tag Push Hook"), "tag v1, service deploys main")
        self.nothing(post(gitlab_push(after=self.ZEROS, checkout_sha=None, commits=[], total_commits_count=0)),
                     "refs/heads/main was deleted")
        self.assertIsNone(self.result("web"))
        self.queued(post(gitlab_push()))

    def test_gitlab_tells_deliveries_apart_by_their_keys(self):
        _, forge = self.serve_all()

        def post(payload, key):
            answer = forge.send("/webhook/gitlab", payload, {
                "X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "a token in clear", "Idempotency-Key": key})
            return self.decisions(answer)["web"][0]

        there = gitlab_push(before=COMMIT, commit=OTHER)
        back = gitlab_push(before=OTHER, commit=COMMIT)
        self.assertEqual(post(there, "one"), "queued")
        self.assertEqual(post(there, "one"), "replay")
        self.deployed_times(1)
        self.assertEqual(post(back, "two"), "queued")
        self.deployed_times(2)
        self.assertEqual(post(there, "three"), "queued")
        self.deployed_times(3)

    def test_gitlab_with_a_signature(self):
        _, forge = self.serve_all()
        body = encoded(gitlab_push())
        event = {"X-Gitlab-Event": "Push Hook"}
        good = standard_headers(body, self.key)

        def post(headers):
            return forge.send("/webhook/gitlab", body, {**event, **headers})

        self.refused(post(standard_headers(body + b" ", self.key)))
        self.refused(post({**good, "webhook-id": "two"}))
        # The token proves nothing beside a signature that is wrong, and a good signature only near its time.
        self.refused(post({**good, "webhook-signature": "v1,AAAA", "X-Gitlab-Token": "a token in clear"}))
        for away in (-600, 600):
            self.refused(post(standard_headers(body, self.key, at=time.time() + away)))
        self.assertIsNone(self.result("web"))
        self.queued(post(good))

    def test_gitea_and_forgejo(self):
        _, forge = self.serve_all()
        body = encoded(gitea_push())
        good = digits(body, "what gitea knows")
        event = {"X-Gitea-Event": "push", "X-GitHub-Event": "push", "X-Gitea-Delivery": "one"}

        def post(headers, sent=body):
            return forge.send("/webhook/gitea", sent, {**event, **headers})

        self.refused(post({}))
        self.refused(post({"X-Gitea-Signature": digits(body)}))
        # GitHub's header is sent too, and does not mend what is wrong in their own.
        self.refused(post({"X-Gitea-Signature": "0" * 64, "X-Hub-Signature-256": "sha256=" + good}))
        self.refused(forge.send("/webhook/github", body, {**event, "X-Hub-Signature-256": sign(body)}))
        deleted = encoded(gitea_push(after=self.ZEROS, commits=[], total_commits=0))
        self.nothing(post({"X-Gitea-Signature": digits(deleted, "what gitea knows")}, deleted),
                     "refs/heads/main was deleted")
        self.assertIsNone(self.result("web"))
        self.queued(post({"X-Gitea-Signature": good, "X-Hub-Signature-256": "sha256=" + good}))
        other = encoded(gitea_push(commit=OTHER))
        self.assertEqual(self.decisions(forge.send("/webhook/gitea", other, {
            "X-Forgejo-Event": "push", "X-Forgejo-Delivery": "two",
            "X-Forgejo-Signature": digits(other, "what gitea knows")}))["web"][0], "queued")

    def test_a_webhook_of_ones_own(self):
        _, forge = self.serve_all()

        def post(payload, secret="what others know", **headers):
            body = encoded(payload)
            return forge.send("/webhook/generic", body, {"X-Shipmate-Signature": sign(body, secret), **headers})

        self.refused(post({"repo": "acme/app", "branch": "main"}, secret=SECRET))
        self.assertEqual(post({"repo": "acme/app"}), (400, "ref: is missing\n"))
        self.assertEqual(post({"repo": "acme/app", "branch": "main", "ref": "refs/heads/main"})[0], 400)
        self.nothing(post({"repo": "acme/app", "branch": "main", "deleted": True}), "refs/heads/main was deleted")
        self.nothing(post({"repo": "acme/app", "branch": "dev"}), "branch dev, service deploys main")
        self.assertIsNone(self.result("web"))
        self.queued(post({"repo": "acme/app", "branch": "main", "commit": COMMIT, "delivery": "run 7"}))


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
