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
# Where it lies in the other is in the header that the kernel's Documentation/arch/x86/boot.rst describes; behind it are four
# bytes with its length.
extract_kernel() {
	local sectors offset length start unpack
	sectors=$(od -An -tu1 -j 0x1f1 -N 1 "$1")
	read -r offset length < <(od -An -tu4 -j 0x248 -N 8 "$1")
	start=$(((sectors + 1) * 512 + offset))
	case $(od -An -tx1 -j "$start" -N 4 "$1" | tr -d ' ') in
	28b52ffd) unpack=(zstd -dcq) ;;
	fd377a58) unpack=(xz -dc) ;;
	1f8b*) unpack=(gzip -dc) ;;
	*) unpack=(false) ;;
	esac
	# What comes behind is not read, and that tail cannot write it is no failure.
	tail -c "+$((start + 1))" "$1" 2>/dev/null | head -c $((length - 4)) | "${unpack[@]}" >"$2" || true
	if [[ $(head -c 4 "$2" | tail -c 3) != ELF ]]; then
		echo "$1 is not compressed with zstd, xz or gzip; booting it as it is"
		cp "$1" "$2"
	fi
}
