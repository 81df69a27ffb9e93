#include "fuzz.h"

#include <string.h>

void
fuzz_take(struct fuzz_input *input, void *out, size_t size)
{
	size_t n = size < input->left ? size : input->left;

	memset(out, 0, size);
	memcpy(out, input->at, n);
	input->at += n;
	input->left -= n;
}
