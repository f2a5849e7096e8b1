"""The unit backend, and the program as a unit, against a real systemd, booted for the purpose in namespaces of its own.

The root of that machine is made once by debootstrap, from the mirror that this machine's apt uses, and kept in the build
directory. Each run boots on a copy in memory, so nothing of it is left behind, whatever happens: not a process, not a
mount, not a cgroup. Every wait has a limit.

Usage: systemd_test.py TEST_BINARY SHIPMATE CACHE_FOLDER [unittest arguments...]
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BINARY = None
PROGRAM = None
CACHE = None

PACKAGES = 'systemd,systemd-sysv,dbus'
TOOLS = ['debootstrap', 'unshare', 'nsenter', 'setpriv', 'pivot_root', 'ldd', 'apt-get']
MAKE_LIMIT_S = 900
BOOT_LIMIT_S = 120
SUITE_LIMIT_S = 300
# What boots by itself in a fresh Debian, and has no business here.
MASKED = ['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'fstrim.timer',
          'console-getty.service', 'getty.target', 'systemd-logind.service', 'systemd-networkd-wait-online.service']


class Missing(Exception):
    """This machine lacks what the test needs; the text says what."""


def text_of(argv, limit=60):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit, check=True).stdout


# --- the root ---------------------------------------------------------------------------------------------------------


def suite_here():
    release = pathlib.Path('/etc/os-release').read_text(encoding='utf-8')
    found = re.search(r'^VERSION_CODENAME="?(\w+)', release, re.MULTILINE)
    if not found or not pathlib.Path('/usr/share/debootstrap/scripts', found.group(1)).exists():
        raise Missing('debootstrap does not know this distribution')
    return found.group(1)


def mirror_here(suite):
    """The mirror that apt uses for `suite` on this machine."""
    listed = text_of(['apt-get', 'indextargets', '--format', '$(CODENAME) $(SUITE) $(REPO_URI)', 'Identifier: Packages'])
    for line in listed.splitlines():
        codename, name, uri = line.split(' ', 2)
        if suite in (codename, name):
            return uri
    raise Missing(f'apt has no source for {suite}')


def environment_of_debootstrap():
    """Ours, with the proxy that apt is told to use."""
    environment = dict(os.environ, DEBIAN_FRONTEND='noninteractive', LC_ALL='C')
    for scheme in ('http', 'https'):
        told = text_of(['apt-config', 'shell', 'proxy', f'Acquire::{scheme}::Proxy']).strip()
        if told.startswith("proxy='") and told != "proxy='DIRECT'":
            environment[f'{scheme}_proxy'] = told[len("proxy='"):-1]
    return environment


def make_root(cache):
    """The root folder under `cache`, made now unless it is there already."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / 'systemd-root.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        suite = suite_here()
        root, stamp = cache / 'systemd-root', cache / 'systemd-root.made'
        wanted = f'{suite} {PACKAGES} {" ".join(MASKED)}\n'
        if root.is_dir() and stamp.exists() and stamp.read_text(encoding='utf-8') == wanted:
            return root
        stamp.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        # Of its own mounts (a /proc in the new root) nothing is left either, even when it is killed.
        argv = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--fork', '--kill-child', '--pid', '--mount', '--mount-proc',
                'debootstrap', '--variant=minbase', f'--include={PACKAGES}', suite, str(root), mirror_here(suite)]
        try:
            made = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors='replace', env=environment_of_debootstrap(), timeout=MAKE_LIMIT_S, check=False)
            status, said = made.returncode, made.stdout
        except subprocess.TimeoutExpired as late:
            status, said = 1, (late.stdout or b'').decode(errors='replace')
        if status != 0:
            last = ' / '.join(said.strip().splitlines()[-3:])
            if re.search(r'Failed getting release|Couldn.t download|Retrieving InRelease\s*$', said):
                raise Missing(f'no package mirror can be reached: {last}')
            raise RuntimeError(f'debootstrap failed: {last}')
        for unit in MASKED:
            link = root / 'etc/systemd/system' / unit
            link.unlink(missing_ok=True)
            link.symlink_to('/dev/null')
        for spare in ('var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale'):
            shutil.rmtree(root / spare, ignore_errors=True)
        stamp.write_text(wanted, encoding='utf-8')
        return root


