/* SPDX-License-Identifier: ISC */
#include "delivery/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/words.h"
#include "base/xalloc.h"
#include "delivery/keep.h"
#include "delivery/kind.h"

#define ENTRY(NAME, prefix) [DELIVER_##NAME] = &prefix##_kind,
static const struct kind *const kinds[DELIVER_KINDS] = {DELIVER_EACH_KIND(ENTRY)};

const char *deliver_kind_name(enum deliver_kind kind)
{
    return kinds[kind]->name;
}

/* DELIVER_KINDS: there is none of that name. */
static enum deliver_kind kind_of(struct str name)
{
    int kind = 0;
    while (kind < DELIVER_KINDS && !str_is(name, kinds[kind]->name))
        kind++;
    return (enum deliver_kind)kind;
}

/* ---- as whom ---- */

/* Nobody else's, where a kind changes identity itself, or never does. */
static void find_owner(const struct kind *kind, const char *path, struct identity *owner)
{
    *owner = (struct identity){.other = false};
    if (kind->as_owner)
        identity_of(path, owner);
}

static void enter(const struct deliver *deliver)
{
    identity_reenter(&deliver->owner);
}

static void leave(const struct deliver *deliver)
{
    identity_leave(&deliver->owner);
}

/* ---- the verbs ---- */

int deliver_probe(const struct deliver_settings *settings, struct err *err)
{
    const struct kind *kind = kinds[settings->kind];
    struct identity owner;
    if (kind->probe == NULL)
        return 0;
    find_owner(kind, settings->where, &owner);
    if (identity_enter(&owner, settings->where, err) < 0)
        return -1;
    int result = kind->probe(settings, err);
    identity_leave(&owner);
    return result;
}

bool deliver_has_mail(const struct deliver_settings *settings)
{
    const struct kind *kind = kinds[settings->kind];
    struct identity owner;
    if (kind->has_mail == NULL)
        return false;
    find_owner(kind, settings->where, &owner);
    if (identity_enter(&owner, settings->where, NULL) < 0)
        return false;
    bool has_mail = kind->has_mail(settings);
    identity_leave(&owner);
    return has_mail;
}

int deliver_open(struct deliver **out, const struct deliver_settings *settings, struct err *err)
{
    struct deliver *deliver = xcalloc(1, sizeof *deliver);
    deliver->settings = settings;
    deliver->kind = kinds[settings->kind];
    spool_names_init(&deliver->names, settings->mailbox, settings->state);
    if (settings->passed && deliver->kind->resume != NULL) /* its spool files may be kept */
        keep_name_passed(&deliver->names);
    find_owner(deliver->kind, settings->where, &deliver->owner);
    if (identity_enter(&deliver->owner, settings->where, err) < 0) {
        free(deliver);
        return -1;
    }
    int result = deliver->kind->open(deliver, err);
    leave(deliver);
    if (result < 0) {
        deliver_close(deliver);
        return -1;
    }
    *out = deliver;
    return 0;
}

void deliver_close(struct deliver *deliver)
{
    if (deliver == NULL)
        return;
    ahead_end(&deliver->ahead);
    enter(deliver);
    deliver->kind->close(deliver);
    leave(deliver);
    free(deliver);
}

void deliver_place(const struct deliver_settings *settings, struct buf *out)
{
    kinds[settings->kind]->place(settings, out);
}

bool deliver_is_gone(const struct deliver_settings *settings)
{
    const struct kind *kind = kinds[settings->kind];
    return kind->is_gone != NULL && kind->is_gone(settings);
}

int deliver_settle(const struct deliver *deliver, struct err *err)
{
    if (deliver->kind->settle == NULL)
        return 0;
    enter(deliver);
    int result = deliver->kind->settle(deliver, err);
    leave(deliver);
    return result;
}

size_t deliver_unit(const struct deliver *deliver)
{
    return deliver->kind->unit;
}

bool deliver_is_command(const struct deliver *deliver)
{
    return deliver->kind->is_command;
}

uint64_t deliver_room(const struct deliver *deliver)
{
    enter(deliver);
    uint64_t room = deliver->kind->room(deliver);
    leave(deliver);
    return room;
}

