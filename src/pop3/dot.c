/* SPDX-License-Identifier: ISC */
#include "pop3/dot.h"

#include <string.h>

/* The state. What was seen but not yet decided (a CR, a dot at a line's start) is in the state and
 * nowhere else, so that a read may end anywhere. */
enum dot_state {
    START,  /* behind a line end, or at the very beginning */
    MIDDLE, /* inside a line */
    CR,     /* a CR is held back: half a line end, or a bare one */
    DOT,    /* a dot at the start of a line is held back */
    DOT_CR  /* that dot and a CR */
};

/* One call's input and output. */
struct work {
    const char *in;
    size_t left;
    char *out;
    size_t room;
};

void dot_init(struct dot *dot, bool lf_only)
{
    dot->state = START;
    dot->lf_only = lf_only;
    dot->ended = false;
    dot->octets = 0;
}

static void copy(struct work *work, size_t n)
{
    memcpy(work->out, work->in, n);
    work->in += n;
    work->left -= n;
    work->out += n;
    work->room -= n;
}

static void skip(struct work *work)
{
    work->in++;
    work->left--;
}

static void put(struct work *work, char byte)
{
    *work->out++ = byte;
    work->room--;
}

/* Whole runs, from the middle of a line on, for as long as no line begins with a dot. This is
 * where nearly all bytes of all mail go: one memchr and one memcpy a line. */
static enum dot_state run(struct dot *dot, struct work *work)
{
    for (;;) {
        size_t n = work->left < work->room ? work->left : work->room;
        if (n == 0)
            return MIDDLE;
        const char *lf = memchr(work->in, '\n', n);
        if (lf == NULL) {
            bool held = work->in[n - 1] == '\r';
            dot->octets += n - held;
            copy(work, n - held);
            if (held) {
                skip(work);
                return CR;
            }
            continue;
        }
        size_t before = (size_t)(lf - work->in);
        dot->octets += before + 1;
        if (before > 0 && lf[-1] == '\r') {
            copy(work, before - 1);
            skip(work);
            copy(work, 1);
        } else {
            copy(work, before + 1);
            if (!dot->lf_only)
                continue; /* a bare LF ends no line */
        }
        if (work->left == 0 || *work->in == '.')
            return START;
    }
}

/* A CR was held back. False: no room to go on. */
static bool after_cr(struct dot *dot, struct work *work)
{
    if (work->room == 0)
        return false;
    if (*work->in == '\n') {
        copy(work, 1);
        dot->octets += 2;
        dot->state = START;
    } else {
        put(work, '\r');
        dot->octets++;
        dot->state = MIDDLE;
    }
    return true;
}

/* A dot at the start of a line was held back: it is the end of the body, or it was stuffed and is
 * dropped. */
static void after_dot(struct dot *dot, struct work *work)
{
    if (*work->in == '\r') {
        skip(work);
        dot->state = DOT_CR;
    } else if (*work->in == '\n' && dot->lf_only) {
        skip(work);
        dot->ended = true;
    } else {
        dot->state = MIDDLE;
    }
}

static bool step(struct dot *dot, struct work *work)
{
    switch ((enum dot_state)dot->state) {
    case START:
        if (*work->in == '.') {
            skip(work);
            dot->state = DOT;
        } else {
            dot->state = MIDDLE;
        }
        return true;
    case MIDDLE:
        if (work->room == 0)
            return false;
        dot->state = (unsigned char)run(dot, work);
        return true;
    case CR:
        return after_cr(dot, work);
    case DOT:
        after_dot(dot, work);
        return true;
    case DOT_CR:
        if (*work->in == '\n') {
            skip(work);
            dot->ended = true;
        } else {
            dot->state = CR; /* the dot was stuffing, the CR is content */
        }
        return true;
    }
    return false;
}

size_t dot_decode(struct dot *dot, struct str in, char *out, size_t cap, size_t *written)
{
    struct work work = {.in = in.ptr, .left = in.len, .out = out, .room = cap};
    while (!dot->ended && work.left > 0 && step(dot, &work)) {
    }
    *written = cap - work.room;
    return in.len - work.left;
}