# --- the machine ------------------------------------------------------------------------------------------------------


def own_cgroups(name):
    """A new cgroup called `name` below ours in each hierarchy that systemd manages; leftovers of the dead are removed."""
    ours = {}
    for line in pathlib.Path('/proc/self/cgroup').read_text(encoding='utf-8').splitlines():
        _, controllers, path = line.split(':', 2)
        ours[controllers] = path
    made = []
    for line in pathlib.Path('/proc/self/mountinfo').read_text(encoding='utf-8').splitlines():
        before, _, after = line.partition(' - ')
        kind, _, options = after.split(' ', 2)
        shown, mounted = before.split(' ')[3:5]
        if kind == 'cgroup2':
            controllers = ''
        elif kind == 'cgroup' and 'name=systemd' in options:
            controllers = 'name=systemd'
        else:
            continue
        path = ours.get(controllers, '/')
        below = path[len(shown):] if shown != '/' and path.startswith(shown) else path
        parent = pathlib.Path(mounted + below)
        if not parent.is_dir():
            continue
        for stale in parent.glob('shipmate-systemd-*'):
            if not pathlib.Path('/proc', stale.name.rpartition('-')[2]).exists():
                remove_cgroup(stale, 0)
        # A hierarchy may be mounted in more than one place.
        if (parent / name).exists():
            continue
        (parent / name).mkdir()
        made.append(parent / name)
    return made


def remove_cgroup(path, limit):
    """Removes the tree of cgroups at `path`; False when something still lives in it after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if not path.exists():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)


def libraries_of(binary):
    """(file, name) of each shared library of `binary` that a minimal root may lack: all but those of the C library, which
    is the root's own."""
    of_libc = re.compile(r'(ld-linux|libc\.|libm\.|libdl\.|librt\.|libpthread\.|libresolv\.)')
    for line in text_of(['ldd', str(binary)]).splitlines():
        found = re.match(r'\s*(\S+) => (/\S+)', line)
        if found and not of_libc.match(found.group(1)):
            yield pathlib.Path(found.group(2)).resolve(), found.group(1)


