/* SPDX-License-Identifier: ISC */
#include "state/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/random.h"
#include "base/stop.h"
#include "base/words.h"
#include "base/xalloc.h"

#define WRITER_MS 10000 /* for one write and two flushes */
#define STEP_MS 10

static int look(int fd, char out[FOLDER_ID + 1])
{
    unsigned char bytes[FOLDER_ID / 2];
    char text[FOLDER_ID + 2];
    if (pread(fd, text, sizeof text, 0) != FOLDER_ID + 1 || text[FOLDER_ID] != '\n' ||
        words_read_hex(str_of(text, FOLDER_ID), bytes, sizeof bytes) < 0)
        return -1;
    words_hex(bytes, sizeof bytes, out);
    return 0;
}

/* Without a source of randomness, the moment and the process have to do. */
static void draw(const char *state_dir, char out[FOLDER_ID + 1])
{
    unsigned char bytes[FOLDER_ID / 2], digest[DIGEST_SIZE];
    if (random_bytes(bytes, sizeof bytes) < 0) {
        char *text = xasprintf("%s %lld %lld %ld", state_dir, (long long)clock_wall(),
                               (long long)clock_ms(), (long)getpid());
        digest_bytes(str_from(text), digest);
        memcpy(bytes, digest, sizeof bytes);
        free(text);
    }
    words_hex(bytes, sizeof bytes, out);
}

static int lock(int fd, const char *path, struct err *err)
{
    int64_t deadline = clock_in(WRITER_MS);
    while (file_lock(fd, path, err) < 0) {
        if (err->kind != ERR_LOCKED || clock_left(deadline) == 0)
            return -1;
        stop_wait(NULL, 0, clock_in(STEP_MS), WRITER_MS);
    }
    err_clear(err);
    return 0;
}

/* Under the lock. */
static int make(int fd, const char *path, const char *state_dir, char out[FOLDER_ID + 1],
                struct err *err)
{
    char line[FOLDER_ID + 2];
    if (look(fd, out) == 0) /* another process was faster */
        return 0;
    draw(state_dir, out);
    snprintf(line, sizeof line, "%s\n", out);
    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(err, ERR_IO, errno, "cannot write %s", path);
    return file_write(fd, line, sizeof line - 1, path, err);
}

/* The id, read or made; made tells which. */
static int obtain(int fd, const char *path, const char *state_dir, char out[FOLDER_ID + 1],
                  bool *made, struct err *err)
{
    *made = look(fd, out) < 0;
    if (!*made)
        return 0;
    return lock(fd, path, err) < 0 ? -1 : make(fd, path, state_dir, out, err);
}

int folder_id(const char *state_dir, enum folder_flush flush, char out[FOLDER_ID + 1],
              struct err *err)
{
    char *path = xasprintf("%s/id", state_dir);
    int fd = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    bool made;
    int result = fd < 0 ? err_errno(err, ERR_CREATE, errno, "cannot make %s", path)
                        : obtain(fd, path, state_dir, out, &made, err);
    if (result == 0 && (flush == FOLDER_FLUSH || (flush == FOLDER_FLUSH_MADE && made))) {
        result = file_sync(fd, path, err);
        if (result == 0)
            result = file_sync_folder(state_dir, NULL, err);
    }
    if (fd >= 0)
        close(fd); /* and with it the lock */
    free(path);
    return result;
}
