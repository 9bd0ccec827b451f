/* SPDX-License-Identifier: ISC */
/*
 * The configuration file, with libconfuse behind it.
 */
#include "app/capture.h"
#include "app/config.h"
#include "fuzz/fuzz.h"

/* libconfuse 3.3 leaks the words of an include( at the end of a file, some twenty bytes, when it refuses
 * the file. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the sanitizer's name */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfuse";
}

/* In place of the library's own: no command that an input makes up is run. */
int capture_run(const struct capture *capture, const struct log *log, struct err *err)
{
    (void)log;
    return err_set(err, ERR_CONFIG, "%s is not run here", capture->key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct err err = {0};
    setenv("HOME", "/nonexistent", 1);
    char *copy = fuzz_copy(data, size);
    int result = config_parse(&config, "/nonexistent/rc", copy, size, &err);
    free(copy); /* nothing may point into it */
    if (result == 0) {
        fuzz_check(config.count > 0);
        for (size_t i = 0; i < config.count; i++) {
            const struct account *account = config.accounts[i];
            fuzz_check(account->title != NULL && account->server != NULL && account->where != NULL);
            fuzz_check(account->port >= 1 && account->port <= 65535);
            fuzz_check(account->timeout > 0 && account->session_timeout > 0);
        }
        config_free(&config);
    } else {
        fuzz_check(err.kind == ERR_CONFIG && err.text[0] != '\0');
    }
    return 0;
}
