/* SPDX-License-Identifier: ISC */
/*
 * metrics: the text of the file, and when it is written.
 */
#include "app/metrics.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static char say[] = "say \"a\\b\"", second[] = "two";
static struct account one = {.title = say}, two = {.title = second};
static struct account *const both[] = {&two, &one};

static bool says(const struct metrics *metrics, const char *line)
{
    struct buf text;
    buf_init(&text, 65536);
    metrics_spell(metrics, &text);
    buf_addf(&text, "%c", '\0');
    bool found = strstr(text.data, line) != NULL;
    buf_free(&text);
    return found;
}

static void test_text(void)
{
    struct metrics *metrics = metrics_new("/nowhere/file", both, 2);
    struct session_figures figures = {
        .fetched = 3, .octets = 5000000000, .certificate_seen = true, .certificate_days = -2};
    struct metrics_account measured = {.last_success = 1700000000, .milliseconds = 12034};
    ok(!says(metrics, "{account="), "nothing is said of an account that was not polled yet");
    metrics_result(metrics, one.title, &figures, &measured, ERR_NONE, 1800000000);
    ok(says(metrics, "\nfetchpop_last_poll_messages{account=\"say \\\"a\\\\b\\\"\"} 3\n"),
       "quotes and backslashes of a title are escaped");
    ok(says(metrics, "} 5000000000\n"), "octets have 64 bits");
    ok(says(metrics, "fetchpop_last_poll_seconds{account=\"say \\\"a\\\\b\\\"\"} 12.034\n"),
       "seconds have a fraction");
    ok(says(metrics, "\",kind=\"none\"} 1\n"), "the outcome is a label");
    ok(says(metrics, "fetchpop_certificate_days{account=\"say \\\"a\\\\b\\\"\"} -2\n"),
       "a certificate that has expired has negative days");
    ok(!says(metrics, "\"two\""), "the other account still says nothing");
    metrics_result(metrics, two.title, &(struct session_figures){0}, NULL, ERR_TIMEOUT, 1800000000);
    ok(says(metrics, "fetchpop_last_poll_status{account=\"two\"} 75\n"), "its exit status");
    ok(!says(metrics, "fetchpop_certificate_days{account=\"two\"}"), "no certificate was seen");
    metrics_result(metrics, one.title, &(struct session_figures){0}, NULL, ERR_TIMEOUT, 1800000001);
    ok(says(metrics, "} 1700000000\n"), "a worker that died leaves the last success as it was");
    ok(says(metrics, "} -2\n"), "and the certificate's days");
    metrics_result(metrics, two.title, &(struct session_figures){.skipped = true}, NULL, ERR_NONE,
                   1800000002);
    ok(says(metrics, "{account=\"two\",kind=\"skipped\"} 1\n"), "one that came too early");
    metrics_result(metrics, "three", &figures, &measured, ERR_NONE, 1800000000);
    ok(!says(metrics, "three"), "what is no account is passed over");
    metrics_replace(metrics, both, 1);
    ok(says(metrics, "\"two\"") && !says(metrics, "=\"say"),
       "an account that is gone is gone here");
    metrics_free(metrics);
}

static void test_file(void)
{
    char folder[] = "/tmp/test_metrics.XXXXXX";
    char path[100];
    struct err err;
    ok(mkdtemp(folder) != NULL, "a folder can be made");
    snprintf(path, sizeof path, "%s/none/file", folder);
    struct metrics *metrics = metrics_new(path, both, 2);
    ok(metrics_write(metrics, true, &err) < 0 && strstr(err.text, "metrics: ") == err.text,
       "a file that cannot be written is told");
    ok(metrics_write(metrics, true, &err) == 0, "nothing new: nothing is written");
    metrics_result(metrics, "two", &(struct session_figures){0}, NULL, ERR_NONE, 1);
    ok(metrics_write(metrics, true, &err) == 0, "what is known is not told again");
    metrics_free(metrics);
    snprintf(path, sizeof path, "%s/file", folder);
    metrics = metrics_new(path, both, 2);
    ok(metrics_write(metrics, true, &err) == 0 && unlink(path) == 0, "the file is written");
    ok(metrics_write(metrics, true, &err) == 0 && access(path, F_OK) < 0, "not without news");
    metrics_result(metrics, "two", &(struct session_figures){0}, NULL, ERR_NONE, 1);
    ok(metrics_write(metrics, true, &err) == 0 && unlink(path) == 0, "written again with news");
    metrics_free(metrics);
    FILE *other = fopen(path, "w");
    ok(other != NULL && fputs("ten years of work\n", other) >= 0 && fclose(other) == 0, "a file");
    metrics = metrics_new(path, both, 2);
    ok(metrics_write(metrics, true, &err) < 0, "is not replaced: %s", err.text);
    ok(truncate(path, 0) == 0, "it is emptied");
    metrics_result(metrics, "two", &(struct session_figures){0}, NULL, ERR_NONE, 1);
    ok(metrics_write(metrics, true, &err) == 0 && unlink(path) == 0, "and then it is");
    metrics_free(metrics);
    ok(rmdir(folder) == 0, "nothing is left beside it");
    ok(metrics_write(NULL, true, &err) == 0, "without metrics nothing is done");
}

int main(void)
{
    test_text();
    test_file();
    return tap_done();
}
