"""The websocket of the fake Mattermost: connections that outlive a socket, numbers, replays, and what becomes of a refused
or revoked token."""

import asyncio
import collections
import json
import re
import socket
import ssl
import struct
import time

from fake_mattermost_world import MESSAGE_LIMIT, QUEUE_LIMIT, SENT_KEPT, VERSION, Dropped, new_id


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


class SocketSide:
    """The half of FakeMattermost that talks on sockets."""

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
        for frame in self.mangle(web_socket, text) if self.mangle and message["event"] != "hello" else (text,):
            web_socket.text(frame)

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
