# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables shared with the scripts that source this
#
# `vm make`: kbuild in the build chroot. To be sourced after prepare.sh.

# make_in_chroot DIR MAKE-ARGS…: DIR and the checkout are seen in the chroot under their own paths; mounts are this
# command's alone. Returns make's exit status.
make_in_chroot() {
	local dir=$1 owner
	shift
	owner=$(stat -c %u:%g "$dir")
	# shellcheck disable=SC2016 # the inner shell expands it
	run_enclosed "$BASH" -euc '
		root=$1 kdir=$2 checkout=$3 dir=$4 owner=$5
		shift 5
		bind() {
			mkdir -p "$root$1"
			mount --rbind "$1" "$root$1"
		}
		bind "$kdir"
		mount -o remount,bind,ro "$root$kdir"
		bind "$checkout"
		[[ $dir/ == "$checkout"/* ]] || bind "$dir"
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		exec chroot --userspec="$owner" "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp \
			LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" ${SOURCE_DATE_EPOCH:+SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH"} \
			make -C "$dir" --no-print-directory KDIR="$kdir" "$@"
	' make-in-chroot "$vm_folder/root" "$vm_folder/linux" "$vm_checkout" "$dir" "$owner" "$@"
}
