/* SPDX-License-Identifier: MIT */
/* words.h - what the launcher says: one sentence on stderr, and the exit codes of the command */
#ifndef LAUNCH_WORDS_H
#define LAUNCH_WORDS_H

#include <stdbool.h>

#define EXIT_DONE   0
#define EXIT_FAILED 1
#define EXIT_UNREAD 141 /* nobody reads the result: what a shell returns after SIGPIPE */

#define WORDS_STREAM_BYTES 64 /* bytes: two numbers of 20 digits, with the variable's name */

/**
 * words_stream() - write what JOURNAL_STREAM would be if stderr were the journal: systemd.exec(5)
 * @ret: "JOURNAL_STREAM=DEVICE:INODE", WORDS_STREAM_BYTES long
 */
void words_stream(char *ret);

/* Is stderr the journal, where a line begins with its priority? */
bool words_for_journal(void);

/**
 * words_fail() - say one sentence on stderr
 * @format: printf(3) format of the sentence, without "xsocket:" and without a newline
 *
 * Return: EXIT_FAILED, to be returned by the caller.
 */
__attribute__((format(printf, 1, 2))) int words_fail(const char *format, ...);

#endif
