/* SPDX-License-Identifier: MIT */
/*
 * environment.h - the environment that the command was started with
 *
 * How it works: bin/start.bin is a shell script, and a shell does not pass on its environment as it
 * got it: dash exports PWD and drops names that are no shell words (bash's exported functions, for
 * one), bash adds SHLVL and _. What the kernel gave the shell stands in /proc/PID/environ until it
 * execs. So the script first asks the launcher, as a child of the shell, for the difference between
 * the two, and hands that difference to the launcher that it then becomes.
 */
#ifndef LAUNCH_ENVIRONMENT_H
#define LAUNCH_ENVIRONMENT_H

/**
 * environment_print_difference() - write on stdout what turns our environment into our parent's
 *
 * Words separated by spaces, "-NAME" to remove and "+NAME=VALUE" to set, each byte that is not
 * plain as %XX. Nothing when the environment of the parent cannot be read.
 */
void environment_print_difference(void);

/**
 * environment_apply_difference() - apply to our environment what the above has printed
 * @difference: the words; overwritten
 *
 * Return: 0, -ENOMEM.
 */
int environment_apply_difference(char *difference);

/**
 * environment_set() - set a variable, name and value in one string
 * @assignment: "NAME=VALUE"; stays referenced by the environment
 *
 * Return: 0, -ENOMEM.
 */
int environment_set(char *assignment);

#endif
