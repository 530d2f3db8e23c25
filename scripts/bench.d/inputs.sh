# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables shared with the scripts that source this
#
# What is measured, and with what: fetched or built once, kept in the cache. To be sourced after vm.d/archive.sh.
#
#	$bench_cache/lock                 held by the one process that prepares or measures
#	$bench_cache/archive/SUITE/       state of apt
#	$bench_cache/input/NAME/app       the file to read, with `origin`: a line that says what it is
#	$bench_cache/suite/SUITE/         pahole and libbpf of a suite with all they need, unpacked
#	$bench_cache/log/NAME             what making NAME printed
#	$bench_cache/*/.new.*             half made; replaced by the next try

bench_cache=${UFUNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ufunc}/bench
# In the order in which they are measured.
bench_inputs=(libc python3 sqlite3 redis-server postgres rust vmlinux)
# Debian 12, from which the inputs and the older pahole are.
bench_release=bookworm
# Where the newest pahole and libbpf are looked for, first come first served.
bench_newest=(sid trixie)
# MiB of disk: the kernel's package is there only as long as it is unpacked.
bench_needed_mib=3000

# As archive.sh has it, with the sources of the packages.
archive_sources() {
	local options="signed-by=$archive_keyring" type
	[[ ${UFUNC_ALLOW_EXPIRED:-} ]] && options+=" check-valid-until=no"
	for type in deb deb-src; do
		printf '%s [%s] %s %s main\n' "$type" "$options" "$2" "$1"
	done
}

# use_archive SUITE: makes archive_apt read that suite; fetches its lists, once a run.
use_archive() {
	archive_dir=$bench_cache/archive/$1
	[[ -e $archive_dir/fetched ]] && return
	open_archive "$1" "$(debian_mirror)"
	touch "$archive_dir/fetched"
}

# The lists that were fetched by earlier runs may name versions that are gone.
forget_archives() {
	rm -f "$bench_cache"/archive/*/fetched
}

# input_is_ready NAME
input_is_ready() {
	[[ -s $bench_cache/input/$1/app && -s $bench_cache/input/$1/origin ]]
}

# make_input NAME FOLDER: to be run by a shell of its own, in a folder that is empty. Leaves app and origin in FOLDER.
make_input() {
	cd "$2" || return
	case $1 in
	libc) make_debug_file libc6 libc6-dbg '*/libc.so.6' ;;
	python3) make_debug_file python3.11-minimal python3.11-dbg '*/bin/python3.11' ;;
	sqlite3) make_from_source sqlite3 build_sqlite ;;
	redis-server) make_from_source redis build_redis ;;
	postgres) make_from_source postgresql-15 build_postgres ;;
	vmlinux) make_vmlinux ;;
	esac
}

# package_version PACKAGE: as the suite in use has it.
package_version() {
	archive_apt apt-cache show --no-all-versions "$1" | sed -n 's/^Version: //p' | head -n 1
}

# make_debug_file PACKAGE DEBUG-PACKAGE PATTERN: the debug information of the file whose path is like PATTERN, found by its
# build-id.
make_debug_file() {
	local file id
	use_archive "$bench_release"
	fetch_packages "$PWD/unpacked" "$1" "$2"
	file=$(find unpacked -path "$3" -type f -print -quit)
	id=$(readelf --notes "$file" | sed -n 's/.*Build ID: //p')
	mv "unpacked/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" app
	printf '%s of Debian %s, %s %s\n' "${file##*/}" "$bench_release" "$2" "$(package_version "$2")" >origin
	rm -rf unpacked
}

# make_from_source PACKAGE BUILD: Debian's source of it, built by the machine's compiler. BUILD is run in the source's
# folder, and names the program that it has built.
make_from_source() {
	local program folder
	use_archive "$bench_release"
	archive_apt apt-get source --quiet "$1"
	folder=$(find . -mindepth 1 -maxdepth 1 -type d -print -quit)
	# Or a step that failed would not end the build.
	shopt -s inherit_errexit
	program=$(cd "$folder" && "$2")
	mv "$folder/$program" app
	printf '%s, %s, -g -O2\n' "${folder#./}" "$(gcc --version | head -n 1)" >origin
	find . -mindepth 1 -maxdepth 1 ! -name app ! -name origin -exec rm -rf {} +
}

