#!/bin/sh
# Boots a systemd in namespaces of its own, on a root that stays as it is: all that is written goes to memory, and is
# gone with the last process. Called by systemd_test.py, in two steps:
#   boot.sh outer [CGROUP...] -- ROOT SCRATCH UNITS BINDS LOG
#     joins the cgroups, enters new namespaces, and dies together with its caller
#   boot.sh inner ROOT SCRATCH UNITS BINDS LOG
#     lays the mounts and becomes systemd
# SCRATCH is an empty folder to mount on, UNITS a folder of unit files to add, BINDS a file of lines "SOURCE TARGET" with
# single files to show inside, LOG what becomes the console.
set -eu
step=$1
shift
case $step in
  outer)
    while [ "$1" != -- ]; do
      echo $$ >"$1/cgroup.procs"
      shift
    done
    shift
    exec setpriv --pdeathsig KILL \
      unshare --fork --kill-child --pid --mount --uts --ipc --net --cgroup sh "$0" inner "$@"
    ;;
  inner)
    root=$1 scratch=$2 units=$3 binds=$4 log=$5
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs "$scratch"
    mkdir "$scratch/upper" "$scratch/work" "$scratch/machine"
    mount -t overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$scratch/machine"
    cd "$scratch/machine"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=755 tmpfs dev
    mount -t tmpfs -o mode=1777 tmpfs tmp
    for device in null zero full random urandom tty; do
      : >"dev/$device"
      mount --bind "/dev/$device" "dev/$device"
    done
    : >dev/console
    mount --bind "$log" dev/console
    mkdir dev/pts dev/shm
    if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
      mount -t cgroup2 cgroup2 sys/fs/cgroup
    else
      mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
      mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
      mount -t cgroup2 cgroup2 sys/fs/cgroup/unified || true # a kernel may have the older hierarchy alone
      mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    fi
    while read -r source target; do
      mkdir -p ".${target%/*}"
      : >".$target"
      mount --bind "$source" ".$target"
    done <"$binds"
    cp "$units"/*.service "$units"/../../../docs/shipmate.service etc/systemd/system/
    hostname machine
    mkdir host
    pivot_root . host
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c \
      'cd / && umount -l /host && rmdir /host && exec /lib/systemd/systemd --log-target=console --show-status=no'
    ;;
  *)
    echo "boot.sh: unknown step $step" >&2
    exit 2
    ;;
esac
