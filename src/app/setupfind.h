/* SPDX-License-Identifier: ISC */
/*
 * setupfind: which server --setup takes for an address: that of a large provider, what the DNS
 * names, or one with a usual name; none is believed unless its certificate fits. A server that is
 * typed may be trusted by its key.
 */
#ifndef FP_APP_SETUPFIND_H
#define FP_APP_SETUPFIND_H

#include "app/dialog.h"
#include "app/discover.h"
#include "app/setupfile.h"
#include "base/err.h"
#include "import/sheet.h"

/* Puts server, port and tls into the sheet, and tls_pin where the person trusts a key; what the
 * file says for all accounts counts on the way. ERR_HOST: the provider has no POP3; ERR_STOPPED. */
int setupfind_server(const struct dialog *dialog, const struct setupfile *file,
                     const struct discover_address *address, struct sheet *sheet, struct err *err);

#endif
