/* SPDX-License-Identifier: MIT */
/* test_wire.c - the vectors of tests/vectors, which the TypeScript codec reads too */
#include "test.h"

#include "support/wire_server.h"

#include <ctype.h>
#include <glob.h>

#define VECTOR_BYTES_MAX 64

/* Reads hexadecimal digits, skipping white space and what follows a '#'. */
static size_t read_vector(const char *path, uint8_t *out)
{
	FILE *file = fopen(path, "r");
	size_t digits = 0;

	CHECK(file);
	memset(out, 0, VECTOR_BYTES_MAX);
	for (int c = fgetc(file); c != EOF; c = fgetc(file)) {
		while (c == '#')
			while ((c = fgetc(file)) != '\n' && c != EOF)
				;
		if (!isxdigit(c))
			continue;
		CHECK(digits < 2 * (size_t)VECTOR_BYTES_MAX);
		out[digits / 2] =
		    (uint8_t)(out[digits / 2] << 4 | (isdigit(c) ? c - '0' : (c | 32) - 'a' + 10));
		digits++;
	}
	fclose(file);
	CHECK(digits % 2 == 0);
	return digits / 2;
}

/* Runs all vectors of that name, for example accept-request-*.hex. */
static void run_vectors(const char *verdict, const char *kind)
{
	char pattern[64];
	uint8_t bytes[VECTOR_BYTES_MAX];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s-%s-*.hex", verdict, kind);
	CHECK_EQ(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct wire_request request = {-1, -1, -1};
		size_t len = read_vector(found.gl_pathv[i], bytes);
		uint8_t again[VECTOR_BYTES_MAX];
		int rc;

		if (strcmp(kind, "request") == 0) {
			rc = wire_decode_request(bytes, len, &request);
			wire_encode_request(&request, again);
		} else {
			rc = wire_decode_response(bytes, len);
			wire_encode_response(rc, again);
		}
		if ((rc >= 0) != (strcmp(verdict, "accept") == 0))
			FAIL("%s: decoded to %d", found.gl_pathv[i], rc);
		if (rc < 0)
			CHECK_EQ(rc, -EBADMSG);
		if (rc >= 0 && memcmp(bytes, again, len) != 0)
			FAIL("%s: encodes to other bytes", found.gl_pathv[i]);
	}
	globfree(&found);
}

static void test_request_vectors(void)
{
	run_vectors("accept", "request");
	run_vectors("reject", "request");
}

static void test_response_vectors(void)
{
	run_vectors("accept", "response");
	run_vectors("reject", "response");
}

int main(void)
{
	CHECK_EQ(chdir(VECTORS_DIR), 0); /* glob(3) would expand a pattern in its name */
	RUN(test_request_vectors);
	RUN(test_response_vectors);
	return 0;
}