class Machine:
    """A booted systemd. Ends with this process at the latest."""

    INSIDE = '/opt/shipmate'

    def __init__(self, root, binaries):
        """`binaries` are shown inside by their names there."""
        for stale in root.parent.glob('systemd-machine-*'):
            if not pathlib.Path('/proc', stale.name.rpartition('-')[2]).exists():
                shutil.rmtree(stale, ignore_errors=True)  # its mounts ended with its namespace
        self.scratch = root.parent / f'systemd-machine-{os.getpid()}'
        self.scratch.mkdir()
        self.cgroups = []
        self.outer = None
        self.init = None
        try:
            self._boot(root, binaries)
        except BaseException:
            self.stop()
            raise

    def _boot(self, root, binaries):
        (self.scratch / 'mount').mkdir()
        (self.scratch / 'log').touch()
        binds = [(binary, f'{self.INSIDE}/{name}') for name, binary in binaries.items()]
        libraries = {name: file for binary in binaries.values() for file, name in libraries_of(binary)}
        binds += [(file, f'{self.INSIDE}/lib/{name}') for name, file in libraries.items()]
        (self.scratch / 'binds').write_text(''.join(f'{source} {target}\n' for source, target in binds), encoding='utf-8')
        self.cgroups = own_cgroups(f'shipmate-systemd-{os.getpid()}')
        with open(self.scratch / 'said', 'wb') as said:
            self.outer = subprocess.Popen(
                ['sh', str(HERE / 'boot.sh'), 'outer', *map(str, self.cgroups), '--', str(root), str(self.scratch / 'mount'),
                 str(HERE / 'units'), str(self.scratch / 'binds'), str(self.scratch / 'log')],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + BOOT_LIMIT_S
        state = 'nothing'
        while time.monotonic() < end:
            if self.outer.poll() is not None:
                break
            self.init = self.init or self._child_of(self.outer.pid)
            if self.init:
                _, state = self.run(['systemctl', 'is-system-running'], 20)
                if state.strip() in ('running', 'degraded'):
                    return
            time.sleep(0.2)
        said = (self.scratch / 'said').read_text(errors='replace') + (self.scratch / 'log').read_text(errors='replace')
        raise RuntimeError(f'systemd did not come up ({state.strip()}):\n' + said[-4000:])

    @staticmethod
    def _child_of(parent):
        for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
            try:
                fields = stat.read_text().rpartition(')')[2].split()
            except OSError:
                continue  # it has just ended
            if int(fields[1]) == parent:
                return int(stat.parent.name)
        return None

    def run(self, argv, limit):
        """(exit status, output) of a command inside."""
        inside = ['nsenter', '-t', str(self.init), '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--wd=/',
                  '/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', *argv]
        try:
            done = subprocess.run(inside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors='replace', timeout=limit, check=False)
            return done.returncode, done.stdout
        except subprocess.TimeoutExpired as late:
            return -1, (late.stdout or b'').decode(errors='replace') + f'\n{argv[0]} did not end within {limit} s\n'

    def stop(self):
        """Ends it at once; its first process takes all others with it. What is left behind, as sentences."""
        left = []
        if self.outer is not None:
            self.outer.kill()
            try:
                self.outer.wait(20)
            except subprocess.TimeoutExpired:
                left.append(f'process {self.outer.pid} does not end')
        for cgroup in self.cgroups:
            if not remove_cgroup(cgroup, 30):
                left.append(f'cgroup {cgroup} is not empty')
        if str(self.scratch) in pathlib.Path('/proc/self/mounts').read_text(encoding='utf-8'):
            left.append(f'something is mounted below {self.scratch}')
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)
        return left


# --- the tests --------------------------------------------------------------------------------------------------------


def why_not_here():
    if os.geteuid() != 0:
        return 'only root may make namespaces and mounts'
    lacking = [tool for tool in TOOLS if not shutil.which(tool)]
    if lacking:
        return f'not installed: {", ".join(lacking)}'
    probe = subprocess.run(['unshare', '--fork', '--pid', '--mount', '--uts', '--ipc', '--net', '--cgroup', 'true'],
                           capture_output=True, text=True, timeout=30, check=False)
    return f'no namespaces here: {probe.stderr.strip()}' if probe.returncode != 0 else None


class OnMachine(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        reason = why_not_here()
        if reason:
            raise unittest.SkipTest(reason)
        try:
            root = make_root(CACHE)
        except Missing as missing:
            raise unittest.SkipTest(str(missing)) from missing
        cls.machine = Machine(root, {'test': BINARY, 'shipmate': PROGRAM})

    @classmethod
    def tearDownClass(cls):
        left = cls.machine.stop()
        if left:
            raise AssertionError('; '.join(left))


class RealSystemd(OnMachine):

    def cases_pass(self, suite, as_user):
        argv = [*as_user, '/usr/bin/env', f'LD_LIBRARY_PATH={Machine.INSIDE}/lib', 'ASAN_OPTIONS=detect_leaks=0',
                f'{Machine.INSIDE}/test', f'--test-suite={suite}', '--no-colors']
        status, said = self.machine.run(argv, SUITE_LIMIT_S)
        self.assertEqual(status, 0, said)
        ran = re.search(r'test cases:\s+(\d+) \|\s+(\d+) passed', said)
        self.assertTrue(ran and int(ran.group(1)) > 0 and ran.group(1) == ran.group(2), said)

    def test_as_root(self):
        self.cases_pass('root', [])

    def test_as_a_user_without_rights(self):
        self.cases_pass('stranger', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])


