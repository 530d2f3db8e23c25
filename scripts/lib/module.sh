# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# Modules in folders of their own. To be sourced after ui.sh.

# copy_module_sources CHECKOUT FOLDER: all that a module is built from but the generated half.
copy_module_sources() {
	mkdir -p "$2/kmod"
	cp "$1/Kbuild" "$1/Makefile" "$2/"
	cp "$1/kmod/ufunc.rs" "$2/kmod/"
}

# build_module CHECKOUT SUITE FOLDER: with kmod/gen.rs in place, makes kmod/ufunc.ko for the suite's kernel.
build_module() {
	local log=$3/build.log
	if ! "$1/scripts/vm" make --suite "$2" --dir "$3" >"$log" 2>&1 || grep -q '^warning' "$log"; then
		cat "$log" >&2
		error "the module in $3 did not build without warnings" "its output is above"
		return 1
	fi
}
