"""Adds up what the test programs counted, and closes with "N passed, N failed[, N skipped]".

Reads Meson's testlog.json. A doctest or unittest program counts its cases; any other counts as one. A program that
died, or whose count is missing although it failed, counts as one failure, so that nothing can fail unseen.
"""

import json
import re
import sys

DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed(?:\s*\|\s*(\d+) skipped)?")
UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)
UNITTEST_END = re.compile(r"^(OK|FAILED)(?: \(([^)]*)\))?\s*$", re.MULTILINE)


def count(entry):
    """(passed, failed, skipped) of one program."""
    text = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    good = entry["result"] in ("OK", "EXPECTEDFAIL")
    if entry["result"] == "SKIP":
        return 0, 0, 1
    passed = failed = skipped = 0
    found = False
    for match in DOCTEST.finditer(text):
        found = True
        passed += int(match[2])
        failed += int(match[3])
    runs = UNITTEST.findall(text)
    ends = UNITTEST_END.findall(text)
    if runs and ends:
        found = True
        numbers = dict(re.findall(r"(\w+)=(\d+)", " ".join(end[1] for end in ends)))
        total = sum(int(run) for run in runs)
        lost = int(numbers.get("failures", 0)) + int(numbers.get("errors", 0))
        left_out = int(numbers.get("skipped", 0))
        passed += max(total - lost - left_out, 0)
        failed += lost
        skipped += left_out
    if not found:
        return (1, 0, 0) if good else (0, 1, 0)
    if not good and failed == 0:
        failed += 1
    return passed, failed, skipped


def main(path):
    totals = [0, 0, 0]
    try:
        with open(path, encoding="utf-8") as log:
            entries = [json.loads(line) for line in log if line.strip()]
    except OSError as error:
        print(f"no test log: {error}", file=sys.stderr)
        entries = []
    for entry in sorted(entries, key=lambda e: e["name"]):
        counted = count(entry)
        totals = [a + b for a, b in zip(totals, counted)]
        print(f"{entry['name']}: {entry['result']} in {entry['duration']:.1f} s: "
              f"{counted[0]} passed, {counted[1]} failed, {counted[2]} skipped")
    if not entries:
        totals[1] += 1
    print(f"{totals[0]} passed, {totals[1]} failed" + (f", {totals[2]} skipped" if totals[2] else ""))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
