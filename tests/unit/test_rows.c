/* SPDX-License-Identifier: ISC */
/*
 * rows: a message as one line, in the columns that there are.
 */
#include "app/rows.h"

#include <string.h>

#include "base/utf8.h"
#include "tap.h"

static const char *spell(const struct look_row *row, size_t columns)
{
    static char line[4000];
    struct buf out;
    buf_init(&out, sizeof line - 1);
    rows_spell(row, columns, &out);
    memcpy(line, out.data, out.len);
    line[out.len] = '\0';
    buf_free(&out);
    return line;
}

static size_t columns_of(const char *line)
{
    size_t columns = 0;
    for (struct str text = str_from(line); text.len > 0;)
        columns += utf8_width(utf8_take(&text));
    return columns;
}

#define ROW(...)                                                                                   \
    &(struct look_row)                                                                             \
    {                                                                                              \
        .number = 7, .size = 12345, .state = "new", __VA_ARGS__                                    \
    }

static struct str str(const char *text)
{
    return str_from(text);
}

static void test_parts(void)
{
    is_str(spell(ROW(.date = str("Sat, 28 Nov 2026 10:05:00 +0100"),
                     .from = str("\"Alice Example\" <alice@example.org>"), .subject = str("Lunch?"),
                     .uidl = str("u7")),
                 0),
           "    7 2026-11-28 10:05   12 kB new     Alice Example        Lunch? u7",
           "where there is no terminal, the UIDL follows the subject");
    is_str(spell(ROW(.date = str("1 Jan 99 9:05 GMT"), .from = str("bob@example.org")), 0),
           "    7 1999-01-01 09:05   12 kB new     bob@example.org      ",
           "an old date, a bare address, no subject");
    is_str(spell(ROW(.date = str("yesterday")), 0),
           "    7                    12 kB new                          ", "what is no date");
    // NOLINTNEXTLINE(misc-misleading-bidirectional): this is what is tried
    is_str(spell(ROW(.from = str("\x1b[2Jx"), .subject = str("a\nb\xff\xe2\x80\xae")), 0),
           "    7                    12 kB new      [2Jx                a b? ",
           "what would change the line is a blank");
}

static void test_fit(void)
{
    static const char wide[] = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8"
                               "\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c"
                               "\xac\xe8\xaa\x9e";
    char subject[300];
    memset(subject, 's', sizeof subject);
    for (size_t columns = 70; columns < 140; columns += 7) {
        ok(columns_of(spell(ROW(.from = str(wide), .subject = str_of(subject, sizeof subject),
                                .uidl = str("0123456789")),
                            columns)) <= columns,
           "%zu columns are enough", columns);
    }
    ok(strstr(spell(ROW(.subject = str("s"), .uidl = str("u7")), 79), " u7") == NULL,
       "a narrow terminal shows no UIDL");
    ok(strstr(spell(ROW(.subject = str("s"), .uidl = str("u7")), 99), " u7") != NULL,
       "a wider one does");
    is_int(utf8_width(0x65e5), 2, "East Asian characters are wide");
    is_int(utf8_width(0x301), 0, "an accent has no width of its own");
    is_int(utf8_width('a'), 1, "others have one column");
}

int main(void)
{
    test_parts();
    test_fit();
    return tap_done();
}
