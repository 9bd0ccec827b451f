/* SPDX-License-Identifier: ISC */
/* A command: what it is given, what its end means, and what can be known before it runs. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/stop.h"

#include "unit/kit_delivery.h"

static const char message[] = "Return-Path: <from@example.org>\nDelivered-To: to@example.org\n"
                              "Subject: x\n\nFrom the start\nno end";

/* Runs a command on a message; its outcome, or -1. why: as told. */
static int run_with(struct kit *kit, const char *bytes, size_t len, const char *uidl, char why[256])
{
    struct err err = {0};
    int outcome = -1;
    if (kit_spool(kit, bytes, len, 10, &err) == 0 &&
        deliver_secure(kit->deliver, kit->batch, 1, &err) == 0) {
        kit->batch[0]->uidl = str_from(uidl);
        if (deliver_publish(kit->deliver, kit->batch, 1, &err) == 0) {
            outcome = (int)kit->batch[0]->outcome;
            snprintf(why, 256, "%s", kit->batch[0]->why != NULL ? kit->batch[0]->why : "");
        }
    }
    if (err.text[0] != '\0')
        printf("# %s\n", err.text);
    if (kit->n > 0)
        deliver_release(kit->deliver, kit->batch, 1);
    kit->n = 0;
    return outcome;
}

static void ends(const char *command, enum parcel_outcome want, const char *want_why)
{
    struct kit kit;
    char why[256] = "";
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    ok(run_with(&kit, message, sizeof message - 1, "u", why) == (int)want, "outcome of %s",
       command);
    is_str(why, want_why, "it says why");
    kit_free(&kit);
}

static void outcomes(void)
{
    kit_fresh();
    ends("cat >/dev/null", PARCEL_DELIVERED, "");
    ends("exit 0", PARCEL_DELIVERED, "");
    ends("exit 75", PARCEL_LATER, "the command says: try again later (75)");
    ends("exit 67", PARCEL_REFUSED, "the command exited with 67");
    ends("/bin/sh -c 'exit 1'", PARCEL_REFUSED, "sh exited with 1");
    ends("exit 99", PARCEL_REFUSED, "the command exited with 99");
    ends("/nonexistent/procmail -d alice", PARCEL_LATER, "procmail: no such command (127)");
    ends("/dev/null x", PARCEL_LATER, "null cannot be run (126)");
    ends("kill -9 $$", PARCEL_LATER, "the command was ended by signal 9");
    char *spool = kit_path("state/spool");
    is_int((long long)kit_count(spool), 0, "no spool file is left");
    free(spool);
}

/* It takes its time: the limit is its own, and idle is called meanwhile. */
static int idles;

static void idle(void *ctx)
{
    (void)ctx;
    idles++;
}

static void limits(void)
{
    struct kit kit;
    char why[256] = "";
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "sleep 60", KIT_A);
    kit.settings.command_timeout = 1000;
    kit.settings.idle = idle;
    int64_t start = clock_ms();
    is_int(run_with(&kit, message, sizeof message - 1, "u", why), PARCEL_LATER,
           "a command that hangs is told as to be tried later");
    is_str(why, "sleep did not end within 1 seconds", "it says why");
    ok(clock_ms() - start < 5000, "  is ended in time");
    ok(idles > 0, "  idle is called meanwhile");
    kit_free(&kit);
}

static void stopped(void)
{
    struct kit kit;
    char why[256] = "";
    kit_fresh();
    stop_install();
    raise(SIGTERM);
    kit_settings(&kit, DELIVER_MDA, "sleep 0.3; cat >/dev/null", KIT_A);
    is_int(run_with(&kit, message, sizeof message - 1, "u", why), PARCEL_DELIVERED,
           "a signal to us does not end it");
    kit_free(&kit);
}

static void is_file(const char *name, const char *want, size_t len, const char *what)
{
    size_t got_len;
    char *path = kit_path(name);
    char *got = kit_read(path, &got_len);
    is_mem(got, got_len, want, len, what);
    free(got);
    free(path);
}

static void input(void)
{
    struct kit kit;
    char why[256] = "";
    kit_fresh();
    char *command = xasprintf(
        "cd %s; (read -r line; echo \"$line\" >first); cat >rest; echo lost; "
        "printf '%%s|%%s|%%s|%%s|%%s' \"$FETCHPOP_ACCOUNT\" \"$FETCHPOP_UIDL\" \"$FETCHPOP_SIZE\" "
        "\"$FETCHPOP_SENDER\" \"$FETCHPOP_RECIPIENT\" >env; (echo more >&0) 2>/dev/null && echo w "
        ">wrote; "
        "echo complaint >&2",
        kit_folder);
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    is_int(run_with(&kit, message, sizeof message - 1, "a b\t%\xc3\xa9$(x)", why), PARCEL_DELIVERED,
           "a curious command");
    is_file("first", "Return-Path: <from@example.org>\n", 32, "the first line of its input");
    is_file("rest", message + 32, sizeof message - 1 - 32, "and the rest, to the last byte");
    char want[200];
    int len = snprintf(want, sizeof want,
                       "work|a%%20b%%09%%%%C3%%A9$(x)|%zu|from@example.org|"
                       "to@example.org",
                       sizeof message - 1);
    is_file("env", want, (size_t)len, "the command has its environment, sender and UIDL among it");
    char *wrote = kit_path("wrote");
    ok(access(wrote, F_OK) < 0, "its input cannot be written to");
    free(wrote);
    ok(strstr(kit_said, "complaint") != NULL && strstr(kit_said, "lost") == NULL,
       "its complaints are logged, its output is not");
    kit_free(&kit);
    free(command);
}

