"""Faults at random, but the same for the same seed: what networks, proxies and servers do to a client of the fake
Mattermost. `start` lets them loose, `stop` ends them and mends the server; what they left behind (a socket that is open
and dead, a lost connection id) stays for the client to find out."""

import json
import random
import threading

PAGE = "<html><head><title>Sorry</title></head><body>The server is being looked after.</body></html>"
# Not 413, and no answer of Mattermost's own below 500: these are words to the client, who must believe them.
PAGES = (400, 403, 404, 408, 500, 502, 503, 504)
ERROR = json.dumps({"id": "api.context.server_busy.app_error", "message": "busy", "detailed_error": "",
                    "request_id": "", "status_code": 503})


class Faults:
    def __init__(self, double, seed):
        self.double, self.random = double, random.Random(seed)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._break_sockets, daemon=True)
        self.held, self.frozen, self.counts = None, False, {}

    def start(self):
        def begin():
            self.double.chance, self.double.mangle = self._on_request, self._on_event
        self.double._call(begin)
        self.thread.start()

    def stop(self):
        self.done.set()
        self.thread.join(timeout=30)

        def end():
            self.double.chance = self.double.mangle = None
        self.double._call(end)
        self.double.heal()

    def _count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # In the double's thread.

    def _on_request(self, line):
        """What becomes of a request; None: nothing."""
        if self.random.random() > 0.25:
            return None
        act = self.random.choice(("delay", "reset", "half", "truncate", "hole", "page", "page", "error", "limit"))
        self._count("request " + act)
        rule = {"delay": self.random.uniform(0, 0.5), "after": self.random.random() < 0.5}
        if act == "delay":
            return {"path": "", "times": 1, "delay": self.random.uniform(0.1, 3)}
        if act == "page":
            return {**rule, "status": self.random.choice(PAGES), "body": PAGE}
        if act == "error":
            return {**rule, "status": self.random.choice((500, 503)), "body": ERROR, "content": "application/json"}
        if act == "limit":
            return {**rule, "after": False, "status": 429, "body": "limit exceeded\n",
                    "content": "text/plain; charset=utf-8", "headers": {"Retry-After": "1"}}
        return {**rule, "act": act}

    def _on_event(self, web_socket, text):
        """The frames that are sent in place of this one."""
        held, self.held = self.held, None
        frames = [text] if held is None else [text, held]
        chance = self.random.random()
        if chance < 0.02:
            self._count("event twice")
            return frames + [text]
        if chance < 0.04 and held is None:
            self._count("event late")
            self.held = text
            return []
        if chance < 0.05:
            self._count("event cut short")
            web_socket.frame(1, text[:len(text) // 2].encode(errors="ignore"))
            return []
        if chance < 0.06:
            self._count("frame cut short")
            data = text.encode()
            web_socket.writer.write(b"\x81\x7f" + len(data).to_bytes(8, "big") + data[:len(data) // 2])
            web_socket.cut(reset=False)
            return []
        return frames

    # In a thread of its own.

    def _break_sockets(self):
        double, chance = self.double, self.random
        while not self.done.wait(chance.uniform(0.2, 1.2)):
            act = chance.choice(("reset", "end", "close", "gap", "gap", "forget", "freeze", "refuse", "down", "nonsense"))
            if act == "freeze" and (self.frozen or chance.random() < 0.5):
                continue                       # found out only by an unanswered ping: once is enough
            self._count("socket " + act)
            if act == "reset":
                double.cut()
            elif act == "end":
                double.cut(reset=False)
            elif act == "close":
                double.close_sockets(chance.choice((None, 1000, 1001, 1006, 1011, 1012)))
            elif act == "gap":
                double.skip(chance.randint(1, 3))
            elif act == "forget":
                double.forget()
                double.cut()
            elif act == "freeze":
                self.frozen = True
                double.freeze()
            elif act == "refuse":
                double.refuse_upgrades(chance.choice((400, 403, 404, 429, 500, 502, 503)), PAGE)
                double.cut()
                self.done.wait(chance.uniform(0.5, 2))
                double.heal()
            elif act == "down":
                double.go_down()
                self.done.wait(chance.uniform(0.3, 2))
                double.listen()
            else:
                double.raw(chance.choice(('{"event":"posted"', "[]", "null", '{"seq":-1}', PAGE)))
