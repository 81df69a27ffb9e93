/*
 * fuzz: what the fuzz targets share. Each target is one file with libFuzzer's entry point; what it
 * checks beyond "no crash, no leak, no undefined behaviour" is a must().
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by that name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next bytes of the input; zeros behind its end. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};
void fuzz_take(struct fuzz_input *input, void *out, size_t size);

#endif
