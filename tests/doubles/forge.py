"""A forge as a test plays it: pushes as GitHub makes them, signed, and what was answered."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import ssl

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


def sign(body, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Forge:
    """Sends to one address; `post` gives (status, body)."""

    def __init__(self, port, ca=None):
        self.port = port
        self.tls = ssl.create_default_context(cafile=str(ca)) if ca else None

    def post(self, payload, event="push", signature=None, path="/webhook/github", headers=None, secret=SECRET):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        if self.tls:
            link = http.client.HTTPSConnection("localhost", self.port, timeout=LIMIT, context=self.tls)
        else:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        sent = {"Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": "one",
                "X-Hub-Signature-256": sign(body, secret) if signature is None else signature}
        sent.update(headers or {})
        try:
            link.request("POST", path, body, {name: value for name, value in sent.items() if value})
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        return answer.status, json.loads(text) if answer.headers.get_content_type() == "application/json" else text
