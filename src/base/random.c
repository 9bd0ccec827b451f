/* SPDX-License-Identifier: ISC */
#include "base/random.h"

#include <unistd.h>
#ifdef HAVE_SYS_RANDOM_H
#include <sys/random.h> /* where macOS declares it */
#endif

int random_bytes(void *bytes, size_t len)
{
    return getentropy(bytes, len) < 0 ? -1 : 0;
}
