/* SPDX-License-Identifier: ISC */
/*
 * sift: what the account's rules (session/rules.h) and its filter_command (session/filter.h) make
 * of messages before they are downloaded.
 *
 * Rules come first; filter_command is asked about what they would have fetched. Where the download
 * may be spared, and that depends on a header, TOP asks for it, pipelined, and for no other. What
 * the server does not show, or not to the end of its header, is judged once it was downloaded
 * (session/body.h).
 *
 * What is left on the server is LEFT in the journal, and not looked at again before the rules or
 * the command change, or age may make a difference; in the next poll while the clock is in doubt.
 * What filter_command left it is asked about again now and then, since its status does not tell a
 * decision from a broken command. An age that deletes has to be found on two days, as has a
 * deletion by a filter_command that complains and has read nothing: until then it is left. The
 * journal has the digest of the rules by which all that is LEFT, or was given as a stub, was
 * judged; while some of it was not, it has none.
 */
#ifndef FP_SESSION_SIFT_H
#define FP_SESSION_SIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pop3/pop3.h"
#include "session/listing.h"
#include "session/poll.h"
#include "session/queue.h"
#include "session/rules.h"

/* True if the account has rules, or a filter_command. */
bool sift_is_wanted(const struct poll *poll);

/* Before the first listing: was all in the journal judged by these rules? */
void sift_begin(struct poll *poll);

/* True if this entry is LEFT, or was given as a stub. */
bool sift_is_by_rule(const struct journal_entry *entry);

/* True if such an entry is not to be judged anew. */
bool sift_is_settled(const struct poll *poll, uint32_t entry);

/* Before anything is decided of a listing. False: there is nothing to judge by, and what follows is
 * not to be called. */
bool sift_open(struct poll *poll, const struct listing *listing);

/* Judges all that would be fetched, as was decided before (session/decide.h), and was not judged
 * yet. *spared: how many are not to be fetched after all; then others may have their turn, and it
 * has to be decided once more. -1: as headers_run. */
int sift_listing(struct poll *poll, struct pop3 *pop3, struct listing *listing, uint32_t *spared,
                 struct err *err);

/* When none is spared any more: what is to be deleted unfetched goes to `dele`, once its header was
 * looked at again. -1: as headers_run. */
int sift_conclude(struct poll *poll, struct pop3 *pop3, struct listing *listing, struct queue *dele,
                  struct err *err);

/* What stands in the way if filter_command said of no message what becomes of it; NULL: nothing. */
const struct err *sift_trouble(const struct poll *poll);

/* Forgets the listing. */
void sift_end(struct poll *poll);

/* What is known of a message so far; RULE_FETCH of one that was not judged. */
struct verdict sift_verdict(const struct poll *poll, const struct listing *listing,
                            const struct message *message);

/* Of one that was to be a stub, which the server does not give. */
void sift_fetch_whole(struct poll *poll, const struct listing *listing,
                      const struct message *message);

/* Judges a message by all that is there of it. fields and header say the same; without them,
 * `judged` tells whether its size is enough. *until, of one that is left: when it is judged anew
 * (wall clock, seconds; 0: as long as the rules are what they are). A filter_command that does not
 * say has the message left for another run (`unsaid`), which is reported. */
struct sift_facts {
    uint64_t size; /* octets; 0: not known */
    const struct fields *fields;
    struct str header;
};
struct verdict sift_judge(struct poll *poll, struct listing *listing, struct message *message,
                          const struct sift_facts *facts, int64_t *until);

/* A rule leaves the message of this entry, until then; `due`: as struct verdict has it. */
void sift_leave(struct poll *poll, uint32_t entry, bool due, int64_t until);

/* Where a message goes that this verdict is of. */
const struct route *sift_route(const struct poll *poll, struct verdict verdict);

/* Where a message goes that is kept in this file. *arrived: as heading_arrived. */
const struct route *sift_kept(const struct poll *poll, const char *path, uint64_t octets,
                              int64_t *arrived);

#endif
