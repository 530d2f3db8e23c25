# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables shared with the scripts that source this
#
# From nothing to a ready cache folder, and the small guest parts that follow the checkout's own sources. To be sourced after
# cache.sh.

# Room for the chroot, the tree and what is only there meanwhile; measured, with some to spare.
vm_needed_mib=3000
# The same for a kernel alone.
vm_needed_for_kernel_mib=500

# runs COMMAND in mount and process namespaces of its own: when it ends, or this process does in whatever way, its mounts are
# gone and its processes too.
run_enclosed() {
	local status=0
	setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child=KILL --mount-proc -- "$@" <&0 &
	vm_enclosed=$!
	wait "$vm_enclosed" || status=$?
	vm_enclosed=
	return "$status"
}

# For traps: ends what run_enclosed runs.
end_enclosed() {
	if [[ ${vm_enclosed:-} ]]; then
		kill -KILL "$vm_enclosed" 2>/dev/null || true
		wait "$vm_enclosed" 2>/dev/null || true
		vm_enclosed=
	fi
}

check_machine() {
	need_root "preparing the VM"
	[[ $(uname -m) == x86_64 ]] || die 125 "this machine is $(uname -m): the VM is made for x86_64 only"
	need_packages apt debian-archive-keyring xz-utils zstd kmod util-linux
	is_kernel_alone "$1" || need_packages mmdebstrap
}

# prepare_suite SUITE [refresh]: sets vm_folder to the ready folder and holds it.
prepare_suite() {
	local suite=$1 refresh=${2:-}
	if [[ ! $refresh ]] && vm_folder=$(ready_folder "$suite") && hold_folder "$vm_folder"; then
		prepare_guest "$vm_folder"
		return
	fi
	lock_suite "$suite"
	# Whoever held the lock may have made what is wanted.
	if [[ $refresh ]] || ! vm_folder=$(ready_folder "$suite"); then
		check_machine "$suite"
		remove_leftovers "$suite"
		make_folder "$suite" "$refresh"
		vm_folder=$(ready_folder "$suite")
	fi
	hold_folder "$vm_folder" || die 125 "$vm_folder went away while it was being prepared" "try again"
	prepare_guest "$vm_folder"
	remove_outdated "$suite"
	unlock_suite
}

make_folder() {
	local suite=$1 refresh=$2 staging log begin=$SECONDS release folder builder=build needed=$vm_needed_mib
	if is_kernel_alone "$suite"; then builder=build-kernel needed=$vm_needed_for_kernel_mib; fi
	need_space "$vm_cache/$suite" "$needed" "the VM of $suite"
	staging=$(mktemp -d "$vm_cache/$suite/.new.XXXXXX")
	chmod 755 "$staging"
	log=$vm_cache/$suite/prepare.log
	note "preparing the VM of $suite in $vm_cache (once; $(is_kernel_alone "$suite" && echo 'half a minute' || echo 'a few minutes'); log: $log)"
	: >"$log"
	vm_staging=$staging
	run_enclosed "$vm_scripts/vm.d/$builder" "$suite" "$staging" "$log" || {
		remove_folder "$staging"
		exit 125
	}
	release=$(fact "$staging" release)
	folder=$vm_cache/$suite/$release
	# One of the same name is outdated (an older recipe), half removed, or about to be replaced by a refresh.
	if [[ -e $folder ]]; then
		if ! retire_folder "$folder" -n; then
			note "waiting: another process uses $folder, which is to be replaced"
			retire_folder "$folder" -w 600 ||
				die 125 "$folder is still in use by another process" "try again when it has ended"
		fi
		remove_folder "$folder"
	fi
	mv -T "$staging" "$folder"
	vm_staging=
	ln -s "$release" "$vm_cache/$suite/.new.current"
	mv -T "$vm_cache/$suite/.new.current" "$vm_cache/$suite/current"
	note "ready: kernel $release, $(du -sm "$folder" | cut -f1) MiB in $folder, after $((SECONDS - begin))s"
}