static void odd_input(void)
{
    struct kit kit;
    char why[256] = "";
    kit_fresh();
    char *command =
        xasprintf("cat >%s/out; printf '%%s' \"$FETCHPOP_SENDER$FETCHPOP_UIDL\" >%s/env",
                  kit_folder, kit_folder);
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    is_int(run_with(&kit, "", 0, NULL, why), PARCEL_DELIVERED, "an empty message is delivered");
    is_file("out", "", 0, "an empty message arrives empty");
    is_file("env", "", 0, "without sender and UIDL the environment has neither");
    kit_free(&kit);
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    is_int(run_with(&kit, "From: -x@y\n\n", 12, "-a-b", why), PARCEL_DELIVERED,
           "a sender and a UIDL that look like options");
    is_file("env", "%2Da-b", 6, "such a sender is left out, and such a UIDL is escaped");
    size_t big = 3 * 1000 * 1000;
    char *bytes = xmalloc(big);
    for (size_t i = 0; i < big; i++)
        bytes[i] = (char)(i * 7 % 251);
    kit_free(&kit);
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    kit_spool(&kit, bytes, big, 50000, NULL);
    deliver_publish(kit.deliver, kit.batch, 1, NULL);
    is_file("out", bytes, big, "3 MB of all sorts of bytes arrive as they are");
    deliver_release(kit.deliver, kit.batch, 1);
    free(bytes);
    kit_free(&kit);
    free(command);
}

static void known(const char *command, enum err_kind want, const char *text)
{
    struct kit kit;
    struct err err = {0};
    kit_settings(&kit, DELIVER_MDA, command, KIT_A);
    int result = deliver_probe(&kit.settings, &err);
    ok(result == (want == ERR_NONE ? 0 : -1) && err.kind == want, "probe of \"%s\" %s", command,
       err.text);
    if (text != NULL)
        ok(strstr(err.text, text) != NULL, "  says %s", text);
    kit_free(&kit);
}

static void probes(void)
{
    kit_fresh();
    known("", ERR_CONFIG, "empty");
    known(" \t", ERR_CONFIG, "empty");
    known("no-such-command-here -d alice", ERR_CONFIG, "no-such-command-here: no such command;");
    known("/no/such/procmail", ERR_CONFIG, "/no/such/procmail: no such command;");
    known("/tmp", ERR_CONFIG, "cannot be run");
    known("/dev/null", ERR_CONFIG, "cannot be run");
    known("cat", ERR_NONE, NULL);
    known("  /bin/cat >/dev/null", ERR_NONE, NULL);
    known("exec no-such-command-here", ERR_NONE, NULL);
    known("umask 077; cat", ERR_NONE, NULL);
    known("X=1 no-such-command-here", ERR_NONE, NULL);
    known("~/bin/deliver", ERR_NONE, NULL);
    known("\"/no/such\" x", ERR_NONE, NULL);
    known("(no-such-command-here)", ERR_NONE, NULL);
    char *state = kit_path("state");
    is_int((long long)kit_count(state), 0, "nothing was made in the state folder");
    free(state);
}

/* Root may search it; anybody else may not. */
static void closed_folder(void)
{
    kit_fresh();
    char *before = xstrdup(getenv("PATH"));
    char *closed = kit_path("closed");
    char *path = xasprintf("%s:%s", closed, before);
    if (mkdir(closed, 0) == 0 && setenv("PATH", path, 1) == 0)
        known("no-such-command-here", ERR_CONFIG, "no-such-command-here: no such command;");
    setenv("PATH", before, 1);
    chmod(closed, 0700);
    free(path);
    free(closed);
    free(before);
}

static void cannot_be_seen(const struct kit *kit, const char *receipts)
{
    struct err err = {0};
    char answer[65];
    char *spool = kit_path("state/spool"), *away = kit_path("state/away");
    ok(rename(spool, away) == 0, "prepare: a file is in the place of spool/");
    kit_write(spool, "", 0, "w");
    ok(kit_check(kit, receipts, answer, &err) < 0 && strcmp(answer, "O") == 0,
       "one that cannot be looked at stays open: %s", err.text);
    ok(unlink(spool) == 0 && rename(away, spool) == 0, "prepare: spool/ is back");
    free(spool);
    free(away);
}

static void checks(void)
{
    struct kit kit;
    struct err err = {0};
    char answer[65];
    kit_fresh();
    kit_settings(&kit, DELIVER_MDA, "cat >/dev/null", KIT_A);
    kit_spool(&kit, message, sizeof message - 1, 100, &err);
    char *receipts = kit_receipts(&kit);
    ok(kit_check(&kit, receipts, answer, &err) == 0 && strcmp(answer, "K") == 0,
       "an open take: its spool file is kept");
    cannot_be_seen(&kit, receipts);
    is_int((long long)deliver_unit(kit.deliver), 1, "a command takes one message at a time");
    struct buf place;
    buf_init(&place, 4096);
    deliver_place(&kit.settings, &place);
    deliver_abandon(kit.batch, 1);
    char *spool = kit_path("state/spool");
    is_int((long long)kit_count(spool), 1,
           "the spool file of a message that was not delivered is left");
    kit.settings.mailbox = KIT_B;
    ok(deliver_sweep(&kit.settings, buf_str(&place), &err) == 0 && kit_count(spool) == 1,
       "another mailbox does not sweep it away");
    kit.settings.mailbox = KIT_A;
    ok(deliver_sweep(&kit.settings, buf_str(&place), &err) == 0 && kit_count(spool) == 0,
       "its own does");
    free(spool);
    free(receipts);
    buf_free(&place);
    kit_free(&kit);
}

int main(void)
{
    outcomes();
    input();
    odd_input();
    probes();
    closed_folder();
    checks();
    limits();
    stopped();
    kit_remove(kit_folder);
    return tap_done();
}
