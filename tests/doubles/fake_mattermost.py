"""A double of Mattermost: its REST API (v4) and its websocket, over TLS, with the real server's rules, and faults on
demand. It runs in a thread of the test; every public method may be called from the test's own.

What it copies are the server's habits that a client can stumble over: a refused token is no 401 at the upgrade but a
cut five seconds later; a connection taken up says no hello; numbers are given when an event is sent, and the last 128
sent are kept for a replay; a connection that was not seen to end cannot be taken up; a revoked session stays open and
falls silent; a 429 is text; a post repeated within 30 s under its pending_post_id is one post; mentions are told to
each user alone. Times are settings, so that a test need not wait for them.
"""

import asyncio
import base64
import collections
import concurrent.futures
import hashlib
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certificates  # noqa: E402
from fake_mattermost_text import mentioned_names  # noqa: E402

LIMIT = float(os.environ.get("SHIPMATE_TEST_LIMIT", "60"))
ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
BOT, ALICE, BOB = "9k6kifh8nik5pniy1w3i17xgnc", "cqnqfcoajxf9mdsc6rgkxj1s8o", "b1s8ocqnqfcoajxf9mdsc6rgkx"
TEAM = "9nkrr9gbaia9x8pr1an69natfh"
CHANNEL, OTHER_CHANNEL = "r5b1r3j8qbtyh3fc1bwn7p1ojo", "h3fc1bwn7p1ojor5b1r3j8qbty"
SECRET_CHANNEL, DIRECT = "p1ojor5b1r3j8qbtyh3fc1bwn7", "1bwn7p1ojor5b1r3j8qbtyh3fc"
TOKEN = "test-token"
SENT_KEPT, QUEUE_LIMIT, MESSAGE_LIMIT, BODY_LIMIT = 128, 256, 8192, 300000
VERSION = "11.9.0"


def new_id():
    return "".join(random.choices(ALPHABET, k=26))


class Refused(Exception):
    def __init__(self, status, error_id, message=""):
        super().__init__(error_id)
        self.status, self.error_id, self.message = status, error_id, message


class Dropped(Exception):
    """The connection is to end as it stands."""


class WebConn:
    """One client's end, as the server keeps it: it outlives a socket for a while."""

    def __init__(self, user):
        self.id, self.user = new_id(), user
        self.sequence = 0                      # of the next event
        self.sent = collections.deque(maxlen=SENT_KEPT)
        self.queue = collections.deque()
        self.socket = None

    @property
    def active(self):
        return self.socket is not None


class Socket:
    """One websocket."""

    def __init__(self, reader, writer, token):
        self.reader, self.writer, self.token = reader, writer, token
        self.conn, self.wake = None, asyncio.Event()
        self.frozen = False                    # nothing is read or written any more, and nobody is told
        self.last_pong = time.monotonic()

    def frame(self, opcode, payload):
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack("!H", size)
        else:
            head += bytes([127]) + struct.pack("!Q", size)
        if not self.frozen:
            self.writer.write(head + payload)

    def text(self, text):
        self.frame(1, text.encode())

    def cut(self, reset=True):
        raw = self.writer.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def read(self):
        """(opcode, payload) of the next message; Dropped at its end."""
        payload, opcode = b"", None
        while True:
            head = await self.reader.readexactly(2)
            size = head[1] & 127
            if size == 126:
                size = struct.unpack("!H", await self.reader.readexactly(2))[0]
            elif size == 127:
                size = struct.unpack("!Q", await self.reader.readexactly(8))[0]
            if not head[1] & 128:
                raise Dropped
            mask = await self.reader.readexactly(4)
            if size + len(payload) > MESSAGE_LIMIT:
                self.frame(8, struct.pack("!H", 1009))
                await self.writer.drain()
                raise Dropped
            data = await self.reader.readexactly(size)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
            if head[0] & 15 >= 8:
                return head[0] & 15, data
            opcode = head[0] & 15 or opcode
            payload += data
            if head[0] & 128:
                return opcode, payload