int deliver_begin(struct deliver *deliver, struct parcel **parcel, struct err *err)
{
    enter(deliver);
    int result = deliver->kind->begin(deliver, parcel, err);
    leave(deliver);
    if (result < 0)
        return -1;
    (*parcel)->to = deliver;
    if (deliver->settings->durable) {
        (*parcel)->ahead = &deliver->ahead;
        ahead_begun(&deliver->ahead);
    }
    return 0;
}

int deliver_finish(struct parcel *parcel, struct err *err)
{
    const struct kind *kind = parcel->to->kind;
    return kind->finish == NULL ? 0 : kind->finish(parcel->to, parcel, err);
}

/* What it was before goes with it, unless it is kept in its place. */
static void drop_raw(struct parcel *parcel)
{
    if (parcel->raw == NULL)
        return;
    if (parcel->raw->stays)
        spool_free(parcel->raw);
    else
        spool_drop(parcel->raw);
    parcel->raw = NULL;
}

void deliver_drop(struct parcel *parcel)
{
    const struct deliver *deliver = parcel->to;
    drop_raw(parcel);
    enter(deliver);
    if (parcel->stays)
        spool_free(parcel);
    else
        spool_drop(parcel);
    leave(deliver);
}

static int copy_in(struct deliver *deliver, const char *path, struct parcel **parcel,
                   struct err *err)
{
    struct keep_source source = {.fd = file_open(path, O_RDONLY | O_NOFOLLOW, 0), .path = path};
    if (source.fd < 0)
        return err_errno(err, ERR_IO, errno, "cannot open %s", path);
    int result = deliver_begin(deliver, parcel, err);
    if (result == 0 &&
        (keep_read(&source, spool_sink(*parcel), err) < 0 || deliver_finish(*parcel, err) < 0)) {
        deliver_drop(*parcel);
        result = -1;
    }
    close(source.fd);
    return result;
}

static int resume_copy(struct deliver *deliver, const char *name, struct parcel **parcel,
                       struct err *err)
{
    const char *state_dir = deliver->settings->state_dir;
    char *path;
    uint64_t octets;
    int result = keep_path(state_dir, name, &path, &octets, err);
    if (result == 0)
        result = copy_in(deliver, path, parcel, err);
    else if (result == 1)
        result = err_set(err, ERR_IO,
                         "%s is not in %s/spool any more; it is fetched again if the server has it",
                         name, state_dir);
    free(path);
    return result;
}

int deliver_resume(struct deliver *deliver, const char *name, struct parcel **parcel,
                   struct err *err)
{
    int result = deliver->kind->resume == NULL ? resume_copy(deliver, name, parcel, err)
                                               : deliver->kind->resume(deliver, name, parcel, err);
    if (result == 0)
        (*parcel)->to = deliver;
    return result;
}

/* As it came, durably. */
static int keep_raw(struct parcel *raw, struct deliver_file *file, struct err *err)
{
    if (deliver_secure(raw->to, &raw, 1, err) < 0)
        return -1;
    return deliver_keep(raw->to, raw, file, err);
}

int deliver_keep(const struct deliver *deliver, struct parcel *parcel, struct deliver_file *file,
                 struct err *err)
{
    if (parcel->raw != NULL)
        return keep_raw(parcel->raw, file, err);
    const struct kind *kind = deliver->kind;
    struct keep_source source = {.fd = parcel->fd, .path = parcel->path, .quoted = kind->quotes};
    if (kind->resume == NULL)
        return keep_copy(deliver->settings, &source, file, err);
    snprintf(file->name, sizeof file->name, "%s", parcel->name);
    file->octets = parcel->octets;
    parcel->stays = true;
    return 0;
}

int deliver_secure(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    if (deliver->kind->secure == NULL)
        return 0;
    enter(deliver);
    int result = deliver->kind->secure(deliver, batch, n, err);
    leave(deliver);
    return result;
}

void deliver_receipt(const struct deliver *deliver, const struct parcel *parcel, struct buf *out)
{
    deliver->kind->receipt(deliver, parcel, out);
}

