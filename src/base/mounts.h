/* SPDX-License-Identifier: ISC */
/*
 * mounts: disks that belong somewhere and are not there. What is made in the folder that is to be a
 * mount point is hidden once the disk is back.
 */
#ifndef FP_BASE_MOUNTS_H
#define FP_BASE_MOUNTS_H

#define MOUNTS_TABLE "/etc/fstab"

/* The mount point of the table (fstab(5)) that path, absolute, is or lies below, if nothing is
 * mounted there; malloced. NULL: there is none, or it cannot be known: no table; a bind mount,
 * which looks like any folder. */
char *mounts_find_missing(const char *table, const char *path);

#endif
