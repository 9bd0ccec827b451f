/* SPDX-License-Identifier: ISC */
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define STATUS_WORKER 70 /* as base/err.c has it */
#define STATUS_SYSTEM 71

/* write(2) and _exit(2): stdio and exit handlers may want memory, and in a worker the buffers that
 * they would flush are the parent's. */
static _Noreturn void die(const char *why, int status)
{
    static const char name[] = "fetchpop: ";
    if (write(STDERR_FILENO, name, sizeof name - 1) < 0 ||
        write(STDERR_FILENO, why, strlen(why)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
        _exit(status); /* nobody listens */
    _exit(status);
}

_Noreturn void xdie(const char *why)
{
    die(why, STATUS_WORKER);
}

_Noreturn void xdie_memory(void)
{
    die("out of memory", STATUS_SYSTEM);
}

static void *checked(void *memory)
{
    if (memory == NULL)
        xdie_memory();
    return memory;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return checked(calloc(count, size));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    if (count > SIZE_MAX / size)
        xdie_memory();
    return checked(realloc(old, count * size));
}

char *xstrdup(const char *text)
{
    return text != NULL ? checked(strdup(text)) : NULL;
}

char *xmemdup0(const void *bytes, size_t length)
{
    if (length == SIZE_MAX)
        xdie_memory();
    char *copy = xmalloc(length + 1);
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        xdie_memory();
    char *text = xmalloc((size_t)len + 1);
    if (vsnprintf(text, (size_t)len + 1, fmt, again) != len)
        xdie_memory();
    va_end(again);
    return text;
}

void xtrim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
