// SPDX-License-Identifier: MIT OR Apache-2.0
//
// libbpf on files:
//
//   libbpf count FILE                  number of types, then of structs, unions, enums, typedefs, functions and
//                                      variables; fails if libbpf takes the file for damaged
//   libbpf merge BASE FILE OUT [dedup] both in one, as btf__add_btf() makes it, and deduplicated if told to
//   libbpf load OBJECT [BTF]           loads all programs of a BPF object, fitted to the types in BTF if given

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *file)
{
	fprintf(stderr, "libbpf: failed to %s %s\n", what, file);
	return 1;
}

static int count(const char *path)
{
	struct btf *btf = btf__parse_raw(path);
	unsigned int counts[32] = {0};
	__u32 id, end;

	if (!btf)
		return fail("read", path);
	end = btf__type_cnt(btf);
	for (id = 1; id < end; id++)
		counts[btf_kind(btf__type_by_id(btf, id))]++;
	printf("%u %u %u %u %u %u %u\n", end - 1, counts[BTF_KIND_STRUCT], counts[BTF_KIND_UNION],
	       counts[BTF_KIND_ENUM] + counts[BTF_KIND_ENUM64], counts[BTF_KIND_TYPEDEF],
	       counts[BTF_KIND_FUNC], counts[BTF_KIND_VAR]);
	return 0;
}

static int merge(const char *base_path, const char *path, const char *out_path, int dedup)
{
	struct btf *base = btf__parse_raw(base_path), *btf = btf__parse_raw(path);
	const void *bytes;
	__u32 size;
	FILE *out;

	if (!base || !btf)
		return fail("read", base ? path : base_path);
	if (btf__add_btf(base, btf) < 0)
		return fail("add", path);
	if (dedup && btf__dedup(base, NULL))
		return fail("deduplicate with", path);
	bytes = btf__raw_data(base, &size);
	out = fopen(out_path, "w");
	if (!bytes || !out || fwrite(bytes, 1, size, out) != size || fclose(out))
		return fail("write", out_path);
	return 0;
}

static int load(const char *path, const char *btf)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = btf);
	struct bpf_object *object = bpf_object__open_file(path, &options);
	int failed;

	if (!object)
		return fail("open", path);
	failed = bpf_object__load(object);
	bpf_object__close(object);
	return failed ? fail("load", path) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "count"))
		return count(argv[2]);
	if ((argc == 5 || (argc == 6 && !strcmp(argv[5], "dedup"))) && !strcmp(argv[1], "merge"))
		return merge(argv[2], argv[3], argv[4], argc == 6);
	if ((argc == 3 || argc == 4) && !strcmp(argv[1], "load"))
		return load(argv[2], argv[3]);
	fputs("usage: libbpf count FILE | merge BASE FILE OUT [dedup] | load OBJECT [BTF]\n",
	      stderr);
	return 2;
}