# The build functions print nothing but the program's path to their output.
build_sqlite() {
	./configure --disable-tcl --disable-readline >&2
	make -j2 sqlite3.c shell.c >&2
	gcc -g -O2 -o sqlite3 shell.c sqlite3.c -lpthread -ldl -lm >&2
	echo sqlite3
}

build_redis() {
	make -j2 -C src MALLOC=libc OPTIMIZATION=-O2 DEBUG=-g BUILD_TLS=no USE_SYSTEMD=no redis-server >&2
	echo src/redis-server
}

build_postgres() {
	./configure --without-readline --without-zlib --without-icu CFLAGS='-g -O2' >&2
	make -j2 -C src/backend generated-headers >&2
	make -j2 -C src/backend >&2
	echo src/backend/postgres
}

# The newest kernel with a long life that backports has: a package of a gigabyte, for one file of it.
make_vmlinux() {
	local package
	use_archive "$bench_release-backports"
	package=$(archive_packages any '^linux-image-6[.]12[.][0-9]+[+]deb12-amd64-dbg$' | sort -V | tail -n 1)
	[[ $package ]] || { echo "no package linux-image-6.12.*-amd64-dbg in $bench_release-backports" >&2; return 1; }
	archive_apt apt-get download "${package/ /=}"
	dpkg-deb --fsys-tarfile ./*.deb | tar --extract --wildcards './usr/lib/debug/boot/vmlinux-*'
	rm -f ./*.deb
	mv usr/lib/debug/boot/vmlinux-* app
	rm -r usr
	printf 'vmlinux of %s\n' "$package" >origin
}

# make_suite SUITE FOLDER: pahole, and libbpf with its headers, each with what it needs down to the C library, so that they
# run on a machine of any suite.
make_suite() {
	use_archive "$1"
	cd "$2" || return
	archive_apt apt-get install --quiet --assume-yes --no-install-recommends --download-only \
		--reinstall "$(pahole_package)" libbpf-dev
	local deb
	for deb in "$archive_dir"/cache/archives/*.deb; do
		dpkg-deb --extract "$deb" .
	done
	archive_apt apt-get clean
	rm -rf usr/share var etc
	[[ -x usr/bin/pahole ]]
}

# It was renamed in 2025.
pahole_package() {
	if archive_packages any '^pahole$' | grep -q .; then echo pahole; else echo dwarves; fi
}

# in_suite SUITE PROGRAM ARG…: sets in_suite_command to what runs PROGRAM with that suite's libraries.
in_suite() {
	local old=$bench_cache/suite/$1/lib/x86_64-linux-gnu new=$bench_cache/suite/$1/usr/lib/x86_64-linux-gnu loader
	# /lib64 has an absolute link to it, which would lead to the machine's own.
	loader=$old/ld-linux-x86-64.so.2
	[[ -e $loader ]] || loader=$new/ld-linux-x86-64.so.2
	in_suite_command=("$loader" --library-path "$old:$new" "${@:2}")
}

# prepare_one KIND NAME MAKER: makes $bench_cache/KIND/NAME in a shell of its own; says what went wrong and returns 1 if
# it could not be made.
prepare_one() {
	local kind=$1 name=$2 maker=$3 folder log begin=$SECONDS status=0 lines
	folder=$bench_cache/$kind/.new.$name
	log=$bench_cache/log/$name
	mkdir -p "$bench_cache"/{archive,input,suite,log}
	rm -rf "$folder"
	mkdir -p "$folder"
	note "preparing $name (once; log: $log)"
	# A process of its own: bash ignores `set -e` inside of a condition.
	nice "$bench_scripts/bench" --part "$maker" "$name" "$folder" >"$log" 2>&1 </dev/null || status=$?
	if ((status != 0)); then
		mapfile -t lines < <(tail -n 5 "$log" | cut -c1-200)
		error "failed to prepare $name after $((SECONDS - begin)) s; it is left out" "the end of $log:" "${lines[@]}"
		rm -rf "$folder"
		return 1
	fi
	rm -rf "${bench_cache:?}/$kind/$name"
	mv -T "$folder" "$bench_cache/$kind/$name"
	note "prepared $name in $((SECONDS - begin)) s"
}

# need_space DIR MIB
need_space() {
	local free
	free=$(df --output=avail -BM "$1" | tail -n 1 | tr -dc '0-9')
	((free >= $2)) ||
		die 125 "not enough disk space: $2 MiB are needed in $1, $free MiB are free" \
			"free some, or set UFUNC_CACHE to a folder on a larger disk"
}
