"""The REST API (v4) of the fake Mattermost, and the upgrade to a websocket."""

import asyncio
import base64
import hashlib
import json
import re
import socket
import ssl
import struct
import time
import urllib.parse

from fake_mattermost_socket import Socket
from fake_mattermost_world import BODY_LIMIT, DIRECT, TEAM, VERSION, Dropped, Refused, new_id


class RestSide:
    """The half of FakeMattermost that answers requests."""

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
        return self.chance(line) if self.chance else None

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
