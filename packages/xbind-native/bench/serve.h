/* SPDX-License-Identifier: MIT */
/* serve.h - what the two servers to compare with have in common: the least that can be served with
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

/* A listening socket at path, whose file is replaced. Exits with a message on failure. */
int bench_listen(const char *path);

/* Answers one request with a socket. Return: 1, or 0 when the connection is over. */
int bench_answer(int conn);

#endif
