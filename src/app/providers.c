/* SPDX-License-Identifier: ISC */
/* One row each. What stands in `before` is shown by --setup as it is. Providers move their buttons:
 * their own help pages are right where these rows are not. */
#include "app/providers.h"

#include "base/str.h"

#define APP_PASSWORD "Your own password will not work: make an app password "

static const struct provider providers[] = {
    {"gmail.com googlemail.com", "pop.gmail.com",
     "In Gmail under Settings, Forwarding and POP/IMAP, switch POP on.\n" APP_PASSWORD
     "at\nhttps://myaccount.google.com/apppasswords and enter that here.",
     false},
    {"outlook.com hotmail.com live.com msn.com", "outlook.office365.com",
     "In Outlook under Settings, Mail, Forwarding and IMAP, let devices use POP.\n"
     "Instead of a password it wants a token (OAuth), which a command prints: OAUTH in\n"
     "fetchpoprc(5) says how to get one.",
     true},
    {"yahoo.com yahoo.ca yahoo.co.in yahoo.co.uk yahoo.com.br yahoo.de yahoo.es yahoo.fr "
     "yahoo.in yahoo.it ymail.com rocketmail.com",
     "pop.mail.yahoo.com", APP_PASSWORD "under\nAccount, Security, and enter that here.", false},
    {"aol.com aim.com", "pop.aol.com",
     APP_PASSWORD "under\nAccount, Security, and enter that here.", false},
    {"verizon.net", "pop.verizon.net",
     APP_PASSWORD "under\nAccount, Security, and enter that here.", false},
    {"att.net sbcglobal.net bellsouth.net", "inbound.att.net",
     "Your own password will not work: make a secure mail key under Profile, Sign-in info,\n"
     "and enter that here.",
     false},
    {"gmx.de gmx.net gmx.at gmx.ch", "pop.gmx.net",
     "In GMX under E-Mail, Settings, POP3/IMAP, allow access by POP3 first.", false},
    {"gmx.com gmx.us mail.com", "pop.gmx.com",
     "Under Settings, POP3 and IMAP, allow access by POP3 first.", false},
    {"web.de", "pop3.web.de",
     "In WEB.DE under E-Mail, Settings, POP3/IMAP, allow access by POP3 first.", false},
    {"t-online.de magenta.de", "securepop.t-online.de",
     "Make a password for e-mail programs in the customer centre and enter that here.", false},
    {"freenet.de", "mx.freenet.de", NULL, false},
    {"fastmail.com fastmail.fm", "pop.fastmail.com",
     "Make an app password under Settings, Privacy and Security, and enter that here.", false},
    {"zoho.com", "pop.zoho.com", "Under Settings, Mail Accounts, POP, allow access first.", false},
    {"zoho.eu", "pop.zoho.eu", "Under Settings, Mail Accounts, POP, allow access first.", false},
    {"yandex.ru yandex.com ya.ru", "pop.yandex.com",
     "Under Settings, Email clients, allow POP3. Make an app password for mail in your\n"
     "Yandex ID, and enter that here.",
     false},
    {"mail.ru inbox.ru list.ru bk.ru", "pop.mail.ru",
     "Make a password for external applications under Security, and enter that here.", false},
    {"qq.com foxmail.com", "pop.qq.com",
     "Under Settings, Account, switch POP3 on; enter here the authorisation code that it\n"
     "shows, not your password.",
     false},
    {"163.com", "pop.163.com",
     "Under Settings, POP3/SMTP/IMAP, switch POP3 on; enter here the authorisation code that\n"
     "it shows, not your password.",
     false},
    {"126.com", "pop.126.com",
     "Under Settings, POP3/SMTP/IMAP, switch POP3 on; enter here the authorisation code that\n"
     "it shows, not your password.",
     false},
    {"naver.com", "pop.naver.com", "In Mail under Settings, POP3/IMAP, switch POP3 on first.",
     false},
    {"orange.fr wanadoo.fr", "pop.orange.fr", NULL, false},
    {"free.fr", "pop.free.fr", NULL, false},
    {"laposte.net", "pop.laposte.net", NULL, false},
    {"sfr.fr", "pop.sfr.fr", NULL, false},
    {"libero.it", "popmail.libero.it", NULL, false},
    {"seznam.cz", "pop3.seznam.cz", NULL, false},
    {"bluewin.ch", "pop3s.bluewin.ch", NULL, false},
    {"btinternet.com", "mail.btinternet.com", NULL, false},
    {"posteo.de posteo.net", "posteo.de", NULL, false},
    {"mailbox.org", "pop3.mailbox.org", NULL, false},
    {"icloud.com me.com mac.com", NULL,
     "iCloud has IMAP but no POP3: fetchpop cannot fetch from it.", false},
    {"proton.me protonmail.com pm.me", NULL,
     "Proton has no POP3, not even in its Bridge: fetchpop cannot fetch from it.", false},
    {"tuta.com tutanota.com tuta.io tutamail.com", NULL,
     "Tuta has neither POP3 nor IMAP: fetchpop cannot fetch from it.", false},
    {"hey.com", NULL, "HEY has neither POP3 nor IMAP: fetchpop cannot fetch from it.", false},
};

const struct provider *providers_all(size_t *count)
{
    *count = sizeof providers / sizeof providers[0];
    return providers;
}

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
