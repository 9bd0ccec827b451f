/* SPDX-License-Identifier: ISC */
/*
 * app: the program, from argv to the exit status.
 */
#ifndef FP_APP_APP_H
#define FP_APP_APP_H

/* Does what the command line says and returns the exit status. */
int app_run(int argc, char **argv);

#endif