SETUP = r'''
echo /opt/shipmate/lib >/etc/ld.so.conf.d/shipmate.conf
ldconfig
mkdir -p /etc/shipmate/services /etc/systemd/system/shipmate.service.d
cat >/etc/systemd/system/shipmate.service.d/test.conf <<'END'
[Unit]
StartLimitIntervalSec=0
[Service]
User=root
Environment=ASAN_OPTIONS=detect_leaks=0
ExecStart=
ExecStart=/opt/shipmate/shipmate --config /etc/shipmate/config.yaml --env "" --interactive
StandardInput=file:/run/talk
RestartSec=100ms
WatchdogSec=8
END
cat >/etc/shipmate/config.yaml <<'END'
services_dir: services
state_dir: /var/lib/shipmate
log_dir: /var/log/shipmate
END
cat >/etc/shipmate/services/web.yaml <<'END'
process: {cmd: exec sleep 100000}
END
cat >/etc/shipmate/services/talker.yaml <<'END'
service_name: shipmate-talker
END
cat >/etc/shipmate/services/self.yaml <<'END'
service_name: bot
adopt: false
END
ln -s /etc/systemd/system/shipmate.service /etc/systemd/system/bot.service
mkfifo /run/talk
systemctl daemon-reload
systemd-run --unit talk sh -c 'exec sleep infinity 3<>/run/talk'
systemctl start shipmate-talker
'''


