/* SPDX-License-Identifier: ISC */
/* One row each. What stands in `before` is shown by --setup as it is. Providers move their buttons:
 * their own help pages are right where these rows are not. */
#include "app/providers.h"

#include <stddef.h>

#include "base/str.h"

static const struct provider providers[] = {
    {"gmail.com googlemail.com", "pop.gmail.com",
     "In Gmail under Settings, Forwarding and POP/IMAP, switch POP on. Your own password is "
     "refused:\n"
     "make an app password at https://myaccount.google.com/apppasswords and give that here."},
    {"outlook.com hotmail.com live.com msn.com", "outlook.office365.com",
     "In Outlook under Settings, Mail, Forwarding and IMAP, let devices use POP. Passwords are\n"
     "refused: OAuth is needed, see token_command in fetchpoprc(5)."},
    {"yahoo.com yahoo.de yahoo.fr yahoo.co.uk ymail.com", "pop.mail.yahoo.com",
     "Your own password is refused: make an app password in your account's security settings."},
    {"aol.com", "pop.aol.com",
     "Your own password is refused: make an app password in your account's security settings."},
    {"gmx.de gmx.net gmx.at gmx.ch", "pop.gmx.net",
     "In GMX under E-Mail, Settings, POP3/IMAP, allow access by POP3 first."},
    {"gmx.com gmx.us mail.com", "pop.gmx.com",
     "Under Settings, POP3 and IMAP, allow access by POP3 first."},
    {"web.de", "pop3.web.de",
     "In WEB.DE under E-Mail, Settings, POP3/IMAP, allow access by POP3 first."},
    {"t-online.de magenta.de", "securepop.t-online.de",
     "Make a password for e-mail programs in the customer centre and give that here."},
    {"fastmail.com fastmail.fm", "pop.fastmail.com",
     "Make an app password under Settings, Privacy and Security, and give that here."},
    {"zoho.com", "pop.zoho.com", "Under Settings, Mail Accounts, POP, allow access first."},
    {"orange.fr wanadoo.fr", "pop.orange.fr", NULL},
    {"free.fr", "pop.free.fr", NULL},
    {"posteo.de posteo.net", "posteo.de", NULL},
    {"mailbox.org", "pop3.mailbox.org", NULL},
    {"icloud.com me.com mac.com", NULL,
     "iCloud has IMAP, and no POP3: fetchpop cannot fetch from it."},
    {"proton.me protonmail.com pm.me", NULL,
     "Proton has no POP3, also not in its Bridge: fetchpop cannot fetch from it."},
};

const struct provider *providers_find(const char *domain)
{
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
        struct str rest = str_from(providers[i].domains);
        while (rest.len > 0)
            if (str_is_nocase(str_word(&rest), domain))
                return &providers[i];
    }
    return NULL;
}