# The initramfs and the relay, made from this checkout's sources: a second or so, and anew only when these change. Sets
# vm_guest to their folder.
prepare_guest() {
	local sources=(frames.h guest-agent.c host-relay.c guest-init) hash staging
	hash=$(cd "$vm_scripts/vm.d" && cat "${sources[@]}" | sha256sum | cut -c1-16)
	vm_guest=$1/guest/$hash
	[[ -e $vm_guest/initramfs ]] && return
	need_root "preparing the VM"
	[[ -d $1/root ]] || need_packages gcc libc6-dev
	staging=$(mktemp -d "$1/guest/.new.XXXXXX")
	if ! (cd "$vm_scripts/vm.d" && cp "${sources[@]}" "$staging/") ||
		! make_guest "$1" "$staging" >"$staging/log" 2>&1; then
		tail -n 20 "$staging/log" | sed 's/^/    /' >&2
		remove_folder "$staging"
		die 125 "failed to build the guest's agent and initramfs"
	fi
	# Another process may have been faster; then its folder is as good.
	mv -T "$staging" "$vm_guest" 2>/dev/null || remove_folder "$staging"
	# Those of other versions of this checkout, unless they may be in use.
	find "$1/guest" -mindepth 1 -maxdepth 1 -mmin +1440 ! -path "$vm_guest" -exec rm -rf {} +
}

# make_guest FOLDER DIR
make_guest() {
	local folder=$1 dir=$2 tree=$2/tree applet
	compile_guest "$folder/root" "$dir" || return 1
	mkdir -p "$tree"/{bin,proc,sys,dev,host,writes,root} || return 1
	install -m 755 "$dir/guest-init" "$tree/init" || return 1
	install -m 755 "$dir/guest-agent" "$tree/guest-agent" || return 1
	install -m 755 "$folder/kernel/busybox" "$tree/bin/busybox" || return 1
	for applet in sh mount mkdir cat uname cp chmod ln hostname ifconfig switch_root insmod reboot; do
		ln -s busybox "$tree/bin/$applet" || return 1
	done
	guest_modules "$folder" "$tree/modules" || return 1
	(cd "$tree" && find . | "$folder/kernel/busybox" cpio -o -H newc) >"$dir/initramfs.part" || return 1
	rm -rf "$tree" "$dir"/*.c "$dir/frames.h" "$dir/guest-init" "$dir/guest-agent"
	mv "$dir/initramfs.part" "$dir/initramfs"
}

# compile_guest ROOT DIR: with the chroot's compiler, or this machine's if there is no chroot; static, so that the result runs
# on host and guest alike.
compile_guest() {
	local root=$1 dir=$2 gcc build program
	if [[ ! -d $root ]]; then
		for program in guest-agent host-relay; do
			gcc -O2 -Wall -static -o "$dir/$program" "$dir/$program.c" || return 1
		done
		return
	fi
	gcc=$(cd "$root/usr/bin" && compgen -G 'x86_64-linux-gnu-gcc-[0-9]*' | tail -n 1)
	build=$(mktemp -d "$root/tmp/guest.XXXXXX")
	cp "$dir"/*.[ch] "$build/" || return 1
	for program in guest-agent host-relay; do
		chroot "$root" "$gcc" -O2 -Wall -static -o "/tmp/${build##*/}/$program" "/tmp/${build##*/}/$program.c" || return 1
		mv "$build/$program" "$dir/" || return 1
	done
	rm -rf "$build"
}

# guest_modules FOLDER DIR: what the guest loads before it has a root file system, numbered in order. Of most kernels only
# some of it is not built in.
guest_modules() {
	local folder=$1 dir=$2 release name word path number=10
	release=$(fact "$folder" release)
	mkdir -p "$dir"
	for name in virtio_pci virtio_console virtiofs overlay; do
		# Lines "insmod PATH OPTIONS", what it depends on first, or "builtin NAME".
		while read -r word path _; do
			[[ $word == insmod ]] || continue
			path=$(basename "$path")
			path=$(find "$folder/kernel/lib/modules" -name "$path" -print -quit)
			compgen -G "$dir/*-$(basename "${path%%.ko*}").ko" >/dev/null && continue
			decompress "$path" >"$dir/$number-$(basename "${path%%.ko*}").ko" || return 1
			number=$((number + 1))
		done < <(modprobe --dirname "$folder/kernel" --set-version "$release" --show-depends "$name")
	done
}

decompress() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -dcq "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}
