# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables shared with the scripts that source this
#
# The cache: where everything that `prepare` makes lies, what counts as ready, and who may use or remove it.
#
#	$vm_cache/SUITE/                     of a suite; SUITE is kernel-SPEC for a kernel alone (--kernel SPEC)
#	$vm_cache/SUITE/build.lock           held by the one process that makes or removes things in SUITE
#	$vm_cache/SUITE/current              -> RELEASE, set last of all
#	$vm_cache/SUITE/RELEASE/ready        facts, name=value; without it the folder is not used
#	$vm_cache/SUITE/RELEASE/use.lock     held, shared, by those who use the folder
#	$vm_cache/SUITE/RELEASE/root/        the build chroot; not of a kernel alone
#	$vm_cache/SUITE/RELEASE/linux/       the prepared kernel tree, the same path inside the chroot; not of a kernel alone
#	$vm_cache/SUITE/RELEASE/kernel/      vmlinux to boot, lib/modules/, vmlinux-btf (not of a kernel alone)
#	$vm_cache/SUITE/RELEASE/guest/HASH/  initramfs and relay, made from this folder's sources with that hash
#	$vm_cache/SUITE/.new.*               half made; cleaned by the next prepare
#	$vm_cache/runs/*                     what a run in progress needs

vm_cache=${XDG_CACHE_HOME:-$HOME/.cache}/ufunc/vm
# Raise it when prepare makes something else than before: older caches then count as not ready.
vm_recipe=2
vm_suites=(trixie-backports sid)

check_suite() {
	local suite
	[[ $1 == kernel-* ]] && check_kernel "${1#kernel-}" && return
	for suite in "${vm_suites[@]}"; do
		[[ $1 == "$suite" ]] && return
	done
	die 2 "unknown suite: $1" "known suites: ${vm_suites[*]}"
}

# A kernel's release, or how it begins: 6.12, 7.2.12+deb13-cloud-amd64.
check_kernel() {
	[[ $1 =~ ^[0-9]+(\.[0-9]+)+([-+.][-+.~A-Za-z0-9]*)?$ ]] ||
		die 2 "no kernel is called $1" "a release is wanted, or how it begins, such as 6.12"
}

# Whether the suite is a kernel alone, without a chroot to build in.
is_kernel_alone() {
	[[ $1 == kernel-* ]]
}

# Prints the folder that is ready for use, if there is one.
ready_folder() {
	local folder recipe
	folder=$(readlink "$vm_cache/$1/current" 2>/dev/null) || return 1
	folder=$vm_cache/$1/$folder
	recipe=$(fact "$folder" recipe 2>/dev/null) || return 1
	[[ $recipe == "$vm_recipe" ]] || return 1
	printf '%s\n' "$folder"
}

# fact FOLDER NAME
fact() {
	local name value
	while IFS='=' read -r name value; do
		if [[ $name == "$2" ]]; then
			printf '%s\n' "$value"
			return 0
		fi
	done <"$1/ready"
	return 1
}

# Takes the suite's build lock for the rest of this process's life, on descriptor 8.
lock_suite() {
	while :; do
		mkdir -p "$vm_cache/$1"
		exec 8>"$vm_cache/$1/build.lock"
		if ! flock -n 8; then
			note "waiting: another process prepares or cleans $1 ($vm_cache/$1)"
			flock 8
		fi
		# Whoever held it may have removed the folder, and the lock with it: then this one locks nothing.
		[[ $vm_cache/$1/build.lock -ef /proc/self/fd/8 ]] && return
	done
}

unlock_suite() {
	exec 8>&-
}

# Holds the folder for use, on descriptor 9; fails if it went away meanwhile.
hold_folder() {
	exec 9<"$1/use.lock" || return 1
	flock -s 9
	[[ -e $1/ready ]]
}

# Nobody's rm may reach through a mount: `scripts/vm` mounts only in namespaces of its own, but a user may have mounted.
refuse_mounts_below() {
	local mounts
	mounts=$(awk -v dir="$1" '$5 == dir || index($5, dir "/") == 1 { print $5 }' /proc/self/mountinfo)
	[[ -z $mounts ]] ||
		die 125 "will not remove $1: something is mounted there" "unmount it first: ${mounts//$'\n'/ }"
}

# remove_folder DIR: never leaves something behind that looks ready. -one-file-system as a second belt.
remove_folder() {
	[[ -e $1 || -L $1 ]] || return 0
	refuse_mounts_below "$1"
	rm -f "$1/ready"
	rm -rf --one-file-system "$1"
}

# What killed prepares left. The caller holds the suite's build lock, so nobody is still at work on it.
remove_leftovers() {
	local folder
	for folder in "$vm_cache/$1"/.new.*; do
		[[ -e $folder ]] || continue
		note "removing what an interrupted run left: $folder"
		remove_folder "$folder"
	done
}

# retire_folder DIR FLOCK-OPTIONS…: makes it count as not ready, unless somebody uses it.
retire_folder() {
	local folder=$1
	shift
	[[ ! -e $folder/use.lock ]] || flock "$@" "$folder/use.lock" rm -f "$folder/ready"
}

# What other processes do not hold, but for the folder that is current.
remove_outdated() {
	local folder current
	current=$(readlink "$vm_cache/$1/current" 2>/dev/null) || current=
	for folder in "$vm_cache/$1"/*/; do
		folder=${folder%/}
		[[ -L $folder || ${folder##*/} == "$current" || ! -d $folder ]] && continue
		if ! retire_folder "$folder" -n; then
			note "keeping $folder for now: a running process uses it"
			continue
		fi
		note "removing the outdated $folder"
		remove_folder "$folder"
	done
}

# Makes a folder for this run, sets vm_run to it, and holds it on descriptor 7; removes those whose process is gone, as the
# free lock tells.
open_run() {
	mkdir -p "$vm_cache/runs"
	exec 6>"$vm_cache/runs/.lock"
	flock 6
	remove_dead_runs
	vm_run=$(mktemp -d "$vm_cache/runs/XXXXXX")
	exec 7>"$vm_run/lock"
	flock 7
	exec 6>&-
}

remove_dead_runs() {
	local folder
	for folder in "$vm_cache"/runs/*/; do
		folder=${folder%/}
		[[ -d $folder ]] || continue
		[[ ! -e $folder/lock ]] || flock -n "$folder/lock" true || continue
		refuse_mounts_below "$folder"
		rm -rf --one-file-system "$folder"
	done
}

# need_space DIR MIB WHAT
need_space() {
	local free
	free=$(df --output=avail -BM "$1" | tail -n 1 | tr -dc '0-9')
	((free >= $2)) ||
		die 125 "not enough disk space for $3: $2 MiB are needed in $1, $free MiB are free" \
			"free some, or set XDG_CACHE_HOME to a folder on a larger disk"
}