class FakeMattermost:
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
        named = mentioned_names(message, [u["username"] for u in self.users.values()])
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

    # ---- The websocket ----

    def _publish(self, event, data, channel="", mentions=(), only=""):
        for conn in list(self.conns):
            if channel and channel in self.members and conn.user not in self.members[channel]:
                continue
            if only and conn.user != only:
                continue
            if conn.active and conn.socket.token is None:
                continue                       # the session is gone: no more events, and no word about it
            if len(conn.queue) >= SENT_KEPT and event in ("typing", "status_change", "multiple_channels_viewed"):
                continue
            if len(conn.queue) >= QUEUE_LIMIT:
                self.conns.remove(conn)
                if conn.active:
                    conn.socket.frame(8, b"")
                    conn.socket.cut(reset=False)
                continue
            own = dict(data)
            if conn.user in mentions:
                own["mentions"] = json.dumps([conn.user])
            conn.queue.append({"event": event, "data": own, "broadcast": {
                "omit_users": None, "user_id": only, "channel_id": channel, "team_id": "", "connection_id": "",
                "omit_connection_id": ""}})
            if conn.active:
                conn.socket.wake.set()

    def _send_next(self, web_socket, message, compact):
        conn = web_socket.conn
        message = {**message, "seq": conn.sequence}
        conn.sequence += 1
        text = json.dumps(message, separators=(",", ":")) + "\n" if compact else json.dumps(message)
        conn.sent.append((message["seq"], text))
        if self.skip_next > 0 and message["event"] != "hello":
            self.skip_next -= 1
            return
        web_socket.text(text)

    def _attach(self, web_socket, conn, hello):
        conn.socket, web_socket.conn = web_socket, conn
        if conn not in self.conns:
            self.conns.append(conn)
        if hello:
            conn.sequence = 0
            conn.sent.clear()
            self._send_next(web_socket, {"event": "hello", "data": {
                "connection_id": conn.id, "server_hostname": "mm-0",
                "server_version": f"{VERSION}.{VERSION}.5f2e8c0a1b3d4e6f.false"}, "broadcast": {
                    "omit_users": None, "user_id": conn.user, "channel_id": "", "team_id": "", "connection_id": "",
                    "omit_connection_id": ""}}, compact=True)
        web_socket.wake.set()

    def _take_up(self, web_socket, user, query):
        """A connection for a socket that came with a session."""
        wanted, number = query.get("connection_id", [""])[0], query.get("sequence_number", [""])[0]
        if wanted:
            if not re.fullmatch("[a-z0-9]{26}", wanted) or not re.fullmatch("[0-9]+", number):
                raise Dropped
            number = int(number)
            for conn in self.conns:
                if conn.id != wanted or conn.user != user or conn.active:
                    continue
                replay = [text for sequence, text in conn.sent if sequence >= number]
                if number == conn.sequence or (replay and conn.sent[0][0] <= number):
                    self._note("resumed", number=number)
                    self._attach(web_socket, conn, hello=False)
                    for text in replay:
                        web_socket.text(text)
                    return
                conn.id = new_id()             # something is lost: the same queue under another name
                self._attach(web_socket, conn, hello=True)
                return
        self._attach(web_socket, WebConn(user), hello=True)

    def _answer_action(self, web_socket, message):
        number, action = message.get("seq", 0), message.get("action", "")

        def fail(status, error_id):
            answer = {"status": "FAIL", **({"seq_reply": number} if number > 0 else {}), "error": {
                "id": error_id, "message": "refused", "detailed_error": "", "status_code": status}}
            web_socket.text(json.dumps(answer, separators=(",", ":")))

        def succeed(data=None):
            answer = {"status": "OK", "seq_reply": number, **({"data": data} if data else {})}
            web_socket.text(json.dumps(answer, separators=(",", ":")))
        if not action:
            return fail(400, "api.web_socket_router.no_action.app_error")
        if number <= 0:
            return fail(400, "api.web_socket_router.bad_seq.app_error")
        if action == "authentication_challenge":
            if web_socket.conn is not None:
                return None                    # no answer at all
            token = (message.get("data") or {}).get("token", "")
            if token not in self.tokens:
                raise Dropped
            web_socket.token = token
            self._attach(web_socket, WebConn(self.tokens[token]), hello=True)
            return succeed()
        if web_socket.token not in self.tokens:
            return fail(401, "api.web_socket_router.not_authenticated.app_error")
        if action == "ping":
            return succeed({"text": "pong", "version": VERSION, "server_time": int(time.time() * 1000) + self.clock_ahead,
                            "node_id": ""})
        if action in ("user_typing", "get_statuses", "get_statuses_by_ids", "presence", "user_update_active_status"):
            return succeed({})
        return fail(500, "api.web_socket_router.bad_action.app_error")

    async def _talk(self, web_socket, query):
        self.sockets.append(web_socket)
        user = self.tokens.get(web_socket.token)
        tasks = []
        try:
            if user:
                self._take_up(web_socket, user, query)
            else:
                web_socket.token = None
            tasks = [asyncio.ensure_future(self._write(web_socket)), asyncio.ensure_future(self._watch(web_socket))]
            while True:
                opcode, payload = await web_socket.read()
                if web_socket.frozen:
                    continue
                if opcode == 8:
                    self._note("close", code=struct.unpack("!H", payload[:2])[0] if len(payload) > 1 else 1005)
                    web_socket.frame(8, payload[:2])
                    break
                if opcode == 9:
                    web_socket.frame(10, payload)
                elif opcode == 10:
                    web_socket.last_pong = time.monotonic()
                elif opcode == 1:
                    try:
                        message = json.loads(payload)
                        if not isinstance(message, dict):
                            raise Dropped
                    except ValueError as error:
                        raise Dropped from error
                    shown = {**message, "data": {}} if message.get("action") == "authentication_challenge" else message
                    self._note("frame", frame=shown)
                    self._answer_action(web_socket, message)
        except (Dropped, asyncio.IncompleteReadError, OSError, ssl.SSLError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            self.sockets.remove(web_socket)
            # A client that vanished behind a dead link is thought to be there for a while yet.
            if web_socket.conn and web_socket.conn.socket is web_socket:
                web_socket.conn.socket = None
                if web_socket.frozen or web_socket.token is None:
                    if web_socket.conn in self.conns:
                        self.conns.remove(web_socket.conn)
            self._note("gone")
            web_socket.cut(reset=False)

    async def _write(self, web_socket):
        while True:
            await web_socket.wake.wait()
            web_socket.wake.clear()
            while web_socket.conn and web_socket.conn.socket is web_socket and web_socket.conn.queue:
                if web_socket.frozen:
                    return
                self._send_next(web_socket, web_socket.conn.queue.popleft(), compact=False)
            await web_socket.writer.drain()

    async def _watch(self, web_socket):
        await asyncio.sleep(self.settings["auth_check"])
        if web_socket.conn is None:
            web_socket.cut(reset=False)
            return
        while True:
            await asyncio.sleep(self.settings["ping"])
            if time.monotonic() - web_socket.last_pong > self.settings["pong_wait"]:
                web_socket.cut(reset=False)
                return
            web_socket.frame(9, b"")

    # ---- HTTP ----

    def _note(self, kind, **more):
        self.notes.append({"kind": kind, "at_ms": int((time.monotonic() - self.began) * 1000), **more})

    async def _client(self, reader, writer):
        try:
            while await self._request(reader, writer):
                pass
        except (Dropped, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    async def _request(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in head[1:] if ":" in line)}
        split = urllib.parse.urlsplit(target)
        query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        path = split.path[len(self.path):] if split.path.startswith(self.path) else "/outside" + split.path
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token if scheme.lower() == "bearer" else ""
        if headers.get("upgrade", "").lower() == "websocket":
            return await self._upgrade(reader, writer, path, query, headers, token)
        size = int(headers.get("content-length", "0"))
        body = await reader.readexactly(size)
        rule = self._rule(f"{method} {path}?{split.query}")
        if rule and "delay" in rule:
            await asyncio.sleep(rule["delay"])
        status, content, answer = 0, "application/json", b""
        if not rule or rule.get("after") or set(rule) <= {"path", "times", "delay"}:
            try:
                status, answer = self._serve_call(method, path, query, headers, token, body)
            except Refused as refused:
                status, answer = refused.status, {
                    "id": refused.error_id, "message": refused.message or "refused", "detailed_error": "",
                    "request_id": new_id(), "status_code": refused.status}
            answer = json.dumps(answer, separators=(",", ":")).encode()
        shown = body.decode("utf-8", "replace")
        try:
            shown = json.loads(shown)
        except ValueError:
            pass
        self._note("rest", method=method, path=path, query=split.query, body=shown, authorized=bool(token),
                   status=rule.get("status", status) if rule else status, act=rule.get("act") if rule else None)
        extra = {}
        if rule and "status" in rule:
            status, answer = rule["status"], rule.get("body", "").encode()
            content, extra = rule.get("content", "text/html"), rule.get("headers", {})
        text = f"HTTP/1.1 {status} X\r\nContent-Type: {content}\r\nContent-Length: {len(answer)}\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in extra.items()) + "X-Request-Id: " + new_id() + "\r\n\r\n"
        act = rule.get("act") if rule else None
        if act == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Dropped
        if act == "half":
            raise Dropped
        if act == "hole":
            await asyncio.sleep(3600)
        if act == "truncate":
            writer.write(text.encode() + answer[:len(answer) // 2])
            await writer.drain()
            raise Dropped
        writer.write(text.encode() + answer)
        await writer.drain()
        return True

    def _rule(self, line):
        for rule in self.rules:
            if re.search(rule["path"], line):
                rule["times"] -= 1
                if rule["times"] <= 0:
                    self.rules.remove(rule)
                return rule
        return None

    async def _upgrade(self, reader, writer, path, query, headers, token):
        self._note("open", path=path, query={k: v[0] for k, v in query.items()}, header=bool(token),
                   origin=headers.get("origin"), cookie=headers.get("cookie"))
        refusal = self.refuse_upgrade
        if path.rstrip("/") != "/api/v4/websocket":
            refusal = (404, "", {})
        if refusal:
            status, body, extra = refusal
            writer.write((f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nContent-Type: text/html\r\n" + "".join(
                f"{k}: {v}\r\n" for k, v in extra.items()) + "\r\n" + body).encode())
            await writer.drain()
            return False
        accept = base64.b64encode(hashlib.sha1(
            (headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        await self._talk(Socket(reader, writer, token[:50]), query)
        return False

    def _serve_call(self, method, path, query, headers, token, body):
        call = f"{method} {path.removeprefix('/api/v4')}" if path.startswith("/api/v4") else ""
        if call == "GET /system/ping":
            return 200, {"status": "OK"}
        if call == "GET /config/client":
            shown = {"Version": VERSION, "SiteURL": self.url, "WebsocketURL": ""}
            if token in self.tokens:
                shown |= {"MaxPostSize": str(self.settings["max_post_size"]),
                          "PostEditTimeLimit": str(self.settings["edit_time_limit"])}
            return 200, shown
        user = self.tokens.get(token)
        if user is None:
            raise Refused(401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.")
        if len(body) > BODY_LIMIT and "/files" not in path:
            raise Refused(413, "api.context.request_body_too_large.app_error")
        for pattern, function in self.CALLS:
            found = re.fullmatch(pattern, call)
            if found:
                return function(self, user, found, query, headers, body)
        raise Refused(404, "api.context.404.app_error", "Sorry, we could not find the page.")

    def _json(self, body):
        try:
            return json.loads(body.decode("utf-8"))
        except ValueError as error:
            raise Refused(400, "api.context.invalid_body_param.app_error") from error

    def _visible(self, user, channel_id):
        if user not in self.members.get(channel_id, ()):
            raise Refused(403, "api.context.permissions.app_error", "You do not have the appropriate permissions.")
        return self.channels[channel_id]

    def _post(self, user, post_id):
        post = self.all_posts.get(post_id)
        if post is None or post["delete_at"]:
            raise Refused(404, "app.post.get.app_error", "Unable to get the post.")
        self._visible(user, post["channel_id"])
        return post

    @staticmethod
    def _list(posts, has_next=False):
        newest = sorted(posts, key=lambda p: p["create_at"], reverse=True)
        return {"order": [p["id"] for p in newest], "posts": {p["id"]: p for p in newest}, "next_post_id": "",
                "prev_post_id": "", "has_next": has_next, "first_inaccessible_post_time": 0}

    def _get_user(self, user, found, query, headers, body):
        wanted = user if found[1] == "me" else found[1]
        if wanted not in self.users:
            raise Refused(404, "app.user.missing_account.const")
        return 200, self.users[wanted]

    def _get_channel_by_name(self, user, found, query, headers, body):
        for channel in self.channels.values():
            if found[1] == "ops" and channel["name"] == found[2] and channel["team_id"] and \
                    (channel["type"] == "O" or user in self.members[channel["id"]]):
                return 200, channel
        raise Refused(404, "app.channel.get_by_name.missing.app_error", "Channel does not exist.")

    def _get_channel(self, user, found, query, headers, body):
        if found[1] not in self.channels:
            raise Refused(404, "app.channel.get.existing.app_error")
        return 200, self._visible(user, found[1])

    def _get_posts(self, user, found, query, headers, body):
        self._visible(user, found[1])
        posts = [p for p in self.all_posts.values() if p["channel_id"] == found[1] and not p["delete_at"]]
        size = min(int(query.get("per_page", ["60"])[0]), 200)
        page = int(query.get("page", ["0"])[0])
        if "after" in query:
            anchor = self.all_posts.get(query["after"][0])
            later = [] if anchor is None else [p for p in posts if p["create_at"] > anchor["create_at"]]
            shown = later[page * size:(page + 1) * size]
            return 200, self._list(shown, has_next=len(later) > (page + 1) * size)
        newest = posts[::-1][page * size:(page + 1) * size]
        return 200, self._list(newest)

    def _create_post(self, user, found, query, headers, body):
        return 201, self._create(user, self._json(body))

    def _patch(self, user, found, query, headers, body):
        post, change = self._post(user, found[1]), self._json(body)
        if post["user_id"] != user:
            raise Refused(403, "api.context.permissions.app_error")
        if len(change.get("message", "")) > self.settings["max_post_size"]:
            raise Refused(400, "model.post.is_valid.message_length.app_error")
        if "message" in change:
            post["message"] = change["message"]
        if "props" in change:                  # replaced whole; only the server's own marks stay
            post["props"] = {**change["props"], **({"from_bot": "true"} if self.users[user]["is_bot"] else {})}
        if "file_ids" in change:
            post["file_ids"] = [f for f in change["file_ids"] if f in self.files]
        post["edit_at"] = post["update_at"] = self._now()
        self._publish("post_edited", {"post": json.dumps(post)}, post["channel_id"])
        return 200, post

    def _delete_post(self, user, found, query, headers, body):
        post = self._post(user, found[1])
        self._publish("post_deleted", {"post": json.dumps(post)}, post["channel_id"])
        post["delete_at"] = self._now()
        return 200, {"status": "OK"}

    def _get_post(self, user, found, query, headers, body):
        return 200, self._post(user, found[1])

    def _get_thread(self, user, found, query, headers, body):
        root = self._post(user, found[1])
        return 200, self._list([p for p in self.all_posts.values() if not p["delete_at"] and
                                (p["id"] == root["id"] or p["root_id"] == root["id"])])

    def _get_reactions(self, user, found, query, headers, body):
        self._post(user, found[1])
        return 200, self.reactions.get(found[1]) or None

    def _add_reaction(self, user, found, query, headers, body):
        asked = self._json(body)
        if asked.get("user_id") != user:
            raise Refused(403, "api.context.permissions.app_error")
        if not re.fullmatch(r"[a-z0-9_+-]{1,64}", asked.get("emoji_name", "")):
            raise Refused(404, "app.emoji.get_by_name.no_result")
        self._post(user, asked.get("post_id", ""))
        return 200, self._react(user, asked["post_id"], asked["emoji_name"])

    def _remove_reaction(self, user, found, query, headers, body):
        known = self.reactions.get(found[1], [])
        self.reactions[found[1]] = [r for r in known if r["user_id"] != user or r["emoji_name"] != found[2]]
        return 200, {"status": "OK"}

    def _upload(self, user, found, query, headers, body):
        channel, name, data = query.get("channel_id", [""])[0], query.get("filename", [""])[0], body
        if headers.get("content-type", "").startswith("multipart/form-data"):
            boundary = headers["content-type"].partition("boundary=")[2].strip('"').encode()
            for part in body.split(b"--" + boundary)[1:-1]:
                head, _, content = part.partition(b"\r\n\r\n")
                if b'name="channel_id"' in head:
                    channel = content[:-2].decode()
                elif b'name="files"' in head:
                    data, name = content[:-2], re.search(rb'filename="([^"]*)"', head)[1].decode()
        self._visible(user, channel)
        info = {"id": new_id(), "user_id": user, "channel_id": channel, "create_at": self._now(), "name": name,
                "extension": name.rpartition(".")[2], "size": len(data), "mime_type": "text/plain"}
        self.files[info["id"]] = {**info, "data": data}
        return 201, {"file_infos": [info], "client_ids": []}

    def file(self, file_id):
        return self._call(lambda: self.files[file_id])

    def _users_by_ids(self, user, found, query, headers, body):
        return 200, [self.users[i] for i in self._json(body) if i in self.users]

    def _own_channels(self, user, found, query, headers, body):
        return 200, [c for c in self.channels.values() if user in self.members[c["id"]]]

    def _direct(self, user, found, query, headers, body):
        return 201, self.channels[DIRECT]

    def _nothing(self, user, found, query, headers, body):
        return 200, []

    def _fine(self, user, found, query, headers, body):
        return 200, {"status": "OK"}

    def _teams(self, user, found, query, headers, body):
        return 200, [{"id": TEAM, "name": "ops", "display_name": "Ops", "type": "O", "delete_at": 0}]

    def _all_users(self, user, found, query, headers, body):
        return 200, list(self.users.values())

    CALLS = [
        (r"GET /users/me/preferences", _nothing), (r"GET /users/me/teams", _teams),
        (r"GET /users/me/teams/([^/]+)/channels", _own_channels), (r"GET /users", _all_users),
        (r"POST /users/ids", _users_by_ids), (r"POST /users/me/typing", _fine), (r"GET /users/([^/]+)", _get_user),
        (r"GET /teams/name/([^/]+)/channels/name/([^/]+)", _get_channel_by_name),
        (r"POST /channels/direct", _direct), (r"GET /channels/([^/]+)", _get_channel),
        (r"GET /channels/([^/]+)/posts", _get_posts), (r"POST /posts", _create_post),
        (r"PUT /posts/([^/]+)/patch", _patch), (r"DELETE /posts/([^/]+)", _delete_post),
        (r"GET /posts/([^/]+)", _get_post), (r"GET /posts/([^/]+)/thread", _get_thread),
        (r"GET /posts/([^/]+)/reactions", _get_reactions), (r"POST /reactions", _add_reaction),
        (r"DELETE /users/[^/]+/posts/([^/]+)/reactions/([^/]+)", _remove_reaction), (r"POST /files", _upload)]
