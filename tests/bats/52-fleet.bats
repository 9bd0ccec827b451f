#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# contrib/fleet. With FP_LONG and a Slurm of the test's own (slurmctld, slurmd and munged in a private
# folder, on free ports of loopback; Debian: munge, slurm-client, slurmctld, slurmd): eight tasks over
# 2,000 accounts, two of them killed in the middle and put back by Slurm, then five tasks. Every message
# comes exactly once.

load lib/common
load lib/dovecot

N=${FLEET_ACCOUNTS:-2000}
MESSAGES=2

setup_file() {
    [ -z "${FP_LONG:-}" ] || dovecot_start
}

teardown_file() {
    dovecot_stop
}

setup() {
    home_setup
    FLEET=$BATS_TEST_DIRNAME/../../contrib/fleet
    S=$T/slurm
}

teardown() {
    stop_all
    [ ! -d "$S" ] || kill_tasks 0 1 2 3 4 5 6 7
}

# --- the cluster ----------------------------------------------------------------------------------

need_slurm() {
    local tool
    [ -n "${FP_LONG:-}" ] || skip "takes minutes, and a Slurm; FP_LONG=1 runs it"
    for tool in slurmctld slurmd munged sbatch; do
        PATH=$PATH:/usr/sbin command -v $tool >/dev/null || skip "$tool is not installed"
    done
    [ "$(id -u)" -eq 0 ] || skip "slurmd needs root"
}

slurm_conf() {
    cat <<END
ClusterName=fleet
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$("$TOOL" freeport)
SlurmdPort=$("$TOOL" freeport)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$S/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool
SlurmctldPidFile=$S/ctld.pid
SlurmdPidFile=$S/slurmd.pid
SlurmctldLogFile=$S/ctld.log
SlurmdLogFile=$S/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
RequeueExit=137
SchedulerParameters=sched_interval=2
KillWait=2
MailProg=/bin/true
NodeName=fleet NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=all Nodes=fleet Default=YES MaxTime=INFINITE State=UP
END
}

daemon() { # daemon NAME COMMAND...: in the foreground of a process of ours
    local name=$1
    shift
    "$@" >"$S/$name.out" 2>&1 3>&- 4>&- </dev/null &
    PIDS=("$!" "${PIDS[@]}")
}

slurm_start() {
    PATH=$PATH:/usr/sbin
    mkdir -p "$S/state" "$S/spool"
    chmod 711 "$T" "$S"
    export SLURM_CONF=$S/slurm.conf
    slurm_conf >"$SLURM_CONF"
    head -c 1024 /dev/urandom >"$S/munge.key"
    chmod 400 "$S/munge.key"
    daemon munged munged -F --force --socket="$S/munge.socket" --key-file="$S/munge.key" \
        --pid-file="$S/munge.pid" --log-file="$S/munge.log" --seed-file="$S/munge.seed"
    wait_until 30 test -S "$S/munge.socket"
    daemon ctld slurmctld -D -f "$SLURM_CONF"
    wait_until 60 sinfo
    daemon slurmd slurmd -D -N fleet -f "$SLURM_CONF"
    wait_until 60 is_idle
}

is_idle() { [ "$(sinfo -h -o %T)" = idle ]; }

# kill_tasks NUMBER...: kills the processes of these tasks, fetchpop and its workers, and prints the
# numbers of the tasks that had any
kill_tasks() {
    python3 - "$SLURM_CONF" "$(realpath "$FETCHPOP")" "$@" <<'END'
import os
import signal
import sys

found = set()
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/environ" % pid, "rb") as f:
            env = dict(v.split("=", 1) for v in f.read().decode().split("\0") if "=" in v)
        task = env.get("SLURM_ARRAY_TASK_ID")
        if env.get("SLURM_CONF") == sys.argv[1] and task in sys.argv[3:] and \
                os.readlink("/proc/%s/exe" % pid) == sys.argv[2]:
            os.kill(int(pid), signal.SIGKILL)
            found.add(task)
    except OSError:
        pass
print(*sorted(found))
END
}

array() { # array TASKS: queues the script as it is, and prints the number of the job
    sbatch --parsable --array="0-$(($1 - 1))" --output="$S/out-%A_%a" --chdir="$S" \
        "$FLEET/slurm.sh"
}

has_ended() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }

# --- the accounts ---------------------------------------------------------------------------------

put() { # put NUMBER: one more message for everybody
    local i
    for ((i = 0; i < N; i++)); do
        printf 'Message-ID: <%d.%d@example.org>\nSubject: %d\n\nbody\n' "$1" "$i" "$1" \
            >"$DOVE/mail/u$i/Maildir/new/$1.M$1.h"
    done
    chown -R "$DOVE_UID:$DOVE_GID" "$DOVE/mail"
}

