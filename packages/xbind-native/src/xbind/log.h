/* SPDX-License-Identifier: MIT */
/*
 * log.h - XBIND_LOG: one line for each bind, a function for each verdict
 *
 * Silent unless XBIND_LOG asks. No allocation, no stdio; errno untouched; for any thread and any
 * signal handler. Lines go to the file that the descriptor referred to when the library was loaded.
 * Once the program has put another file there they are dropped, since a line inside the program's
 * own file or connection would corrupt it. A descriptor that was closed at load gets none.
 */
#ifndef XBIND_LOG_H
#define XBIND_LOG_H

#include "xbind/config.h"

#include <stdint.h>

/* Remembers which file the descriptor is: for the constructor. */
void log_load(void);

/* The socket was replaced. Ports in host order: the program's and that of the target namespace;
 * for a published port of 0 the one that new_fd has is shown. */
void log_moved(int fd, int new_fd, enum config_proto proto, uint16_t port, uint16_t published);

/* The socket stayed where it is. why: a reason without a full stop; port -1: it has none. */
void log_left(int fd, int port, const char *why);

/* Nothing was changed, bind failed. Ports as for log_moved(); what: the step, as "connect"; error:
 * -errno. */
void log_failed(int fd, enum config_proto proto, uint16_t port, uint16_t published,
                const char *what, int error);

/* bind went on without something that is only best effort, such as a registration, if rc is an
 * error: it is what carrying that over gave. */
void log_lost(int fd, const char *what, int rc);

/* The same for an option of setsockopt(2). */
void log_option_lost(int fd, int level, int name, int rc);

/* Before chroot(2) no connection to the server could be made. */
void log_kept(int error);

#endif
