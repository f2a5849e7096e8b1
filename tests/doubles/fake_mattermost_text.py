"""Whom a Mattermost server would notify of a text: names are looked for outside code only, as its own parser does."""

import re

EVERYBODY = ("all", "channel", "here")


def _without_code(text):
    kept, fence = [], None
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        mark = re.match(r" {0,3}(`{3,}|~{3,})(.*)$", line)
        if fence is not None:
            closing = re.match(r" {0,3}(`+|~+)[ \t]*$", line)
            if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
                fence = None
            continue
        if mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            continue
        kept.append(line)
    plain = "\n".join(kept)
    # Spans: a run of backticks to the next run of the same length.
    out, at = [], 0
    while True:
        opening = re.search(r"`+", plain[at:])
        if not opening:
            out.append(plain[at:])
            return "".join(out)
        begin, end = at + opening.start(), at + opening.end()
        closing = re.search(rf"(?<!`)`{{{end - begin}}}(?!`)", plain[end:])
        if not closing:
            out.append(plain[at:end])
            at = end
            continue
        out.append(plain[at:begin] + " ")
        at = end + closing.end()


def mentioned_names(text, names):
    found = set()
    for word in re.findall(r"[\w:._@-]+", _without_code(text)):
        for part in re.findall(r"@([\w:.-]+)", word):
            while part:
                if part.lower() in names or part.lower() in EVERYBODY:
                    found.add(part.lower())
                    break
                if part[-1] not in ".-:_":
                    break
                part = part[:-1]
    return found
