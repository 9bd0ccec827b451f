#!/bin/sh
# SPDX-License-Identifier: ISC
# State and mail on NFS 4.2, client and server of a real kernel: Debian's user-mode-linux, which is a program,
# so that this machine's kernel need not have NFS. There the server, two mounts of it that share nothing, and
# fetchpop: fetched once, locked between the mounts, killed, and with a server that starts again
# meanwhile. `make check-long` runs this. Needs root, for the Debian that it boots.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
top=$(cd "$top" && pwd)
. "$top/contrib/lib.sh"
. "$top/tests/roots.sh"

[ "$(dpkg --print-architecture)" = amd64 ] || skip "Debian has user-mode-linux for amd64 alone"
[ -x "${FETCHPOP:-}" ] || skip "FETCHPOP names no program"

root=$work/root
make_system() {
    make_base "$root" amd64 && add_packages "$root" user-mode-linux kmod iproute2 nfs-kernel-server nfs-common \
        python3 libconfuse2 libidn2-0 libidn12 libsasl2-2 libsasl2-modules libseccomp2 libssl3 &&
        cp "$FETCHPOP" "$root/fetchpop" && mkdir "$root/tests" && cp -r "$top/tests/popd" "$root/tests/" &&
        mkdir -p "$root/lib/modules" && cp -r "$root"/usr/lib/uml/modules/* "$root/lib/modules/" &&
        for modules in "$root"/lib/modules/*; do enter "$root" depmod "${modules##*/}" || return; done
}

write_tests() {
    cat >"$root/init" <<'END'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
for folder in /run /tmp /srv /var/lib/nfs; do mount -t tmpfs tmpfs $folder; done
mkdir -p /mnt/a /mnt/b /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
ip link set lo up
hostname client
modprobe -a nfsd nfsv4
mount -t nfsd nfsd /proc/fs/nfsd
mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
exportfs -o rw,sync,fsid=0,no_root_squash,insecure,no_subtree_check '127.0.0.1:/srv'
rpc.mountd -N 2 -N 3
rpc.nfsd -N 3 -V 4.2 --grace-time 10 --lease-time 10 2
for name in a b; do mount -t nfs4 -o vers=4.2,nosharecache 127.0.0.1:/ /mnt/$name; done
timeout 600 python3 -B /tests/nfs.py
echo o >/proc/sysrq-trigger
sleep 60
END
    cat >"$root/tests/nfs.py" <<'END'
import collections, glob, mailbox, os, random, subprocess, sys, time
sys.path.insert(0, "/tests")
import popd

result = open("/result", "w", buffering=1)
random.seed(15)
COUNT = 150
os.mkdir("/tmp/box")
for i in range(COUNT):
    with open("/tmp/box/%03d" % i, "w") as file:
        file.write("Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n" % (i, i, i))


def start(name, where, mount="a", keep="yes"):
    rc = "/tmp/%s.%s" % (name, mount)
    with open(rc, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write('account "%s" {\nserver = localhost\nport = %d\ntls = none\nauth = user\nuser = alice\n'
                   'password = secret\nkeep = %s\n%s = "/mnt/a/%s"\n}\n' % (name, server.port, keep, where, name))
    return subprocess.Popen(["/fetchpop", "-s", "-f", rc, "--state-dir", "/mnt/%s/state.%s" % (mount, name)],
                            stderr=subprocess.STDOUT, stdout=open("/tmp/out", "a"))


def subjects(name, where):
    if where == "mbox":
        return collections.Counter(m["Subject"] for m in mailbox.mbox("/mnt/a/" + name, create=False))
    found = collections.Counter()
    for path in glob.glob("/mnt/a/%s/new/*" % name):
        found[open(path).readline().split()[1]] += 1
    return found


def is_once(name, where):
    once = collections.Counter(str(i) for i in range(COUNT))
    return subjects(name, where) == once and (where == "mbox" or os.listdir("/mnt/a/%s/tmp" % name) == [])


def point(good, name):
    print(name, good, flush=True)
    result.write("%s%s\n" % ("" if good else "NOT: ", name))


def killed(name, where):
    kills = 0
    while kills < 25:
        process = start(name, where)
        time.sleep(random.uniform(0.1, 0.6))
        if process.poll() is None:
            kills += 1
        process.kill()
        process.wait()
        if kills < 25 and len(subjects(name, where) if os.path.exists("/mnt/a/" + name) else ()) == COUNT:
            break
    open("/tmp/out", "w").close()
    for _ in range(5):  # a worker whose parent is killed may wait for the server before it dies
        status = start(name, where).wait()
        if status != 75:
            break
        time.sleep(1)
    print("killed %d times, then %d: %s" % (kills, status, open("/tmp/out").read()))
    return status == 0 and kills > 3


with popd.Server("/tmp/box") as server:
    mounts = [line for line in open("/proc/mounts") if line.startswith("127.0.0.1:/ /mnt/")]
    point(len(mounts) == 2 and all("vers=4.2" in m for m in mounts), "two mounts by NFS 4.2")
    for where in ("maildir", "mbox"):
        name = "once." + where
        good = start(name, where).wait() == 0 and is_once(name, where)
        point(good and start(name, where).wait() == 0 and is_once(name, where), "fetched once: " + where)

with popd.Server("/tmp/box", script="on RETR *: sleep 50") as server:
    for where in ("maildir", "mbox"):
        point(killed("killed." + where, where) and is_once("killed." + where, where), "killed, and once: " + where)

with popd.Server("/tmp/box", script="on RETR 20: sleep 15000") as server:
    first = start("locked", "maildir", "a")
    point(server.wait_for("RETR 20", 60), "one run waits in the middle")
    point(start("locked", "maildir", "b").wait() == 75, "another mount finds the mailbox locked")
    first.wait()
    point(is_once("locked", "maildir"), "and each message is there once")

with popd.Server("/tmp/box", script="on RETR 20: sleep 5000") as server:
    first = start("again", "maildir")
    server.wait_for("RETR 20", 60)
    subprocess.run(["rpc.nfsd", "0"])
    time.sleep(8)
    subprocess.run(["rpc.nfsd", "-N", "3", "-V", "4.2", "--grace-time", "10", "--lease-time", "10", "2"])
    first.wait()
with popd.Server("/tmp/box") as server:
    start("again", "maildir").wait()
    point(is_once("again", "maildir"), "the server starts again, and each message is there once")
result.write("all of it\n")
END
    chmod 755 "$root/init"
}

run_tests() {
    write_tests
    timeout 900 "$root/usr/bin/linux.uml" mem=512M rootfstype=hostfs rootflags="$root" rw init=/init \
        con=null con0=null,fd:2 con1=null quiet </dev/null
    [ -s "$root/result" ]
}

point "a Debian $release with a kernel that has NFS" make_system
if [ $failed = 0 ]; then point "it runs" run_tests; fi
if [ $failed = 0 ]; then
    grep -vx 'all of it' "$root/result" >"$work/points"
    while read -r name; do
        point "$name" [ "${name#NOT: }" = "$name" ]
    done <"$work/points"
    point "all of it ran" grep -qx 'all of it' "$root/result"
fi
finish