accounts() {
    local i
    mkdir -p "$T/bin" "$H/accounts.d" "$H/Mail"
    ln -s "$FETCHPOP" "$T/bin/fetchpop"
    for ((i = 0; i < N; i++)); do
        mkdir -p "$DOVE/mail/u$i/Maildir/"{new,cur,tmp}
        echo "u$i:{PLAIN}pw$i" >>"$DOVE/users"
        printf 'account "u%d" { user = "u%d" password = "pw%d" maildir = "%s" }\n' \
            "$i" "$i" "$i" "$H/Mail/$i" >"$H/accounts.d/$i"
    done
    cat >"$H/.fetchpoprc" <<END
jobs = 4
state_dir = "$STATE"
defaults { server = localhost port = $DOVE_POP3S tls_ca_file = "$DOVE_CA" keep = yes }
include("accounts.d/*")
END
    chmod 600 "$H/.fetchpoprc" "$H"/accounts.d/*
}

delivered() { find "$H/Mail" -path '*/new/*' | wc -l; }

# each_once MESSAGES: each account has each of them once
each_once() {
    local wrong
    wrong=$(for ((i = 0; i < N; i++)); do for ((m = 1; m <= $1; m++)); do
        echo "<$m.$i@example.org>"; done; done | sort | diff - <(
        find "$H/Mail" -path '*/new/*' -exec grep -h '^Message-ID:' {} + | cut -d' ' -f2 | sort))
    [ -z "$wrong" ] || fail "not each once: $(head -5 <<<"$wrong")"
    wrong=$(find "$H/Mail" -path "$H/Mail/*/tmp/*" -type f)
    [ -z "$wrong" ] || fail "left in tmp/: $wrong $(grep -h . "$S"/out*)"
}

has_some() { [ "$(delivered)" -ge "$1" ]; }

@test "slurm.sh: eight tasks, two killed and put back by Slurm, then five: each message once" {
    local job number
    need_slurm
    need_dovecot
    accounts
    for ((number = 1; number <= MESSAGES; number++)); do put "$number"; done
    slurm_start
    export HOME=$H PATH=$T/bin:$PATH
    job=$(array 8)
    wait_until 300 has_some $((N / 8))
    [ "$(kill_tasks 2 5)" = "2 5" ] || fail "tasks 2 and 5 were not there to be killed"
    [ "$(delivered)" -lt $((N * MESSAGES)) ] || fail "it was over already"
    wait_until 1800 has_ended "$job"
    [ "$(scontrol show job "$job" | grep -c 'Restarts=1')" -eq 2 ] ||
        fail "put back: $(scontrol show job "$job" | grep -E 'ArrayTaskId|Restarts|JobState')"
    [ "$(scontrol show job "$job" | grep -c 'JobState=COMPLETED')" -eq 8 ] || fail "$(cat "$S"/out*)"
    each_once $MESSAGES
    put $((MESSAGES + 1))
    job=$(array 5)
    wait_until 1800 has_ended "$job"
    each_once $((MESSAGES + 1))
}

# --- the scripts that start a shard ---------------------------------------------------------------

# pod_script: what the CronJob has its shell do
pod_script() {
    sed -n '/^ *- |$/,/^ *resources:/{ //d; s/^ *//; p; }' "$FLEET/kubernetes.yaml"
}

# shard_as STATUS: a stand-in that ends with this status, and with 75 after TERM, which it notes
shard_as() {
    mkdir -p "$T/bin"
    printf '#!/bin/sh\ntrap ": >%s; exit 75" TERM\n: >%s\n%s\nexit %s\n' "$T/told" "$T/runs" \
        'if [ -n "$LAST" ]; then while :; do sleep 0.1; done; fi' "$1" >"$T/bin/fetchpop"
    chmod 755 "$T/bin/fetchpop"
    rm -f "$T/told" "$T/runs"
}

@test "slurm.sh and the CronJob: 75 is a success, another status stays, TERM goes to the shard" {
    local script code
    pod_script >"$T/pod.sh"
    grep -q '^fetchpop .*--shard auto/' "$T/pod.sh" || fail "no script in kubernetes.yaml"
    for script in "$T/pod.sh" "$FLEET/slurm.sh"; do
        for code in 0 64 70 75 78; do
            shard_as "$code"
            run env PATH="$T/bin:$PATH" LAST= sh "$script"
            [ "$status" -eq $((code == 75 ? 0 : code)) ] || fail "$script: status $status"
        done
        shard_as 0
        env PATH="$T/bin:$PATH" LAST=yes sh "$script" 3>&- 4>&- &
        PIDS+=($!)
        wait_until 20 test -e "$T/runs"
        kill -TERM $!
        status=0
        wait $! || status=$?
        [ "$status" -eq 0 ] || fail "$script: status $status after TERM"
        [ -e "$T/told" ] || fail "$script: the shard was not told"
    done
}