int deliver_publish(struct deliver *deliver, struct parcel *const *batch, size_t n, struct err *err)
{
    enter(deliver);
    int result = deliver->kind->publish(deliver, batch, n, err);
    leave(deliver);
    return result;
}

void deliver_release(struct deliver *deliver, struct parcel **batch, size_t n)
{
    enter(deliver);
    for (size_t i = 0; i < n; i++) {
        bool delivered = batch[i]->outcome == PARCEL_DELIVERED;
        bool open = batch[i]->outcome == PARCEL_WAITING;
        drop_raw(batch[i]);
        if (open || (delivered ? deliver->kind->keeps_file : batch[i]->stays))
            spool_free(batch[i]);
        else
            spool_drop(batch[i]);
    }
    leave(deliver);
}

void deliver_abandon(struct parcel **batch, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        drop_raw(batch[i]);
        spool_free(batch[i]);
    }
}

/* ---- after an earlier run ---- */

/* The path is the last word of each receipt and place. */
static struct str last_word(struct str words)
{
    struct str last = {"", 0};
    for (struct str word = str_word(&words); word.len > 0; word = str_word(&words))
        last = word;
    return last;
}

static bool same_place(struct str a, struct str b)
{
    struct str rest_a = a, rest_b = b;
    return str_equal(str_word(&rest_a), str_word(&rest_b)) && str_equal(last_word(a), last_word(b));
}

/* Finds whose the path in these words of the journal is, and becomes that user. */
static int enter_place(const struct kind *kind, struct str words, struct identity *owner,
                       struct err *err)
{
    char *path = words_text(last_word(words));
    find_owner(kind, path != NULL ? path : "", owner);
    int result = identity_enter(owner, path, err);
    free(path);
    return result;
}

static int check_place(const struct kind *kind, const struct deliver_settings *settings,
                       struct deliver_claim *claims, size_t n, struct err *err)
{
    struct identity owner;
    if (enter_place(kind, claims->receipt, &owner, err) < 0)
        return -1;
    int result = kind->check(settings, claims, n, err);
    identity_leave(&owner);
    return result;
}

static bool is_receipt_of(const struct deliver_settings *settings, struct str receipt)
{
    struct buf where;
    buf_init(&where, WORDS_ESCAPED_MAX(strlen(settings->where)) + 1);
    words_add(&where, str_from(settings->where));
    struct str words = receipt;
    bool same = kind_of(str_word(&words)) == settings->kind &&
                str_equal(last_word(receipt), buf_str(&where));
    buf_free(&where);
    return same;
}

const struct deliver_settings *deliver_read_receipt(const struct deliver_settings *settings,
                                                    struct str receipt, struct deliver_file *file)
{
    struct str words = receipt, last = {"", 0}, name = last;
    str_word(&words);
    struct str octets = str_word(&words);
    for (struct str word = octets; word.len > 0; word = str_word(&words)) {
        name = last;
        last = word;
    }
    while (settings != NULL && !is_receipt_of(settings, receipt))
        settings = settings->next;
    return str_number(octets, INT64_MAX, &file->octets) < 0 ||
                   words_read_name(name, file->name, sizeof file->name) < 0
               ? NULL
               : settings;
}

/* True if waiting will not help, and mail does not go there any more. */
static bool is_given_up(const struct deliver_settings *settings, struct str receipt,
                        const struct err *err)
{
    struct str words = receipt;
    enum deliver_kind kind = kind_of(str_word(&words));
    if (err->kind == ERR_LOCKED || err->kind == ERR_STOPPED || kinds[kind]->is_gone == NULL)
        return false; /* is_gone: a command has nothing but its file in our own folder */
    const struct deliver_settings *at = settings;
    do {
        if (is_receipt_of(at, receipt))
            return false;
        at = at->next;
    } while (at != NULL);
    return true;
}

/* The spool file, if there is one. At a place that is given up, one that cannot be seen is none. */
static int find(const struct deliver_settings *settings, const struct kind *kind,
                struct str receipt, int *fd, struct err *err)
{
    struct identity owner;
    int result = enter_place(kind, receipt, &owner, err);
    if (result == 0) {
        result = kind->find(settings, receipt, fd, err);
        identity_leave(&owner);
    }
    return result < 0 && kind->as_owner && is_given_up(settings, receipt, err) ? 1 : result;
}

