# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables shared with the scripts that source this
#
# `loader verify` beside a C program that does no more than have libbpf load the same object. To be sourced after
# measure.sh.

# measure_verify: a program without relocations; one for an example, and one for each server that was measured.
measure_verify() {
	local examples=$bench_run/examples name
	# The cache is warm: what runs before all that is counted fills it.
	local -x XDG_CACHE_HOME=$bench_run/xdg
	if [[ ! $newest ]]; then
		not_run+=("verify: there is no libbpf to compare with")
		return
	elif [[ ! -r $kernel_btf ]]; then
		not_run+=("verify: this machine's kernel does not show its BTF ($kernel_btf)")
		return
	fi
	note "measuring loader verify"
	make --silent -C "$checkout/examples" OUT="$examples" >&2 || die 125 "the examples could not be built"
	if ! compile_program plain || ! "$bench_run/bin/loader" verify "$bpf_object" --app "$examples/btf-base" >"$bench_run/log/verify" 2>&1; then
		not_run+=("verify: $(tail -n 1 "$bench_run/log/verify" | cut -c1-160)")
		return
	fi
	compare verify-plain "$examples/btf-base" loader load
	measure_relocated btf-base "$examples/btf-base"
	for name in redis-server postgres; do
		[[ " ${inputs[*]} " != *" $name "* ]] || measure_relocated "$name" "$(input_file "$name")"
	done
}

# measure_relocated NAME APP: libbpf is given what a user of it would give it: the types of kernel and application in one
# file; and the least that the object needs of those, as bpftool makes it.
measure_relocated() {
	local name=$1 app=$2
	bpf_types=$bench_run/out/types.$name
	if ! {
		compile_program "$name" &&
			"$bench_run/bin/ufunc-gen" btf "$app" -o "$bpf_types.own" &&
			"$bench_run/bin/ufunc-gen" merge "$kernel_btf" "$bpf_types.own" -o "$bpf_types" &&
			bpftool gen min_core_btf "$bpf_types" "$bpf_types.least" "$bpf_object" &&
			"$bench_run/bin/loader" verify "$bpf_object" --app "$app"
	} >"$bench_run/log/verify" 2>&1; then
		not_run+=("verify-$name: $(tail -n 1 "$bench_run/log/verify" | cut -c1-160)")
		return
	fi
	compare "verify-$name" "$app" loader load-merged load-least
}

# compile_program NAME: bench.d/programs/NAME.bpf.c, to $bpf_object.
compile_program() {
	bpf_object=$bench_run/out/$1.bpf.o
	clang --target=bpfel -g -O2 -idirafter "/usr/include/$(uname -m)-linux-gnu" -I"$bench_run/include" \
		-c "$bench_scripts/bench.d/programs/$1.bpf.c" -o "$bpf_object" >"$bench_run/log/verify" 2>&1
}
