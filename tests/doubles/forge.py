"""Forges as a test plays them: pushes as each of them makes them, signed, and what was answered."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl
import time

SECRET = "it is a secret to everybody"
LIMIT = float(os.environ.get("SHIPMATE_TEST_LIMIT", "60"))


def free_port():
    """A port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def push(repo="acme/app", branch="main", commit="deadbeefcafe0000000000000000000000000000", files=("src/a.cc",), **more):
    """The payload of a push."""
    body = {
        "ref": f"refs/heads/{branch}", "before": "1" * 40, "after": commit, "created": False, "deleted": False,
        "forced": False, "compare": f"https://github.com/{repo}/compare/111...{commit[:7]}",
        "repository": {"full_name": repo, "clone_url": f"https://github.com/{repo}.git"},
        "pusher": {"name": "bob"},
        "commits": [{"id": commit, "added": [], "modified": list(files), "removed": []}],
        "head_commit": {"id": commit, "message": "feat: add a thing\n\nmore of it", "timestamp": "2026-01-02T03:04:05Z",
                        "url": f"https://github.com/{repo}/commit/{commit}", "author": {"name": "Alice"}},
    }
    body.update(more)
    return body


def gitlab_push(repo="acme/app", branch="main", commit="deadbeefcafe0000000000000000000000000000",
                files=("src/a.cc",), **more):
    """The payload of GitLab's Push Hook."""
    body = {
        "object_kind": "push", "event_name": "push", "before": "1" * 40, "after": commit,
        "ref": f"refs/heads/{branch}", "checkout_sha": commit, "user_name": "Bob", "user_username": "bob",
        "project": {"path_with_namespace": repo, "web_url": f"https://gitlab.example.com/{repo}",
                    "git_http_url": f"https://gitlab.example.com/{repo}.git"},
        "commits": [{"id": commit, "message": "feat: add a thing", "timestamp": "2026-01-02T03:04:05Z",
                     "url": f"https://gitlab.example.com/{repo}/-/commit/{commit}", "author": {"name": "Alice"},
                     "added": [], "modified": list(files), "removed": []}],
        "total_commits_count": 1,
    }
    body.update(more)
    return body


def gitea_push(repo="acme/app", branch="main", commit="deadbeefcafe0000000000000000000000000000",
               files=("src/a.cc",), **more):
    """The payload of a push of Gitea and Forgejo."""
    body = {
        "ref": f"refs/heads/{branch}", "before": "1" * 40, "after": commit,
        "compare_url": f"https://git.example.com/{repo}/compare/{'1' * 40}...{commit}",
        "commits": [{"id": commit, "message": "feat: add a thing", "timestamp": "2026-01-02T03:04:05Z",
                     "url": f"https://git.example.com/{repo}/commit/{commit}", "author": {"name": "Alice"},
                     "added": [], "modified": list(files), "removed": []}],
        "total_commits": 1,
        "repository": {"full_name": repo, "clone_url": f"https://git.example.com/{repo}.git"},
        "pusher": {"login": "bob", "username": "bob"},
    }
    body.update(more)
    return body


def digits(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sign(body, secret=SECRET):
    return "sha256=" + digits(body, secret)


def standard_headers(body, key, delivery="one", at=None):
    """The headers of GitLab's signed form; `key` is written as whsec_<base64>."""
    at = str(int(time.time() if at is None else at))
    content = f"{delivery}.{at}.".encode() + body
    signed = hmac.new(base64.b64decode(key.removeprefix("whsec_")), content, hashlib.sha256).digest()
    return {"webhook-id": delivery, "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(signed).decode()}


def encoded(payload):
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


class Forge:
    """Sends to one address; `post` gives (status, body)."""

    def __init__(self, port, ca=None):
        self.port = port
        self.tls = ssl.create_default_context(cafile=str(ca)) if ca else None

    def post(self, payload, event="push", signature=None, path="/webhook/github", headers=None, secret=SECRET):
        """As GitHub does it."""
        body = encoded(payload)
        sent = {"X-GitHub-Event": event, "X-GitHub-Delivery": "one",
                "X-Hub-Signature-256": sign(body, secret) if signature is None else signature}
        return self.send(path, body, {**sent, **(headers or {})})

    def send(self, path, payload, headers):
        """Whatever the headers say; one that is empty is left out."""
        if self.tls:
            link = http.client.HTTPSConnection("localhost", self.port, timeout=LIMIT, context=self.tls)
        else:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        sent = {"Content-Type": "application/json", **headers}
        try:
            link.request("POST", path, encoded(payload), {name: value for name, value in sent.items() if value})
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text
