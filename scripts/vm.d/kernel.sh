# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables shared with the scripts that source this
#
# A kernel out of Debian's packages, laid out for booting. To be sourced after archive.sh.

# lay_out_kernel UNPACKED RELEASE DIR: makes DIR/vmlinux, DIR/busybox and DIR/lib/modules of what packages were unpacked into.
lay_out_kernel() {
	local unpacked=$1 release=$2 dir=$3 modules name
	modules=$unpacked/usr/lib/modules/$release
	[[ -d $modules ]] || modules=$unpacked/lib/modules/$release
	mkdir -p "$dir/lib/modules"
	name=$modules/vmlinuz
	[[ -e $name ]] || name=$unpacked/boot/vmlinuz-$release
	extract_kernel "$name" "$dir/vmlinux"
	rm -f "$modules/vmlinuz" "$modules/build" "$modules/source"
	mv "$modules" "$dir/lib/modules/"
	depmod -b "$dir" "$release"
	mv "$unpacked/usr/bin/busybox" "$dir/busybox" 2>/dev/null || mv "$unpacked/bin/busybox" "$dir/busybox"
}

# The kernel as an ELF file boots faster than the compressed one: emulated, the unpacking alone takes more than half a second.
extract_kernel() {
	local offset
	# The payload is what follows zstd's magic number; some other data may look like it, so try each.
	while IFS=: read -r offset _; do
		tail -c "+$((offset + 1))" "$1" | zstd -dcq >"$2" 2>/dev/null || true
		[[ $(head -c 4 "$2" | tail -c 3) == ELF ]] && return
	done < <(LC_ALL=C grep -abo $'\x28\xb5\x2f\xfd' "$1")
	echo "$1 holds no kernel compressed with zstd; booting it as it is"
	cp "$1" "$2"
}
