/* SPDX-License-Identifier: MIT */
/*
 * plan.h - commands that end as another program
 *
 * How it works: Bun changes what a program inherits from it (signals ignored, limits raised,
 * descriptors closed or made close-on-exec, standard streams made non-blocking). So for `run` and
 * `open` the launcher does not become Bun, but lets a child, Bun, work out what to do. The child's
 * streams are pipes, so that it never touches ours. It answers with one packet, the plan: strings
 * that end with a NUL,
 *
 *     the index of the program in the arguments of the command,
 *     then NAME=VALUE for each variable to set,
 *
 * and maybe a socket, which then becomes descriptor 3 in the LISTEN_FDS convention. A child that
 * sends no plan has done all there was to do, and its exit code is the command's.
 */
#ifndef LAUNCH_PLAN_H
#define LAUNCH_PLAN_H

#include "launch/bun.h"

/**
 * plan_follow() - let Bun make the plan, then become the program
 * @bun:  what bun_find() found
 * @argc: number of arguments
 * @argv: the arguments of the command, NULL-terminated
 *
 * Return: only when no program was started: the exit code.
 */
int plan_follow(const struct bun *bun, int argc, char **argv);

#endif
