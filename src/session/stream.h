/* SPDX-License-Identifier: ISC */
/*
 * stream: what is on its way to and from the server, and whose turn it is. Pure.
 *
 * Up to STREAM_RETR messages are on their way, or STREAM_OCTETS of them by LIST, but STREAM_LEAST
 * whatever their length. The stream is filled to the brim and then not touched until a quarter of
 * it has come: one write for hundreds of commands. It never drains while there is more to be had.
 * DELE rides along, one after each RETR, or in any number where no more mail is wanted; so do the
 * questions that prove what came (session/proof.h), and QUIT.
 *
 * Memory: octets never wait in ours. What is not read yet is in the buffer of the connection, then
 * in the kernel's, and then TCP holds the server. Nothing is read while a batch is committed.
 *
 * No deadlock: all commands of a full window together are shorter than what conn_put takes without
 * sending (see POP3_WINDOW), so we always come back to reading.
 */
#ifndef FP_SESSION_STREAM_H
#define FP_SESSION_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#define STREAM_RETR 1000
#define STREAM_OCTETS ((uint64_t)4 * 1024 * 1024)
#define STREAM_LEAST 3
#define STREAM_BOTH 2000 /* RETR and DELE together */

struct stream {
    unsigned retr_max;   /* STREAM_RETR, or fewer */
    unsigned retr, dele; /* on their way */
    uint64_t octets;     /* of the RETRs, by LIST */
    bool filling;        /* from three quarters up to the brim */
    bool dele_was_last;  /* of the two */
};

/* For one connection; retr_max is at least 1, and STREAM_RETR at most. */
void stream_init(struct stream *stream, unsigned retr_max);

/* Is the next RETR to be sent now, if it fits? */
bool stream_wants_more(struct stream *stream);

/* Is there room for a message of this size? If not, the brim is reached. */
bool stream_fits(struct stream *stream, uint64_t size);

/* Is it DELE's turn? `more`: there is mail left to be asked for. */
bool stream_wants_dele(struct stream *stream, bool more);

/* A command leaves, an answer was read; with the size that LIST tells of the message. */
void stream_retr_sent(struct stream *stream, uint64_t size);
void stream_retr_answered(struct stream *stream, uint64_t size);
void stream_dele_sent(struct stream *stream);
void stream_dele_answered(struct stream *stream);

#endif
