/* SPDX-License-Identifier: ISC */
/*
 * chunks: pieces, what is left of them, and who has them.
 */
#include "base/chunks.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static bool is_zero(const char *piece, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (piece[i] != 0)
            return false;
    return true;
}

static void test_pieces(void)
{
    static const size_t sizes[] = {1, 24, 100, 131072, 3000000, 7};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct chunks chunks = {NULL, false};
    char *pieces[COUNT];
    bool zero = true, aligned = true, whole = true;
    for (size_t i = 0; i < COUNT; i++) {
        pieces[i] = chunks_take(&chunks, sizes[i]);
        zero = zero && is_zero(pieces[i], sizes[i]);
        aligned = aligned && (uintptr_t)pieces[i] % _Alignof(max_align_t) == 0;
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        whole = whole && pieces[i][0] == (char)(i + 1) && pieces[i][sizes[i] - 1] == (char)(i + 1);
    ok(zero, "a piece is zeroed, however large");
    ok(aligned, "and aligned for anything");
    ok(whole, "and no two have an octet in common");
    for (size_t i = 0; i < COUNT; i++)
        chunks_give_back(&chunks, pieces[i], sizes[i]);
    ok(chunks.newest == NULL, "when all pieces are given back, so are the chunks");
}

/* Does this address belong to the process? */
static bool is_mapped(const void *piece)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    return msync((void *)((uintptr_t)piece / page * page), 1, MS_ASYNC) == 0 || errno != ENOMEM;
}

static bool child_has(const void *piece)
{
    int status;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(is_mapped(piece) ? 1 : 0);
    return waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void test_withheld(void)
{
    struct chunks shared = {NULL, false}, withheld = {NULL, true};
    char *piece = chunks_take(&shared, 10), *own = chunks_take(&withheld, 10);
    char *large = chunks_take(&withheld, 1000000);
    ok(child_has(piece), "a forked process has what is not withheld");
#if defined MADV_DONTFORK && !defined FP_PORTABLE
    ok(!child_has(own), "and not what is");
    ok(!child_has(large), "nor what came later");
#else
    tap_skip("and not what is", "no system call here withholds memory");
#endif
    ok(is_mapped(own), "its parent keeps it");
    own[9] = large[999999] = 1;
    chunks_drop(&shared);
    chunks_drop(&withheld);
    ok(!is_mapped(own), "until it is dropped");
}

int main(void)
{
    test_pieces();
    test_withheld();
    return tap_done();
}
