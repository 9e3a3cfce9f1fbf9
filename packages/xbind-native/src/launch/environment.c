/* SPDX-License-Identifier: MIT */
#include "launch/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARENT     "PPid:\t"
#define LINE_BYTES 256
#define PATH_BYTES (LINE_BYTES + 16) /* "/proc/" and "/environ" about the number in a line */

/* Numbers are read without strtol(3) and scanf(3): compiled against glibc 2.38 or newer, these
 * would need that version to run. */
static const char HEX[] = "0123456789abcdef";
static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,";

static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t length = name_length(a);

	return length == name_length(b) && memcmp(a, b, length) == 0;
}

/* A block of NUL-ended strings, as the kernel lays an environment out. */
struct block {
	char *bytes;
	size_t length;
};

#define BLOCK_STEP 65536 /* bytes */

static int block_read(FILE *file, struct block *ret)
{
	struct block block = {0};

	for (;;) {
		char *grown = realloc(block.bytes, block.length + BLOCK_STEP + 1);
		if (!grown) {
			free(block.bytes);
			return -ENOMEM;
		}
		block.bytes = grown;

		size_t got = fread(block.bytes + block.length, 1, BLOCK_STEP, file);
		block.length += got;
		if (got < BLOCK_STEP)
			break;
	}
	if (ferror(file)) {
		free(block.bytes);
		return -EIO;
	}
	block.bytes[block.length] = '\0';
	*ret = block;
	return 0;
}

static const char *block_next(const struct block *block, const char *entry)
{
	const char *next = entry ? entry + strlen(entry) + 1 : block->bytes;

	return next < block->bytes + block->length ? next : NULL;
}

static bool block_names(const struct block *block, const char *name)
{
	for (const char *entry = block_next(block, NULL); entry; entry = block_next(block, entry)) {
		if (same_name(entry, name))
			return true;
	}
	return false;
}

static bool ours_has(const char *wanted)
{
	for (char **entry = environ; *entry; entry++) {
		if (strcmp(*entry, wanted) == 0)
			return true;
	}
	return false;
}

static void print_word(char sign, const char *text, size_t length)
{
	printf("%c", sign);
	for (size_t i = 0; i < length; i++) {
		if (strchr(PLAIN, text[i]))
			putchar(text[i]);
		else
			printf("%%%02x", (unsigned char)text[i]);
	}
	putchar(' ');
}

static void print_difference(const struct block *wanted)
{
	for (char **entry = environ; *entry; entry++) {
		if (!block_names(wanted, *entry))
			print_word('-', *entry, name_length(*entry));
	}
	for (const char *entry = block_next(wanted, NULL); entry;
	     entry = block_next(wanted, entry)) {
		if (!ours_has(entry))
			print_word('+', entry, strlen(entry));
	}
}

/* Our parent, by its process id in /proc: a sandbox may have mounted the /proc of another PID
 * namespace, where the id that getppid(2) gives is another process. */
static int parent_path(char ret[static PATH_BYTES])
{
	char line[LINE_BYTES];
	int rc = -ESRCH;
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return -errno;
	while (rc < 0 && fgets(line, sizeof(line), file)) {
		if (strncmp(line, PARENT, strlen(PARENT)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret, PATH_BYTES, "/proc/%s/environ", line + strlen(PARENT));
		rc = 0;
	}
	fclose(file);
	return rc;
}

/* Return: 0, -errno. */
static int parent_environment(struct block *ret)
{
	char path[PATH_BYTES];
	int rc = parent_path(path);

	if (rc < 0)
		return rc;
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	rc = block_read(file, ret);
	fclose(file);
	return rc;
}

void environment_print_difference(void)
{
	struct block wanted = {0};

	if (parent_environment(&wanted) < 0)
		return;
	/* An empty block is no error: the shell may have been started without any environment. */
	print_difference(&wanted);
	free(wanted.bytes);
}

static int digit(char c)
{
	const char *at = strchr(HEX, c);

	return at ? (int)(at - HEX) : 0;
}

/* Decodes %XX in place. */
static void decode(char *word)
{
	char *out = word;

	while (*word) {
		if (*word == '%' && word[1] && word[2]) {
			*out++ = (char)(digit(word[1]) << 4 | digit(word[2]));
			word += 3;
		} else {
			*out++ = *word++;
		}
	}
	*out = '\0';
}

static void drop(const char *name)
{
	char **kept = environ;

	for (char **entry = environ; *entry; entry++) {
		if (!same_name(*entry, name))
			*kept++ = *entry;
	}
	*kept = NULL;
}

int environment_set(char *assignment)
{
	static char **ours;
	size_t count = 0;

	drop(assignment);
	while (environ[count])
		count++;

	/* Never setenv(3): it refuses names that execve(2) takes. */
	char **grown = calloc(count + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memcpy(grown, environ, count * sizeof(*grown));
	grown[count] = assignment;
	environ = grown;
	free(ours);
	ours = grown;
	return 0;
}

int environment_apply_difference(char *difference)
{
	char *rest = NULL;

	for (char *word = strtok_r(difference, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		decode(word);
		if (word[0] == '-') {
			drop(word + 1);
			continue;
		}
		int rc = environment_set(word + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}