/* The name of the spool file: of each receipt the last word but one. */
static char *spool_name(struct str receipt)
{
    struct str name = {"", 0}, last = {"", 0};
    for (struct str word = str_word(&receipt); word.len > 0; word = str_word(&receipt)) {
        name = last;
        last = word;
    }
    return xmemdup0(name.ptr, name.len);
}

/* Not delivered, or it cannot be known: kept, if there is something to keep. */
static int save(const struct deliver_settings *settings, const struct kind *kind,
                struct deliver_claim *claim, struct err *err)
{
    struct keep_source source = {.quoted = kind->quotes};
    if (claim->kept)
        return 0;
    int result = find(settings, kind, claim->receipt, &source.fd, err);
    if (result != 0)
        return result < 0 ? -1 : 0;
    char *name = spool_name(claim->receipt);
    source.path = name;
    result = keep_copy(settings, &source, &claim->file, err);
    close(source.fd);
    free(name);
    if (result < 0)
        return -1;
    claim->doubtful = claim->found == DELIVER_LOST;
    claim->found = DELIVER_KEPT;
    return 0;
}

/* What cannot be kept now must not be given up: its spool file may be all there is of it. */
static int save_all(const struct deliver_settings *settings, const struct kind *kind,
                    struct deliver_claim *claims, size_t n, struct err *err)
{
    int result = 0;
    struct err later;
    for (size_t i = 0; i < n && kind->find != NULL; i++) {
        if (claims[i].found == DELIVER_PUBLISHED || claims[i].found == DELIVER_OPEN ||
            save(settings, kind, &claims[i], result == 0 ? err : &later) == 0)
            continue;
        claims[i].found = DELIVER_OPEN;
        result = -1;
    }
    return result;
}

/* It cannot be seen whether they were delivered: they are delivered from their copies, or
 * fetched. */
static void give_up(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                    const struct err *err)
{
    size_t unseen = 0;
    for (size_t i = 0; i < n; i++) {
        if (claims[i].found != DELIVER_OPEN)
            continue;
        claims[i].found = DELIVER_STUCK;
        unseen++;
    }
    if (unseen > 0)
        log_line(settings->log, FP_LOG_WARNING,
                 "%zu message(s) may come twice: whether they are at the old destination cannot be "
                 "checked: %s",
                 unseen, err->text);
}

/* Claims of one place. */
static int check_claims(const struct deliver_settings *settings, struct deliver_claim *claims,
                        size_t n, struct err *err)
{
    struct str words = claims->receipt;
    enum deliver_kind kind = kind_of(str_word(&words));
    if (kind == DELIVER_KINDS)
        return err_set(err, ERR_IO,
                       "the journal names a destination that this version does not know; use "
                       "the version that wrote it");
    struct err later;
    int result = check_place(kinds[kind], settings, claims, n, err);
    if (result < 0 && is_given_up(settings, claims->receipt, err)) {
        give_up(settings, claims, n, err);
        result = 0;
    }
    return save_all(settings, kinds[kind], claims, n, result < 0 ? &later : err) < 0 ? -1 : result;
}

int deliver_check(const struct deliver_settings *settings, struct deliver_claim *claims, size_t n,
                  struct err *err)
{
    int result = 0;
    struct err later = {ERR_NONE, ""};
    for (size_t i = 0; i < n; i++)
        claims[i].found = DELIVER_OPEN;
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && same_place(claims[from].receipt, claims[to].receipt); to++)
            ;
        struct err *why = result == 0 ? err : &later;
        if (check_claims(settings, claims + from, to - from, why) == 0)
            continue;
        result = -1;
        if (why->kind == ERR_STOPPED)
            break;
    }
    return result;
}

int deliver_sweep(const struct deliver_settings *settings, struct str place, struct err *err)
{
    enum deliver_kind kind = kind_of(str_word(&place));
    struct identity owner;
    if (kind == DELIVER_KINDS)
        return 0;
    if (enter_place(kinds[kind], place, &owner, err) < 0)
        return -1;
    int result = kinds[kind]->sweep(settings, place, err);
    identity_leave(&owner);
    return result;
}
