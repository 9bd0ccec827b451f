/* SPDX-License-Identifier: ISC */
/* kit_memory: how much memory the process has. */
#ifndef FP_TESTS_UNIT_KIT_MEMORY_H
#define FP_TESTS_UNIT_KIT_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

/* Of the whole process; 0 where the system does not say. */
static inline long mapped_pages(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    char *first = fgets(line, sizeof line, file);
    fclose(file);
    return first != NULL ? strtol(first, NULL, 10) : 0;
}

#endif
