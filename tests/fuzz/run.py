"""Runs each fuzz target for a while, from its corpus: python3 run.py BUILD_DIR SECONDS [NAMES...]

The corpus of a target (corpus/<name>/) is played first, so an input that once broke something is tried every time. A new
one that does is left there, to be kept with the fix; inputs that merely reach new code stay in the build directory.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def run(target, seconds):
    """Whether the target held; prints one line about it."""
    name = target.name.removeprefix('fuzz-')
    corpus = HERE / 'corpus' / name
    grown = target.parent / (target.name + '.grown')
    grown.mkdir(exist_ok=True)
    done = subprocess.run(
        [target, f'-max_total_time={seconds}', '-max_len=4096', '-timeout=10', '-rss_limit_mb=1024', '-print_final_stats=1',
         f'-artifact_prefix={corpus}/', grown, corpus],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace', timeout=seconds * 2 + 120)
    inputs = re.search(r'number_of_executed_units:\s*(\d+)', done.stderr)
    cover = re.findall(r'\bcov: (\d+)', done.stderr)
    if done.returncode == 0:
        print(f'{name}: {inputs[1] if inputs else "?"} inputs, {cover[-1] if cover else "?"} edges, nothing found')
        return True
    # Named as what it is: bytes that no editor or formatter may touch.
    for found in corpus.iterdir():
        if not found.suffix:
            found.rename(found.with_suffix('.bin'))
    print(f'{name}: FAILED; what broke it is in {corpus}')
    print(done.stderr[-6000:])
    return False


def main():
    build, seconds, names = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    targets = sorted(path for path in (build / 'tests/fuzz').glob('fuzz-*') if path.is_file())
    targets = [target for target in targets if not names or target.name.removeprefix('fuzz-') in names]
    if not targets:
        sys.exit('no fuzz targets: configure with -Dfuzz=true and build them')
    # Every target runs, whatever the one before it found.
    if not all([run(target, seconds) for target in targets]):
        sys.exit(1)


main()
