/* SPDX-License-Identifier: ISC */
/*
 * unread: did anybody read this file?
 *
 * A command that ends with 0 and has read nothing of its message delivered something else, or
 * nothing: in `filter | agent` the agent's status counts, and a filter that failed at once has left
 * it an empty input. The file's access time tells, where the file system keeps one.
 */
#ifndef FP_DELIVERY_UNREAD_H
#define FP_DELIVERY_UNREAD_H

#include <stdbool.h>

/* Sets the access time back. False: this file system does not tell (noatime), or the file is not
 * ours, or it is empty. */
bool unread_mark(int fd);

/* After unread_mark: nobody has read from it since, by whatever descriptor. */
bool unread_is(int fd);

#endif