class AsUnit(OnMachine):
    """The program as the unit of docs/shipmate.service, in a console that is a pipe."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        status, said = cls.machine.run(['sh', '-ec', SETUP], 60)
        if status != 0:
            cls.machine.stop()
            raise AssertionError(said)

    def sh(self, script, limit=60):
        status, said = self.machine.run(['env', '-C', '/', 'sh', '-c', script], limit)
        self.assertEqual(status, 0, f'{script}: {said}')
        return said.strip()

    def setUp(self):
        self.since = self.sh('journalctl -n 0 --show-cursor -q').removeprefix('-- cursor: ')
        # Returns once the program has said that it is ready: that is what Type=notify means.
        self.sh('systemctl start shipmate || { journalctl -u shipmate -n 40 --no-pager; false; }')
        self.addCleanup(self.sh, 'systemctl stop shipmate')
        self.web = self.wait(lambda: self.pid_of_web(), 'web to run')

    def wait(self, condition, what, limit=60):
        end = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            self.assertLess(time.monotonic(), end, f'waited in vain for {what}; the journal:\n{self.journal()[-3000:]}')
            time.sleep(0.2)

    def journal(self):
        return self.sh(f"journalctl -u shipmate -o cat --no-pager --after-cursor '{self.since}'")

    def wait_told(self, text):
        return self.wait(lambda: text in self.journal() and self.journal(), f'{text!r} in the journal')

    def property(self, name):
        return self.sh(f'systemctl show -P {name} shipmate')

    def pid_of_web(self):
        found = re.search(r'"pid":(\d+)', self.sh('cat /var/lib/shipmate/web.json 2>/dev/null || true'))
        return found and found.group(1)

    def check_web_untouched(self):
        running = self.sh('for f in /proc/[0-9]*; do cat $f/cmdline 2>/dev/null | tr "\\0" " " | grep -q "^sleep 100000" && '
                          'echo ${f#/proc/}; done; true')
        self.assertEqual(running, self.web)
        self.assertEqual(self.pid_of_web(), self.web)

    def test_ready_alive_and_with_a_status(self):
        self.assertEqual(self.property('ActiveState'), 'active')
        self.wait(lambda: re.fullmatch(r'3 of 3 services run; console connected', self.property('StatusText')), 'the status')
        heard = self.property('WatchdogTimestampMonotonic')
        self.wait(lambda: self.property('WatchdogTimestampMonotonic') != heard, 'a sign of life')
        self.sh('systemctl stop shipmate')
        self.assertEqual(self.property('Result'), 'success')
        self.sh('systemctl start shipmate')
        self.check_web_untouched()

    def test_a_restart_and_a_kill_leave_the_services(self):
        main = self.property('MainPID')
        self.sh('systemctl restart shipmate')
        self.assertNotEqual(self.property('MainPID'), main)
        self.check_web_untouched()
        main = self.property('MainPID')
        self.sh(f'kill -9 {main}')
        self.wait(lambda: self.property('ActiveState') == 'active' and self.property('MainPID') != main, 'the next one')
        self.check_web_untouched()
        self.assertNotIn('KillMode', self.journal())

    def test_a_crash_of_a_unit_is_noticed(self):
        self.wait(lambda: 'of 3 services' in self.property('StatusText'), 'a look at the units')
        self.sh('systemctl kill -s KILL shipmate-talker')
        self.wait_told('talker: killed by SIGKILL')
        self.sh('systemctl reset-failed shipmate-talker; systemctl start shipmate-talker')
        self.wait_told('talker: started, not by shipmate')
        # What we do ourselves is no news.
        self.sh('echo restart talker >/run/talk')
        self.wait_told('talker: restarted')
        self.assertNotIn('talker: restarted, not by shipmate', self.journal())

    def test_it_knows_itself(self):
        self.sh('echo stop self >/run/talk')
        self.wait_told('this is Shipmate itself: nobody would be left to start it again')
        self.sh('echo stop-all >/run/talk; echo start-all >/run/talk')
        self.web = self.wait(lambda: self.pid_of_web() not in (None, self.web) and self.pid_of_web(), 'web to be started again')
        main = self.property('MainPID')
        self.sh('echo restart self >/run/talk')
        self.wait_told('self-deploy: asks systemd to restart shipmate.service')
        self.wait_told('back online')
        self.wait(lambda: self.property('ActiveState') == 'active', 'the next one')
        self.assertNotEqual(self.property('MainPID'), main)
        self.check_web_untouched()

    def add_units(self, units):
        """Services for units, taken up by a reload; gone after the test."""
        for name, keys in units.items():
            self.sh(f"printf '{keys}\\n' >/etc/shipmate/services/{name}.yaml")
        paths = ' '.join(f'/etc/shipmate/services/{name}.yaml' for name in units)
        self.addCleanup(self.sh, f'rm {paths}; systemctl reload shipmate')
        self.sh('systemctl reload shipmate')
        self.wait_told(f'reload: 0 changed, {len(units)} new, 0 removed')

    def ask(self, line, answer):
        """Types `line` until a match of `answer` stands in the journal, since a console has no promise of when."""
        def told():
            self.sh(f'echo {line} >/run/talk')
            return re.search(answer, self.journal())
        return self.wait(told, f'{answer!r} after {line!r}')

    def test_units_that_fail_are_masked_or_unknown(self):
        self.sh('ln -sf /dev/null /etc/systemd/system/shipmate-masked.service; systemctl daemon-reload')
        self.addCleanup(self.sh, 'rm -f /tmp/fall /etc/systemd/system/shipmate-masked.service; systemctl daemon-reload')
        self.add_units({'faller': 'service_name: shipmate-faller', 'masked': 'service_name: shipmate-masked',
                        'nobody': 'service_name: shipmate-nobody', 'broken': 'service_name: shipmate-missing'})
        self.sh('echo start faller >/run/talk')
        self.wait_told('faller: started')
        self.sh('touch /tmp/fall')
        self.wait_told('faller: exited with status 3')
        self.ask('status faller', r'faller: failed|faller failed')
        self.ask('start broken', r'broken: .*Job for shipmate-missing\.service failed')
        self.ask('status broken', r'broken:? failed')
        self.ask('start masked', r'masked: .*is masked')
        self.ask('status masked', r'masked:? masked')
        for line in ('start nobody', 'stop nobody', 'restart nobody', 'status nobody'):
            self.ask(line, r'nobody.*(does not exist; check service_name|Unit shipmate-nobody\.service not found)')
        # The others are told of all the same.
        self.ask('status', r'(?s)talker.*running')
        self.check_web_untouched()

    def test_a_unit_of_a_user(self):
        self.sh("mkdir -p -m 700 /run/user/0 && mkdir -p /etc/systemd/user && cp /etc/systemd/system/shipmate-talker.service "
                '/etc/systemd/user/mine.service && '
                'systemd-run --unit manager -p Delegate=yes -p Type=notify -E XDG_RUNTIME_DIR=/run/user/0 -E HOME=/tmp '
                '/lib/systemd/systemd --user')
        self.addCleanup(self.sh, 'systemctl stop manager')
        self.sh("printf '[Service]\\nEnvironment=XDG_RUNTIME_DIR=/run/user/0\\n' "
                '>/etc/systemd/system/shipmate.service.d/user.conf; systemctl daemon-reload; systemctl restart shipmate')
        self.addCleanup(self.sh, 'rm /etc/systemd/system/shipmate.service.d/user.conf; systemctl daemon-reload')
        self.add_units({'mine': 'service_name: mine\\nuser_service: true'})
        self.sh('echo start mine >/run/talk')
        self.wait_told('mine: started')
        of_user = 'XDG_RUNTIME_DIR=/run/user/0 systemctl --user'
        self.assertEqual(self.sh(f'{of_user} is-active mine'), 'active')
        self.ask('status mine', r'mine:? running')
        self.sh(f'{of_user} kill -s KILL mine')
        self.wait_told('mine: killed by SIGKILL')
        self.sh('echo restart mine >/run/talk')
        self.wait_told('mine: restarted')
        self.sh('echo stop mine >/run/talk')
        self.wait_told('mine: stopped')
        self.assertEqual(self.sh(f'{of_user} is-active mine || true'), 'inactive')

    def test_killed_while_a_service_has_a_limit(self):
        group = self.sh("echo /sys/fs/cgroup$(sed -n s/^0:://p /proc/$(systemctl show -P MainPID shipmate)/cgroup)")
        if not re.search(r'\bpids\b', self.sh(f'cat {group}/cgroup.controllers 2>/dev/null || true')):
            self.skipTest('this machine gives no controllers to the control groups of units')
        self.sh("printf 'process: {cmd: exec sleep 200000}\\nlimits: {processes: 50}\\n' "
                '>/etc/shipmate/services/bounded.yaml; systemctl reload shipmate')
        self.addCleanup(self.sh, 'rm /etc/shipmate/services/bounded.yaml; systemctl reload shipmate')
        self.wait_told('bounded: started')
        self.assertEqual(self.sh(f'cat {group}/shipmate-*/bounded/pids.max'), '50')
        main = self.property('MainPID')
        self.sh(f'kill -9 {main}')
        self.wait(lambda: self.property('ActiveState') == 'active' and self.property('MainPID') != main, 'the next one')
        self.assertNotIn('219/CGROUP', self.journal())
        self.assertEqual(self.sh(f'cat {group}/shipmate-*/bounded/pids.max'), '50')
        self.check_web_untouched()

    def test_it_warns_of_a_unit_that_ends_services(self):
        self.sh("printf '[Service]\nKillMode=control-group\n' >/run/systemd/system/shipmate.service.d.conf; "
                'mkdir -p /run/systemd/system/shipmate.service.d && '
                'mv /run/systemd/system/shipmate.service.d.conf /run/systemd/system/shipmate.service.d/kill.conf && '
                'systemctl daemon-reload && systemctl restart shipmate')
        self.addCleanup(self.sh, 'rm /run/systemd/system/shipmate.service.d/kill.conf; systemctl daemon-reload')
        self.wait_told('unit shipmate.service has KillMode=control-group')
        # A restart by systemd would end web: the program takes its own place.
        self.web = self.wait(self.pid_of_web, 'web')
        main = self.property('MainPID')
        self.sh('echo restart self >/run/talk')
        self.wait_told('back online')
        self.assertEqual(self.property('MainPID'), main)
        self.assertEqual(self.property('ActiveState'), 'active')
        self.check_web_untouched()


if __name__ == '__main__':
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    BINARY = pathlib.Path(sys.argv.pop(1)).resolve()
    PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
    CACHE = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
