#!/bin/sh
# SPDX-License-Identifier: ISC
# fetchpop on Slurm: a job array, one task for each shard.
#
#   sbatch --array=0-7 slurm.sh
#   scrontab -e       */5 * * * * sbatch --array=0-7 --dependency=singleton slurm.sh
#
# The number of shards is that of the array; all tasks need the same one, so start a single shard again
# as `fetchpop --shard 3/8`, not with --array=3. A task whose node dies is requeued; so is one
# that was killed, if slurm.conf has RequeueExit=137. Either goes on where it stopped.
#
# FETCHPOPRC names the configuration file; state and mail are on storage that all nodes share.
#
# Watching:
#
#   squeue -n fetchpop                                what runs and waits
#   sacct -n -X --name=fetchpop -o JobID,State,ExitCode,Elapsed
#   fetchpop --status --shard 3/8                     what is held, failing or paused in one shard
#   fetchpop-3.prom, where `metrics` names fetchpop.prom: each account, for Prometheus (README)
#
#SBATCH --job-name=fetchpop
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --output=fetchpop-%A_%a.log

# 75: try again later, which the next run does.
trap 'kill -TERM $!' TERM
fetchpop --shard auto "$@" &
wait $!
status=$?
while kill -0 $! 2>/dev/null; do
    wait $!
    status=$?
done
[ $status -eq 75 ] || exit $status
