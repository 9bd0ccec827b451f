/* SPDX-License-Identifier: ISC */
/*
 * xalloc: memory that is there or ends the process.
 *
 * Out of memory ends the worker with status 71 and one line on standard error; the journal makes
 * that safe. So no caller checks. Every size that comes from a server was limited before.
 */
#ifndef FP_BASE_XALLOC_H
#define FP_BASE_XALLOC_H

#include <stddef.h>

/* One line, "fetchpop: why", on standard error, and exit with status 70, for errors that leave
 * nothing else to do. */
_Noreturn void xdie(const char *why);

/* The same for want of memory, with status 71. */
_Noreturn void xdie_memory(void);

void *xmalloc(size_t size);                                /* size 0 is 1 */
void *xcalloc(size_t count, size_t size);                  /* zeroed; overflow ends the process */
void *xreallocarray(void *old, size_t count, size_t size); /* overflow ends the process */
char *xstrdup(const char *text);                           /* NULL gives NULL */
char *xmemdup0(const void *bytes, size_t length);          /* a copy with a NUL behind it */
/* printf into memory of its own. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Gives back to the system what was freed; workers would inherit it. */
void xtrim(void);

#endif
