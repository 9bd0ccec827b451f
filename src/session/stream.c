/* SPDX-License-Identifier: ISC */
#include "session/stream.h"

#include <assert.h>

void stream_init(struct stream *stream, unsigned retr_max)
{
    assert(retr_max >= 1 && retr_max <= STREAM_RETR);
    *stream = (struct stream){.retr_max = retr_max};
}

/* LIST may say anything. */
static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool stream_wants_more(struct stream *stream)
{
    bool quarter = stream->retr <= stream->retr_max - stream->retr_max / 4 &&
                   stream->octets <= STREAM_OCTETS / 4 * 3;
    if (stream->retr < stream->retr_max && (quarter || stream->retr < STREAM_LEAST))
        stream->filling = true;
    return stream->filling;
}

bool stream_fits(struct stream *stream, uint64_t size)
{
    bool fits = stream->retr < stream->retr_max && stream->retr + stream->dele < STREAM_BOTH &&
                (stream->retr < STREAM_LEAST || sum(stream->octets, size) <= STREAM_OCTETS);
    stream->filling = stream->filling && fits;
    return fits;
}

/* While there is more mail it leaves in writes that are made anyway. */
bool stream_wants_dele(struct stream *stream, bool more)
{
    if (stream->retr + stream->dele >= STREAM_BOTH)
        return false;
    return !more || (stream_wants_more(stream) && !stream->dele_was_last);
}

void stream_retr_sent(struct stream *stream, uint64_t size)
{
    stream->retr++;
    stream->octets = sum(stream->octets, size);
    stream->dele_was_last = false;
}

/* A sum that was cut short is right again when nothing is on its way. */
void stream_retr_answered(struct stream *stream, uint64_t size)
{
    assert(stream->retr > 0);
    stream->retr--;
    stream->octets -= size < stream->octets ? size : stream->octets;
    if (stream->retr == 0)
        stream->octets = 0;
}

void stream_dele_sent(struct stream *stream)
{
    stream->dele++;
    stream->dele_was_last = true;
}

void stream_dele_answered(struct stream *stream)
{
    assert(stream->dele > 0);
    stream->dele--;
}
