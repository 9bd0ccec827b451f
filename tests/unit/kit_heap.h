/* SPDX-License-Identifier: ISC */
/*
 * kit_heap: how often a text is left on the heap, freed memory included, and in memory that was
 * mapped beside it (base/secret.h). Only where memory is as the system gives it: elsewhere
 * heap_can_tell is false.
 */
#ifndef FP_TESTS_UNIT_KIT_HEAP_H
#define FP_TESTS_UNIT_KIT_HEAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KIT_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KIT_WATCHED 1
#endif
#endif

#if defined(__linux__) && defined(__GLIBC__) && !defined(KIT_WATCHED)
static const bool heap_can_tell = true;
extern char heap_floor[] __asm__("end"); /* where the program's variables end, says the linker */
#else
static const bool heap_can_tell = false;
static char heap_floor[1];
#endif

/* A secret that is nowhere in the program's own text: written backwards there. */
static inline void heap_secret(const char *backwards, char *out)
{
    size_t len = strlen(backwards);
    for (size_t i = 0; i < len; i++)
        out[i] = backwards[len - 1 - i];
    out[len] = '\0';
}

/* A line of maps: memory to be written that is no file's and has no name of its own, as the stack
 * has. */
static inline bool heap_is_mapped(const char *line)
{
    return strstr(line, " rw-p ") != NULL && strpbrk(line, "/[") == NULL;
}

/* How often the text's bytes from 16 to 32 are there. The first ones of freed memory are the
 * allocator's own, so they would hide a copy. The heap is where a new block comes from: not every
 * system names it. */
static inline int heap_count(const char *text)
{
    int found = 0;
    char line[400];
    char *block = heap_can_tell ? malloc(1) : NULL;
    FILE *maps = heap_can_tell ? fopen("/proc/self/maps", "r") : NULL;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *dash;
        const char *from = (const char *)strtoul(line, &dash, 16);
        const char *to = (const char *)strtoul(dash + 1, NULL, 16);
        if ((block < from || block >= to) && !heap_is_mapped(line))
            continue;
        const char *p = from < heap_floor && heap_floor < to ? heap_floor : from;
        for (; (p = memchr(p, text[16], (size_t)(to - p))) != NULL; p++)
            found += to - p >= 16 && memcmp(p, text + 16, 16) == 0;
    }
    if (maps != NULL)
        fclose(maps);
    free(block);
    return found;
}

#endif
