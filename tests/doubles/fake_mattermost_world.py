"""What all parts of the fake Mattermost know: the ids of its small world, and what ends a request or a connection."""

import random


ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
BOT, ALICE, BOB = "9k6kifh8nik5pniy1w3i17xgnc", "cqnqfcoajxf9mdsc6rgkxj1s8o", "b1s8ocqnqfcoajxf9mdsc6rgkx"
TEAM = "9nkrr9gbaia9x8pr1an69natfh"
CHANNEL, OTHER_CHANNEL = "r5b1r3j8qbtyh3fc1bwn7p1ojo", "h3fc1bwn7p1ojor5b1r3j8qbty"
SECRET_CHANNEL, DIRECT = "p1ojor5b1r3j8qbtyh3fc1bwn7", "1bwn7p1ojor5b1r3j8qbtyh3fc"
TOKEN = "test-token"
SENT_KEPT, QUEUE_LIMIT, MESSAGE_LIMIT, BODY_LIMIT = 128, 256, 8192, 300000
VERSION = "11.9.0"


def text_of(post):
    """All that a reader of a post reads."""
    shown = [post["message"]]
    for attachment in post["props"].get("attachments") or []:
        shown += [attachment.get("pretext", ""), attachment.get("title", ""), attachment.get("text", "")]
    return "\n".join(part for part in shown if part)


def new_id():
    return "".join(random.choices(ALPHABET, k=26))


class Refused(Exception):
    def __init__(self, status, error_id, message=""):
        super().__init__(error_id)
        self.status, self.error_id, self.message = status, error_id, message


class Dropped(Exception):
    """The connection is to end as it stands."""
