/* SPDX-License-Identifier: ISC */
#include "session/poll.h"

void poll_tell_delivered(const struct poll *poll, uint32_t entry, const struct parcel *parcel)
{
    char uidl[JOURNAL_UIDL_ROOM];
    if (poll->run->delivered == NULL)
        return;
    const struct deliver_settings *to = &routes_of(&poll->routes, parcel)->settings;
    const struct session_message message = {.uidl = journal_uidl(poll->journal, entry, uidl),
                                            .octets = parcel->octets,
                                            .header = parcel->header,
                                            .name = parcel->name,
                                            .target = {to->kind, to->where}};
    poll->run->delivered(poll->run->ctx, &message);
}
