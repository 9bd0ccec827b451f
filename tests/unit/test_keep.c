/* SPDX-License-Identifier: ISC */
/* Messages that are kept here: copied as they came, in one of two folders, swept by their names. */
#include "delivery/keep.h"

#include "delivery/mboxform.h"
#include "delivery/spool.h"
#include "unit/kit_delivery.h"

static const char message[] = "Subject: x\n\nFrom the start\n>From quoted\nend\n";

static char *path_in(const char *folder, const char *name)
{
    return xasprintf("%s/state/%s/%s", kit_folder, folder, name);
}

static bool is_in(const char *folder, const char *name)
{
    char *path = path_in(folder, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* A kept message of this mailbox. */
static struct deliver_file keep(const struct kit *kit, const char *bytes)
{
    struct deliver_file file = {.octets = 0};
    struct err err = {0};
    char *path = kit_path("source");
    kit_write(path, bytes, strlen(bytes), "w");
    struct keep_source source = {.fd = open(path, O_RDONLY | O_CLOEXEC), .path = path};
    if (keep_copy(&kit->settings, &source, &file, &err) < 0)
        printf("# %s\n", err.text);
    close(source.fd);
    unlink(path);
    free(path);
    return file;
}

/* Malloced, or NULL. */
static char *path_of(const struct kit *kit, const char *name)
{
    char *path;
    uint64_t octets;
    (void)keep_path(kit->state, name, &path, &octets, NULL);
    return path;
}

static void copies(void)
{
    struct kit kit;
    struct stat status = {.st_mode = 0};
    size_t len;
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    struct deliver_file file = keep(&kit, message);
    is_int((long long)file.octets, sizeof message - 1, "its length is told");
    char *path = path_of(&kit, file.name);
    ok(path != NULL && is_in("spool", file.name), "it is found in spool/");
    char *bytes = kit_read(path != NULL ? path : "", &len);
    is_mem(bytes, len, message, sizeof message - 1, "byte for byte");
    ok(path != NULL && stat(path, &status) == 0 && (status.st_mode & 0777) == 0600,
       "and nobody else can read it");
    is_int((long long)keep_octets(kit.state), sizeof message - 1, "it counts with its octets");
    ok(!keep_is_passed(file.name), "it has not been through pipe_through");
    free(bytes);
    free(path);
    kit_free(&kit);
}

static void marks_what_has_passed(void)
{
    struct kit kit;
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    kit.settings.passed = true;
    struct deliver_file file = keep(&kit, message);
    ok(keep_is_passed(file.name), "what has been through pipe_through has a name that says so");
    ok(spool_is_own(file.name, KIT_A), "and belongs to the mailbox all the same");
    kit_free(&kit);
}

static int gather(void *ctx, const char *bytes, size_t len, struct err *err)
{
    (void)err;
    return buf_add(ctx, bytes, len);
}

/* What lies in spool/ for an mbox has a From_ line, quotes and an empty line more. */
static void undoes_an_mbox(void)
{
    struct kit kit;
    struct err err = {0};
    struct buf out;
    char *where = kit_path("inbox");
    kit_fresh();
    kit_settings(&kit, DELIVER_MBOX, where, KIT_A);
    buf_init(&out, 1000);
    kit_spool(&kit, message, sizeof message - 1, 7, &err);
    deliver_secure(kit.deliver, kit.batch, 1, &err);
    struct keep_source source = {
        .fd = kit.batch[0]->fd, .path = kit.batch[0]->path, .quoted = true};
    is_int(keep_read(&source, (struct sink){.write = gather, .ctx = &out}, &err), 0,
           "a spool file of an mbox is read");
    is_mem(out.data, out.len, message, sizeof message - 1, "as the message came");
    deliver_abandon(kit.batch, 1);
    buf_free(&out);
    kit_free(&kit);
    free(where);
}

static void moves(void)
{
    struct kit kit;
    struct err err = {0};
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    struct deliver_file file = keep(&kit, message);
    is_int(keep_hold(&kit.settings, file.name, &err), 0, "it is held");
    ok(is_in("held", file.name) && !is_in("spool", file.name), "then it is in held/ alone");
    is_int(keep_hold(&kit.settings, file.name, &err), 0, "held once more, nothing happens");
    char *path = path_of(&kit, file.name);
    ok(path != NULL && strstr(path, "/held/") != NULL, "it is found there");
    free(path);
    is_int(keep_free(&kit.settings, file.name, &err), 0, "it is released");
    ok(is_in("spool", file.name) && !is_in("held", file.name), "then it is in spool/ alone");
    is_int(keep_free(&kit.settings, file.name, &err), 0, "released once more, nothing happens");
    keep_remove(&kit.settings, file.name);
    ok(path_of(&kit, file.name) == NULL && keep_octets(kit.state) == 0, "delivered, it is nowhere");
    kit_free(&kit);
}

/* A kill between link and unlink leaves both names. */
static void has_both_names(void)
{
    struct kit kit;
    struct err err = {0};
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    struct deliver_file file = keep(&kit, message);
    keep_hold(&kit.settings, file.name, &err);
    char *spool = path_in("spool", file.name), *held = path_in("held", file.name);
    ok(link(held, spool) == 0, "prepare: it has both names");
    is_int(keep_hold(&kit.settings, file.name, &err), 0, "it is held again");
    ok(is_in("held", file.name) && !is_in("spool", file.name), "one of them goes");
    ok(link(held, spool) == 0, "prepare: it has both names");
    keep_remove(&kit.settings, file.name);
    ok(!is_in("held", file.name) && !is_in("spool", file.name), "delivered, both of them go");
    free(spool);
    free(held);
    kit_free(&kit);
}

static void sweeps(void)
{
    struct kit own, other;
    struct err err = {0};
    kit_fresh();
    kit_settings(&own, DELIVER_MDA, "true", KIT_A);
    kit_settings(&other, DELIVER_MDA, "true", KIT_B);
    struct deliver_file kept = keep(&own, message), litter = keep(&own, message);
    struct deliver_file held = keep(&own, message), foreign = keep(&other, message);
    keep_hold(&own.settings, held.name, &err);
    char *names[] = {kept.name};
    struct spool_list list = {.at = names, .count = 1};
    own.settings.keeps = &list;
    is_int(keep_sweep(&own.settings, &err), 0, "both folders are swept");
    ok(is_in("spool", kept.name), "what the journal knows stays");
    ok(!is_in("spool", litter.name) && !is_in("held", held.name),
       "what it does not know goes, from both");
    ok(is_in("spool", foreign.name), "and another mailbox's files are left alone");
    kit_free(&other);
    kit_free(&own);
}

struct seen {
    unsigned count;
    char name[SPOOL_NAME_MAX];
};

static void see(void *ctx, const char *name, uint64_t octets)
{
    struct seen *seen = ctx;
    seen->count += octets > 0;
    snprintf(seen->name, sizeof seen->name, "%s", name);
}

static struct seen find(const struct kit *kit, bool all)
{
    struct seen seen = {.count = 0};
    struct err err = {0};
    const struct keep_finder finder = {.found = see, .ctx = &seen, .all = all};
    if (keep_find_unnamed(&kit->settings, &finder, &err) < 0)
        printf("# %s\n", err.text);
    return seen;
}

/* By its mode a file tells what it is where no entry does. */
static void tells_what_it_is(void)
{
    struct kit kit;
    struct err err = {0};
    struct parcel *parcel = NULL;
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    struct deliver_file kept = keep(&kit, message), whole = keep(&kit, message);
    keep_mark(&kit.settings, kept.name);
    ok(deliver_open(&kit.deliver, &kit.settings, &err) == 0 &&
           deliver_begin(kit.deliver, &parcel, &err) == 0,
       "prepare: a message comes in");
    struct sink sink = spool_sink(parcel);
    is_int(sink.write(sink.ctx, "Subject: half", 13, &err), 0, "half of it is there");
    is_int(find(&kit, true).count, 2, "that is no message, the others are");
    struct seen seen = find(&kit, false);
    ok(seen.count == 1 && strcmp(seen.name, kept.name) == 0, "one is marked as kept");
    is_int(deliver_finish(parcel, &err), 0, "now all of it is there");
    is_int(find(&kit, true).count, 3, "and it is a message");
    deliver_drop(parcel);
    is_int(keep_sweep(&kit.settings, &err), 1, "the sweep tells of what is marked");
    ok(is_in("spool", kept.name) && !is_in("spool", whole.name), "which stays, and no other");
    keep_hold(&kit.settings, kept.name, &err);
    is_int(find(&kit, false).count, 1, "also in held/");
    keep_unmark(&kit.settings, kept.name);
    is_int(keep_sweep(&kit.settings, &err), 0, "taken off, there is no mark");
    ok(!is_in("held", kept.name), "and it goes");
    kit_free(&kit);
}

static void has_a_new_owner(void)
{
    struct kit kit;
    struct err err = {0};
    char other[SPOOL_NAME_MAX] = "";
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    struct deliver_file file = keep(&kit, message), held = keep(&kit, message);
    ok(spool_rename(file.name, KIT_B, other) && spool_is_own(other, KIT_B),
       "its name as another mailbox's");
    is_int((long)strlen(other), (long)strlen(file.name), "is the same but for that");
    is_int(keep_rename(&kit.settings, file.name, other, &err), 0, "it gets that name");
    ok(is_in("spool", other) && !is_in("spool", file.name), "and has no other");
    is_int(keep_rename(&kit.settings, file.name, other, &err), 0, "once more, nothing happens");
    keep_hold(&kit.settings, held.name, &err);
    ok(spool_rename(held.name, KIT_B, other) &&
           keep_rename(&kit.settings, held.name, other, &err) == 0 && is_in("held", other),
       "in held/, too");
    ok(!spool_rename("INBOX", KIT_B, other), "a name that no run has made has none");
    kit_free(&kit);
}

static void has_no_folder(void)
{
    struct kit kit;
    struct err err = {0};
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "true", KIT_A);
    is_int(keep_sweep(&kit.settings, &err), 0, "without folders there is nothing to sweep");
    is_int((long long)keep_octets(kit.state), 0, "nor to count");
    ok(path_of(&kit, "x") == NULL, "nor to find");
    char *path = kit_path("state/spool");
    kit_write(path, "", 0, "w");
    char *found;
    uint64_t octets;
    is_int(keep_path(kit.state, "x", &found, &octets, &err), -1,
           "a folder that cannot be looked into is no proof that a file is not there");
    struct deliver_file file = keep(&kit, message);
    ok(file.octets == 0 && file.name[0] == '\0', "where none can be made, nothing is kept");
    free(path);
    kit_free(&kit);
}

int main(void)
{
    copies();
    marks_what_has_passed();
    undoes_an_mbox();
    moves();
    has_both_names();
    sweeps();
    tells_what_it_is();
    has_a_new_owner();
    has_no_folder();
    kit_remove(kit_folder);
    return tap_done();
}
