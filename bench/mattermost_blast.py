"""As much of Mattermost as one bot needs, over a plain socket of 127.0.0.1, written to cost little itself: events are
prepared, and written in big pieces. It runs in a thread, serves one websocket, and checks nothing."""

import base64
import hashlib
import json
import re
import select
import socket
import struct
import threading

BOT, ALICE = "9k6kifh8nik5pniy1w3i17xgnc", "cqnqfcoajxf9mdsc6rgkxj1s8o"
CHANNEL, OTHER = "r5b1r3j8qbtyh3fc1bwn7p1ojo", "h3fc1bwn7p1ojor5b1r3j8qbty"
ME = {"id": BOT, "username": "shipmate", "is_bot": True, "delete_at": 0, "create_at": 1, "update_at": 1}
PIECE = 500


def post_of(number, channel, message):
    """What a server sends of a post: compact, and the post as JSON inside a string."""
    post = {"id": f"{number:026d}", "create_at": 1760000000000, "update_at": 1760000000000, "edit_at": 0, "delete_at": 0,
            "is_pinned": False, "user_id": ALICE, "channel_id": channel, "root_id": "", "original_id": "",
            "message": message, "type": "", "props": {"disable_group_highlight": True}, "hashtags": "", "file_ids": [],
            "pending_post_id": "", "remote_id": "", "reply_count": 0, "last_reply_at": 0, "participants": None,
            "metadata": {}}
    return {"event": "posted", "data": {
        "channel_display_name": "Town Square", "channel_name": "town-square", "channel_type": "O",
        "post": json.dumps(post, separators=(",", ":")), "sender_name": "@alice", "set_online": True,
        "team_id": "9nkrr9gbaia9x8pr1an69natfh"}, "broadcast": {
            "omit_users": None, "user_id": "", "channel_id": channel, "team_id": "", "connection_id": "",
            "omit_connection_id": ""}, "seq": number}


def frame(text):
    data = text.encode()
    head = bytes([0x81, len(data)]) if len(data) < 126 else b"\x81\x7e" + struct.pack("!H", len(data))
    return head + data


class Blast:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.number, self.answers, self.web_socket = 0, 0, None
        self.ready, self.ended = threading.Event(), False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def events(self, count):
        """That many events of another channel, as pieces to be sent."""
        message = "so it goes, with some *words* in it, an :emoji: and a link to https://example.com/a/b?c=d" * 2
        text = json.dumps(post_of(0, OTHER, message), separators=(",", ":"))
        start, end = text[:text.rindex('"seq":') + 6], "}\n"
        frames = [frame(f"{start}{self.number + i}{end}") for i in range(count)]
        self.number += count
        return [b"".join(frames[i:i + PIECE]) for i in range(0, count, PIECE)]

    def command(self):
        """One that is for us; it is answered once all before it is dealt with."""
        text = json.dumps(post_of(self.number, CHANNEL, "!count"), separators=(",", ":"))
        self.number += 1
        return frame(text.replace(f"{self.number - 1:026d}", f"{self.number:026d}"))

    def send(self, data):
        self.web_socket.sendall(data)

    def close(self):
        self.ended = True
        self.thread.join(timeout=10)
        self.listener.close()

    # In the thread.

    def _serve(self):
        links = {}
        while not self.ended:
            for link in select.select([self.listener, *links], [], [], 0.05)[0]:
                if link is self.listener:
                    links[link.accept()[0]] = b""
                    continue
                try:
                    data = link.recv(1 << 16)
                except OSError:
                    data = b""
                if not data:
                    links.pop(link)
                    link.close()
                    continue
                links[link] = (self._frames if link is self.web_socket else self._requests)(link, links[link] + data)
        for link in links:
            link.close()

    def _frames(self, link, data):
        while len(data) >= 6:
            size, start = data[1] & 127, 6
            if size == 126:
                size, start = struct.unpack("!H", data[2:4])[0], 8
            if len(data) < start + size:
                break
            mask, payload = data[start - 4:start], data[start:start + size]
            text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
            if data[0] & 15 == 1 and b'"ping"' in text:
                number = json.loads(text)["seq"]
                link.sendall(frame(f'{{"status":"OK","seq_reply":{number},"data":{{"text":"pong","server_time":1}}}}'))
            data = data[start + size:]
        return data

    def _requests(self, link, data):
        while b"\r\n\r\n" in data:
            head, _, rest = data.partition(b"\r\n\r\n")
            line, _, fields = head.decode("latin-1").partition("\r\n")
            length = re.search(r"(?im)^content-length: *(\d+)", fields)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                break
            key = re.search(r"(?im)^sec-websocket-key: *(\S+)", fields)
            if key:
                accept = base64.b64encode(hashlib.sha1(
                    (key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
                hello = {"event": "hello", "data": {"connection_id": "boqohmz3diwm5ck696kwe1fauy", "server_version": "11"},
                         "broadcast": {"user_id": BOT, "channel_id": ""}, "seq": 0}
                link.sendall(f"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode() + frame(json.dumps(hello)))
                self.web_socket, self.number = link, 1
                self.ready.set()
                return rest
            self._answer(link, *line.split(" ")[:2])
            data = rest[size:]
        return data

    def _answer(self, link, method, target):
        status, body = 200, {}
        if "/users/me" in target:
            body = ME
        elif "/config/client" in target:
            body = {"MaxPostSize": "16383"}
        elif "/posts?" in target:
            body = {"order": [], "posts": {}}
        elif method == "POST" and target.endswith("/posts"):
            self.answers += 1
            status, body = 201, {"id": f"{10 ** 9 + self.answers:026d}"}
        elif "/channels/" in target:
            body = {"id": CHANNEL, "type": "O", "name": "deploys"}
        text = json.dumps(body).encode()
        link.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() +
                     text)
