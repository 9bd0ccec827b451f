/* SPDX-License-Identifier: ISC */
#include "base/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#ifdef FP_LINUX

#include <sys/prctl.h>

#include "base/filter.h"
#include "base/landlock.h"

bool sandbox_is_there(void)
{
    return true;
}

int sandbox_enter(const struct rights *rights, struct err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(err, ERR_SYSTEM, errno, "cannot enter the sandbox (no_new_privs)");
    int number = landlock_enter(rights);
    if (number != 0)
        return err_errno(err, ERR_SYSTEM, number, "cannot enter the sandbox (Landlock)");
    number = filter_enter(rights);
    if (number != 0)
        return err_errno(err, ERR_SYSTEM, number, "cannot enter the sandbox (seccomp)");
    return 0;
}

void sandbox_spell(char *out, size_t size)
{
    char landlock[40] = "no Landlock in this kernel";
    int version = landlock_version();
    if (version > 0)
        snprintf(landlock, sizeof landlock, "Landlock %d", version);
    snprintf(out, size, "no_new_privs, %s, %s", landlock, filter_spell());
}

#elif defined(HAVE_PLEDGE) && defined(HAVE_UNVEIL)

bool sandbox_is_there(void)
{
    return true;
}

static int uncover(const char *const *paths, const char *how)
{
    for (; *paths != NULL; paths++)
        if (unveil(*paths, how) < 0 && errno != ENOENT && errno != ENOTDIR)
            return -1;
    return 0;
}

/* What was open keeps working; a command is started by the broker, so neither proc nor exec. */
int sandbox_enter(const struct rights *rights, struct err *err)
{
    char promises[120];
    snprintf(promises, sizeof promises, "stdio rpath wpath cpath fattr flock inet dns sendfd%s%s",
             rights->sockets ? " unix" : "", rights->signals ? " proc" : "");
    if (uncover(rights->read, "r") < 0 || uncover(rights->write, "rwc") < 0 ||
        pledge(promises, NULL) < 0)
        return err_errno(err, ERR_SYSTEM, errno, "cannot enter the sandbox");
    return 0;
}

void sandbox_spell(char *out, size_t size)
{
    snprintf(out, size, "pledge, unveil");
}

#else

bool sandbox_is_there(void)
{
    return false;
}

int sandbox_enter(const struct rights *rights, struct err *err)
{
    (void)rights, (void)err;
    return 0;
}

void sandbox_spell(char *out, size_t size)
{
    snprintf(out, size, "nothing: this system has none");
}

#endif
