/* SPDX-License-Identifier: ISC */
/*
 * setupfind: which server --setup takes for an address: that of a large provider, what the DNS
 * names, or one with a usual name; none is believed unless its certificate fits.
 */
#ifndef FP_APP_SETUPFIND_H
#define FP_APP_SETUPFIND_H

#include "app/dialog.h"
#include "app/discover.h"
#include "base/err.h"
#include "import/sheet.h"

/* Puts server, port and tls into the sheet. ERR_HOST: the provider has no POP3; ERR_STOPPED. */
int setupfind_server(const struct dialog *dialog, const struct discover_address *address,
                     struct sheet *sheet, struct err *err);

#endif
