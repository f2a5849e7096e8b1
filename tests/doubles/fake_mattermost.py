"""A double of Mattermost: its REST API (v4) and its websocket, over TLS, with the real server's rules, and faults on
demand. It runs in a thread of the test; every public method may be called from the test's own.

What it copies are the server's habits that a client can stumble over: a refused token is no 401 at the upgrade but a
cut five seconds later; a connection taken up says no hello; numbers are given when an event is sent, and the last 128
sent are kept for a replay; a connection that was not seen to end cannot be taken up; a revoked session stays open and
falls silent; a 429 is text; a post repeated within 30 s under its pending_post_id is one post; mentions are told to
each user alone. Times are settings, so that a test need not wait for them.
"""

import asyncio
import concurrent.futures
import json
import os
import ssl
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certificates  # noqa: E402
from fake_mattermost_rest import RestSide  # noqa: E402
from fake_mattermost_socket import SocketSide  # noqa: E402
from fake_mattermost_text import mentioned_names  # noqa: E402
from fake_mattermost_world import (ALICE, BOB, BOT, CHANNEL, DIRECT, OTHER_CHANNEL, SECRET_CHANNEL, TEAM,  # noqa: E402
                                   TOKEN, Refused, new_id, text_of)

LIMIT = float(os.environ.get("SHIPMATE_TEST_LIMIT", "60"))


