#!/bin/sh
# SPDX-License-Identifier: ISC
# Makes the sessions in doc/*.txt anew, which tests/bats/13-recorded.bats compares with what the
# program shows: FETCHPOP=build/fetchpop tests/record.sh
cd "$(dirname "$0")/.." || exit 1
FP_RECORD=yes exec bats tests/bats/13-recorded.bats
