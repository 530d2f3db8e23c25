# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables shared with the scripts that source this
#
# Running the tools and writing down how it went. To be sourced after inputs.sh.
#
# $bench_run/records has a line for each run, $bench_run/results one for each tool on each input; fields are separated by
# tabs, and report.awk reads the second.

# Seconds after which a run is ended.
bench_limit=300

# build_tools: what is measured and what measures, into $bench_run/bin.
build_tools() {
	local target=${CARGO_TARGET_DIR:-$checkout/target} bin=$bench_run/bin include=$bench_run/include library
	mkdir -p "$bin" "$include"
	note "building ufunc-gen and loader"
	(cd "$checkout" && cargo build --quiet --locked --release -p ufunc-gen --bins --example walk) >&2 ||
		die 125 "ufunc-gen could not be built"
	(cd "$checkout" && cargo build --quiet --locked --release -p loader -p ufunc-agent) >&2 || die 125 "loader could not be built"
	cp "$target/release/ufunc-gen" "$target/release/examples/walk" "$target/release/loader" "$bin/"
	cc -O2 -o "$bin/measure" "$bench_scripts/bench.d/measure.c"
	if [[ $newest ]]; then
		# Of the suite's headers only libbpf's: the others would not fit the machine's C library.
		ln -s "$bench_cache/suite/$newest/usr/include/bpf" "$include/bpf"
		library=$(find "$bench_cache/suite/$newest/usr/lib" -name 'libbpf.so.1' -print -quit)
		cc -O2 -I"$include" -o "$bin/libbpf" "$bench_scripts/bench.d/libbpf.c" "$library" -Wl,--allow-shlib-undefined
	fi
}

# build_rust_input: the debug build of this checkout, kept aside in case somebody builds meanwhile.
build_rust_input() {
	note "building ufunc-gen for debugging, as an input"
	(cd "$checkout" && cargo build --quiet --locked -p ufunc-gen --bins) >&2 || return 1
	cp "${CARGO_TARGET_DIR:-$checkout/target}/debug/ufunc-gen" "$bench_run/rust"
}

# input_file NAME
input_file() {
	if [[ $1 == rust ]]; then echo "$bench_run/rust"; else echo "$bench_cache/input/$1/app"; fi
}

# set_command TOOL INPUT-FILE OUTPUT-FILE: sets command to what runs the tool.
set_command() {
	case $1 in
	ufunc-gen) command=("$bench_run/bin/ufunc-gen" btf "$2" -o "$3") ;;
	walk) command=("$bench_run/bin/walk" "$2") ;;
	pahole-*)
		in_suite "${pahole_suite[$1]}" "$bench_cache/suite/${pahole_suite[$1]}/usr/bin/pahole" \
			-j2 --btf_gen_floats --btf_encode_detached="$3" "$2"
		command=("${in_suite_command[@]}")
		;;
	ko) command=("$bench_run/bin/ufunc-gen" ko --kernel-from "$bench_kernel" --vmlinux "$bench_run/kernel.btf" "$2" -o "$3") ;;
	list) command=("$bench_run/bin/ufunc-gen" list "$2") ;;
	merge) command=("$bench_run/bin/ufunc-gen" merge --no-dedup "$kernel_btf" "$2" -o "$3") ;;
	merge-dedup) command=("$bench_run/bin/ufunc-gen" merge "$kernel_btf" "$2" -o "$3") ;;
	libbpf) libbpf_command merge "$kernel_btf" "$2" "$3" ;;
	libbpf-dedup) libbpf_command merge "$kernel_btf" "$2" "$3" dedup ;;
	# What is read is the application; bpf_object and bpf_types say what goes with it.
	loader) command=("$bench_run/bin/loader" verify "$bpf_object" --app "$2") ;;
	load) libbpf_command load "$bpf_object" ;;
	load-merged) libbpf_command load "$bpf_object" "$bpf_types" ;;
	load-least) libbpf_command load "$bpf_object" "$bpf_types.least" ;;
	esac
}

libbpf_command() {
	in_suite "$newest" "$bench_run/bin/libbpf" "$@"
	command=("${in_suite_command[@]}")
}

# compare NAME FILE TOOL…: runs the tools in turn, as often as was asked for, and adds a line for each to the results.
compare() {
	local name=$1 file=$2 tool round
	shift 2
	# What is measured is the work, not the disk.
	cat "$file" >/dev/null
	for ((round = 1; round <= runs; round++)); do
		progress "$name: round $round of $runs"
		for tool in "$@"; do
			run_once "$name" "$tool" "$file"
		done
	done
	progress "$name: looking at what was written"
	for tool in "$@"; do
		summarize "$name" "$tool"
	done
	progress ''
}

# progress TEXT: on one line of a terminal; elsewhere not at all.
progress() {
	[[ ! $ui_live ]] || printf '\r\e[K%s' "$1" >&2
}

run_once() {
	local name=$1 tool=$2 out=$bench_run/out/$1.$2 digest=-
	rm -f "$out"
	set_command "$tool" "$3" "$out"
	: >"$bench_run/time"
	"$bench_run/bin/measure" "$bench_limit" "${command[@]}" 3>"$bench_run/time" \
		>"$bench_run/log/$name.$tool" 2>&1 </dev/null || true
	[[ ! -e $out ]] || digest=$(sha256sum "$out" | cut -c1-16)
	awk -v name="$name" -v tool="$tool" -v digest="$digest" -v OFS='\t' \
		'{ print name, tool, $1, $2, $3, digest }' "$bench_run/time" >>"$bench_run/records"
}

# summarize NAME TOOL: medians of time and memory, the worst exit status, and what the last run wrote.
summarize() {
	local out=$bench_run/out/$1.$2 file=none bytes=0 counts='0 0 0 0 0 0 0' note=''
	if [[ -e $out ]]; then
		bytes=$(stat -c %s "$out")
		# A module is no file of types.
		if [[ $2 == ko ]]; then file=ok; else judge_output "$out"; fi
	elif [[ ! $2 =~ ^(walk|list|load.*)$ ]]; then
		file=missing
		note=$(tail -n 1 "$bench_run/log/$1.$2" | tr -d '\t' | cut -c1-100)
	fi
	awk -F'\t' -v OFS='\t' -v name="$1" -v tool="$2" -v file="$file" -v bytes="$bytes" -v counts="$counts" -v note="$note" '
		$1 == name && $2 == tool {
			n++
			time[n] = $3
			memory[n] = $4
			if ($5 > status) status = $5
			if (!($6 in seen)) { seen[$6]; outputs++ }
		}
		function median(values,    i, j, swap) {
			for (i = 1; i <= n; i++)
				for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
					swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
				}
			return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
		}
		END {
			gsub(" ", OFS, counts)
			print name, tool, n, median(time) / 1000, median(memory) * 1024 / 1e6, status + 0, file, bytes, outputs, counts, note
		}' "$bench_run/records" >>"$bench_run/results"
}

# judge_output FILE: sets file to ok or damaged, counts and note. Neither bpftool nor a recent libbpf may object, not even in
# passing: an exit status of 0 proves nothing.
judge_output() {
	local complaint
	file=ok
	complaint=$( (bpftool btf dump file "$1" && bpftool btf dump file "$1" format c) 2>&1 >/dev/null | head -n 1) || true
	if [[ ! $complaint && $newest ]]; then
		libbpf_command count "$1"
		counts=$("${command[@]}" 2>&1) || { complaint=$counts counts='0 0 0 0 0 0 0'; }
	fi
	if [[ $complaint ]]; then
		file=damaged
		note=${complaint//$'\t'/ }
	fi
}