class FakeMattermost(SocketSide, RestSide):
    def __init__(self, path="", bot_name="shipmate"):
        self.directory = tempfile.TemporaryDirectory(prefix="shipmate-mattermost-")
        self.ca, certificate, key = certificates.make(self.directory.name)
        self.path = path
        self.settings = {"auth_check": 5.0, "ping": 60.0, "pong_wait": 100.0, "max_post_size": 16383,
                         "edit_time_limit": -1, "dedup": 30.0, "posted_ack": 0.0}
        self.users = {BOT: self._user(BOT, bot_name, True), ALICE: self._user(ALICE, "alice"),
                      BOB: self._user(BOB, "bob")}
        self.tokens = {TOKEN: BOT, "alice-token": ALICE}
        self.channels = {
            CHANNEL: self._channel(CHANNEL, "deploys"), OTHER_CHANNEL: self._channel(OTHER_CHANNEL, "town-square"),
            SECRET_CHANNEL: self._channel(SECRET_CHANNEL, "secret", "P"), DIRECT: self._channel(DIRECT, "dm", "D")}
        self.members = {CHANNEL: {BOT, ALICE, BOB}, OTHER_CHANNEL: {BOT, ALICE}, SECRET_CHANNEL: {ALICE},
                        DIRECT: {BOT, ALICE}}
        self.all_posts, self.reactions, self.files = {}, {}, {}
        self.pending, self.conns, self.sockets = {}, [], []
        self.rules, self.notes, self.pings = [], [], []
        self.refuse_upgrade, self.skip_next = None, 0
        # Where a test decides by itself: what becomes of a request (a rule, or None), and which frames stand for an event.
        self.chance = self.mangle = None
        self.clock = int(time.time() * 1000)
        self.clock_ahead = 0                   # of the machine's, in milliseconds
        self.began = time.monotonic()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        self.context = context
        self.port = None
        self.listener = None
        self.listen()

    def _serve(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT)

    def _call(self, function):
        done = concurrent.futures.Future()

        def run():
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: B902
                done.set_exception(error)
        self.loop.call_soon_threadsafe(run)
        return done.result(LIMIT)

    # ---- The test's side ----

    @property
    def url(self):
        return f"https://localhost:{self.port}{self.path}"

    def listen(self):
        """Takes connections (again), on the port it had."""
        async def begin():
            self.listener = await asyncio.start_server(self._client, "127.0.0.1", self.port or 0, ssl=self.context,
                                                       limit=1 << 22)
            self.port = self.listener.sockets[0].getsockname()[1]
        self._await(begin())

    def go_down(self):
        """The server ends: sockets are cut, connections' ids forgotten, nobody is let in."""
        def end():
            self.listener.close()
            for web_socket in list(self.sockets):
                web_socket.cut(reset=False)
            self.conns.clear()
        self._call(end)

    def close(self):
        self.go_down()

        async def end():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._await(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)
        if not self.thread.is_alive():
            self.loop.close()
        self.directory.cleanup()

    def set(self, **settings):
        self._call(lambda: self.settings.update(settings))

    def fault(self, path, **rule):
        """What becomes of the next `times` (1) requests whose "METHOD path" matches: `status` with `body` and `headers`,
        or `act`: reset, truncate, hole, half; `delay` before; `after` doing what was asked."""
        self._call(lambda: self.rules.append({"path": path, "times": 1, **rule}))

    def heal(self):
        def mend():
            self.rules.clear()
            self.refuse_upgrade, self.skip_next = None, 0
        self._call(mend)

    def cut(self, reset=True):
        """Breaks every websocket; their connections can be taken up."""
        self._call(lambda: [s.cut(reset) for s in self.sockets])

    def freeze(self):
        """The present websockets are as behind a cable pulled: open, and dead."""
        def stop():
            for web_socket in self.sockets:
                web_socket.frozen = True
        self._call(stop)

    def forget(self):
        """No connection can be taken up any more, as after a restart of the server."""
        self._call(lambda: [setattr(c, "id", new_id()) for c in self.conns])

    def skip(self, count=1):
        """The next events are lost on their way, after they were numbered."""
        self._call(lambda: setattr(self, "skip_next", count))

    def refuse_upgrades(self, status, body="", headers=None):
        self._call(lambda: setattr(self, "refuse_upgrade", (status, body, headers or {})))

    def raw(self, text):
        """Sends this to every websocket, as it stands."""
        self._call(lambda: [s.text(text) for s in self.sockets])

    def close_sockets(self, code=None):
        self._call(lambda: [s.frame(8, b"" if code is None else struct.pack("!H", code)) for s in self.sockets])

    def revoke(self):
        """The bot's token is worth nothing any more; its sockets stay open, and silent."""
        def end():
            self.tokens.pop(TOKEN, None)
            for web_socket in self.sockets:
                if web_socket.conn and web_socket.conn.user == BOT:
                    web_socket.token = None
        self._call(end)

    def restore(self):
        self._call(lambda: self.tokens.update({TOKEN: BOT}))

    def say(self, message, user=ALICE, channel=CHANNEL, root="", quiet=False, **more):
        """Somebody's post; its id. `quiet`: no event is sent."""
        return self._call(lambda: self._create(user, {"channel_id": channel, "message": message, "root_id": root},
                                               quiet=quiet, more=more)["id"])

    def edit(self, post_id, message):
        def change():
            post = self.all_posts[post_id]
            post.update(message=message, edit_at=self._now(), update_at=self._now())
            self._publish("post_edited", {"post": json.dumps(post)}, post["channel_id"])
        self._call(change)

    def react(self, post_id, emoji, user=ALICE, quiet=False):
        self._call(lambda: self._react(user, post_id, emoji, quiet))

    def publish(self, event, data, channel=""):
        self._call(lambda: self._publish(event, data, channel))

    def add_member(self, user, channel):
        def add():
            self.members[channel].add(user)
            self._publish("user_added", {"team_id": TEAM, "user_id": user}, channel, only=user)
        self._call(add)

    def posts(self, channel=None):
        """The bot's posts, oldest first."""
        return self._call(lambda: [dict(p) for p in self.all_posts.values() if p["user_id"] == BOT and
                                   not p["delete_at"] and (channel is None or p["channel_id"] == channel)])

    def replies_to(self, post_id):
        """The answers in its thread; that something is being worked on is none yet."""
        return [p for p in self.posts() if p["root_id"] == post_id and not p["message"].startswith("Working on ")]

    def trace(self, kind=None):
        return self._call(lambda: [e for e in self.notes if kind is None or e["kind"] == kind])

    def connected(self):
        return self._call(lambda: [s.conn.id for s in self.sockets if s.conn and s.conn.user == BOT and not s.frozen and
                                   s.token])

    def wait(self, condition, what, limit=LIMIT):
        deadline = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {limit:.0f} s in vain for {what}; trace: "
                                     f"{json.dumps(self.trace()[-12:])[:3000]}")
            time.sleep(0.03)

    def wait_connected(self, limit=LIMIT):
        return self.wait(self.connected, "a client to be connected", limit)

    # ---- The world ----

    def _now(self):
        """The server's clock; no two posts share a millisecond."""
        self.clock = max(self.clock + 1, int(time.time() * 1000) + self.clock_ahead)
        return self.clock

    @staticmethod
    def _user(user_id, name, is_bot=False):
        return {"id": user_id, "create_at": 1, "update_at": 1, "delete_at": 0, "username": name, "nickname": "",
                "email": f"{name}@localhost", "roles": "system_user", "is_bot": is_bot}

    @staticmethod
    def _channel(channel_id, name, kind="O"):
        return {"id": channel_id, "create_at": 1, "update_at": 1, "delete_at": 0, "type": kind, "name": name,
                "team_id": "" if kind == "D" else TEAM, "display_name": name.title(), "last_post_at": 0}

    def _create(self, user, body, quiet=False, more=None):
        channel_id, message = body.get("channel_id", ""), body.get("message", "")
        if channel_id not in self.channels or user not in self.members[channel_id]:
            raise Refused(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")
        if self.channels[channel_id]["delete_at"]:
            raise Refused(400, "api.post.create_post.can_not_post_to_deleted.error")
        if body.get("id"):
            raise Refused(400, "api.context.invalid_body_param.app_error")
        if len(message) > self.settings["max_post_size"]:
            raise Refused(400, "model.post.is_valid.message_length.app_error",
                          "Post Message property is longer than the maximum permitted length.")
        root = body.get("root_id", "")
        if root and (root not in self.all_posts or self.all_posts[root]["root_id"] or
                     self.all_posts[root]["channel_id"] != channel_id):
            raise Refused(400, "api.post.create_post.root_id.app_error", "Invalid RootId parameter.")
        pending = body.get("pending_post_id", "")
        if pending in self.pending:
            at, post_id = self.pending[pending]
            if time.monotonic() - at < self.settings["dedup"]:
                if post_id is None:
                    raise Refused(500, "api.post.deduplicate_create_post.pending")
                return {k: v for k, v in self.all_posts[post_id].items() if k != "metadata"}
        now = self._now()
        props = dict(body.get("props") or {})
        if self.users[user]["is_bot"]:
            props["from_bot"] = "true"
        post = {"id": new_id(), "create_at": now, "update_at": now, "edit_at": 0, "delete_at": 0, "is_pinned": False,
                "user_id": user, "channel_id": channel_id, "root_id": root, "original_id": "", "message": message,
                "type": "", "props": props, "hashtags": "",
                "file_ids": [f for f in body.get("file_ids") or [] if f in self.files], "pending_post_id": "",
                "remote_id": "", "reply_count": 0, "last_reply_at": 0, "participants": None, "metadata": {}}
        post.update(more or {})
        self.all_posts[post["id"]] = post
        if pending:
            self.pending[pending] = (time.monotonic(), post["id"])
        named = mentioned_names(text_of(post), [u["username"] for u in self.users.values()])
        hit = {u["id"] for u in self.users.values() if u["username"] in named} & self.members[channel_id]
        self.pings += [(post["id"], name) for name in sorted(named)]
        if self.channels[channel_id]["type"] == "D":
            hit |= self.members[channel_id] - {user}
        if not quiet:
            shown = {**post, "pending_post_id": pending}
            self._publish("posted", {
                "channel_display_name": self.channels[channel_id]["display_name"],
                "channel_name": self.channels[channel_id]["name"], "channel_type": self.channels[channel_id]["type"],
                "post": json.dumps(shown), "sender_name": "@" + self.users[user]["username"], "set_online": True,
                "team_id": self.channels[channel_id]["team_id"]}, channel_id, mentions=hit)
        return {**post, "pending_post_id": pending}

    def _react(self, user, post_id, emoji, quiet=False):
        post = self.all_posts.get(post_id)
        if post is None:
            raise Refused(404, "app.post.get.app_error")
        reaction = {"user_id": user, "post_id": post_id, "emoji_name": emoji, "create_at": self._now(),
                    "update_at": self._now(), "delete_at": 0, "remote_id": "", "channel_id": post["channel_id"]}
        known = self.reactions.setdefault(post_id, [])
        if not any(r["user_id"] == user and r["emoji_name"] == emoji for r in known):
            known.append(reaction)
        if not quiet:
            self._publish("reaction_added", {"reaction": json.dumps(reaction)}, post["channel_id"])
        return reaction