@test "the configuration that kubernetes.yaml proposes is read" {
    mkdir -p "$T/data/metrics" "$T/data/accounts.d" "$T/etc"
    echo pw >"$T/etc/NAME"
    sed -n '/may begin so:$/,/^# The folders/s/^#   //p' "$FLEET/kubernetes.yaml" |
        sed "s,/var/lib/fetchpop,$T/data,; s,/etc/fetchpop,$T/etc," | rc
    [ "$(grep -c . "$RC")" -ge 4 ] || fail "no configuration in kubernetes.yaml"
    {
        echo 'account "a" { server = h user = u'
        sed -n "s,.* its own as \(password_file = .*\)\.$,\1,; s,/etc/fetchpop,$T/etc,p" "$FLEET/kubernetes.yaml" |
            grep password_file
        echo '}'
    } >"$T/data/accounts.d/a"
    chmod 600 "$T/data/accounts.d/a" "$T/etc/NAME"
    want 0 --print-config
    [[ $output == *"password_file = \"$T/etc/NAME\""* ]] || fail "the account has no password: $output"
}

# --- the other two --------------------------------------------------------------------------------

@test "fetchpop-shard@: systemd takes the units" {
    command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
    mkdir -p "$T/units"
    cp "$FLEET"/fetchpop-shard@.* "$T/units"
    sed -i "s,^ExecStart=fetchpop,ExecStart=$FETCHPOP," "$T/units/fetchpop-shard@.service"
    run systemd-analyze verify --man=no "$T/units/fetchpop-shard@.service" \
        "$T/units/fetchpop-shard@.timer"
    [ "$status" -eq 0 ] || fail "$output"
    grep -v 'User fetchpop' <<<"$output" | grep fetchpop-shard && fail "$output"
    sed -i 's/^Type=oneshot/Type=once/' "$T/units/fetchpop-shard@.service"
    run systemd-analyze verify --man=no "$T/units/fetchpop-shard@.service"
    [[ $output == *"service type"* ]] || fail "a wrong unit is taken: this test tests nothing"
}

# poll_all COMMAND...: one of these shards has the account, and polls
poll_all() {
    local command before
    before=$(sent_count '^QUIT')
    for command; do
        run env HOME="$H" PATH="$T/bin:$PATH" sh -c "${command//\/etc\/fetchpop\//$T/etc/}"
        [ "$status" -eq 0 ] || fail "$command: $output"
    done
    [ "$(sent_count '^QUIT')" -gt "$before" ] || fail "$1: no shard has polled"
}

@test "what the unit and the CronJob start is understood, and each message comes once" {
    local command i unit=() pod=()
    tell_many 2
    popd_start
    popd_rc
    mkdir "$T/etc" "$T/bin"
    cp "$H/.fetchpoprc" "$T/etc/fetchpoprc"
    ln -s "$FETCHPOP" "$T/bin/fetchpop"
    command=$(sed -n 's/^ExecStart=//p' "$FLEET/fetchpop-shard@.service")
    eval "export $(sed -n 's/^Environment=//p' "$FLEET/fetchpop-shard@.service")"
    for ((i = 0; i < FETCHPOP_SHARDS; i++)); do unit+=("${command/\%i/$i}"); done
    poll_all "${unit[@]}"
    command=$(pod_script)
    for ((i = 0; i < 8; i++)); do pod+=("export JOB_COMPLETION_INDEX=$i; $command"); done
    poll_all "${pod[@]}"
    [ "$(count)" -eq 2 ]
}

@test "kubernetes.yaml: its number of shards is one, and its parts fit together" {
    python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
    python3 - "$FLEET/kubernetes.yaml" <<'END'
import sys
import yaml

claim, cron = yaml.safe_load_all(open(sys.argv[1]))
job = cron["spec"]["jobTemplate"]["spec"]
pod = job["template"]["spec"]
box = pod["containers"][0]
assert (cron["apiVersion"], cron["kind"]) == ("batch/v1", "CronJob")
assert job["completionMode"] == "Indexed" and job["completions"] == job["parallelism"]
assert "--shard auto/%d " % job["completions"] in box["args"][0]
volumes = {v["name"]: v for v in pod["volumes"]}
assert {m["name"] for m in box["volumeMounts"]} == set(volumes)
assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == box["name"]
assert pod["restartPolicy"] == "Never", "podFailurePolicy wants it"
END
}
