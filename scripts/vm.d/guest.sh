# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables shared with the scripts that source this
#
# `vm run` and `vm shell`: qemu, the shared root file system, and what is said when a run goes wrong. To be sourced after
# prepare.sh.

# Variables of the caller that the guest's command gets, if set; --env adds others.
vm_environment=(TERM LANG LC_ALL RUST_BACKTRACE RUST_LOG NO_COLOR CARGO_TERM_COLOR CI)
vm_default_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
vm_boot_timeout=${UFUNC_VM_BOOT_TIMEOUT:-120}
[[ $vm_boot_timeout =~ ^[1-9][0-9]{0,8}$ ]] ||
	die 2 "UFUNC_VM_BOOT_TIMEOUT=$vm_boot_timeout: it must be a whole number from 1"

# virtiofsd comes with qemu on older Debian, in a package of its own on newer.
find_virtiofsd() {
	local candidate
	for candidate in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
		[[ -x $candidate ]] && { printf '%s\n' "$candidate"; return; }
	done
	return 1
}

need_qemu() {
	need_root "running the VM"
	need_packages qemu-system-x86 kmod
	find_virtiofsd >/dev/null || need_packages virtiofsd
	find_virtiofsd >/dev/null || die 125 "no virtiofsd on this machine" "install the package that has it (virtiofsd, or qemu-system-common)"
}

# Decides between KVM and TCG; sets vm_accel. KVM counts only after a guest really booted with it: a /dev/kvm may be there,
# answer, and still hang every guest.
choose_accelerator() {
	local probes=$vm_cache/kvm-probes key answer
	case ${UFUNC_VM_ACCEL:-} in
	kvm | tcg)
		vm_accel=$UFUNC_VM_ACCEL
		return
		;;
	'') ;;
	*) die 2 "UFUNC_VM_ACCEL=$UFUNC_VM_ACCEL: it must be kvm or tcg" ;;
	esac
	vm_accel=tcg
	[[ -r /dev/kvm && -w /dev/kvm ]] || return 0
	key="$(</proc/sys/kernel/random/boot_id) ${vm_folder##*/} "
	answer=$(grep -F "$key" "$probes" 2>/dev/null | tail -n 1) || true
	if [[ -z $answer ]]; then
		note "probing whether /dev/kvm runs a guest (once per boot of this machine, at most 15s)"
		if UFUNC_VM_ACCEL=kvm UFUNC_VM_BOOT_TIMEOUT=15 "$vm_scripts/vm" run --suite "$vm_suite" --timeout 20 -- true \
			>/dev/null 2>&1 </dev/null; then
			answer="${key}kvm"
		else
			answer="${key}tcg"
			note "it does not; emulating (TCG) until this machine boots anew"
		fi
		printf '%s\n' "$answer" >>"$probes"
	fi
	vm_accel=${answer##* }
}

# What went wrong in a run, and the tails of LOGS: explain_failure "LOGS" TEXT [HINT…].
explain_failure() {
	local log logs=$1
	shift
	error "$@"
	for log in $logs; do
		[[ -s $vm_run/$log ]] || continue
		printf '%s--- the end of %s ---%s\n' "$ui_bold" "$log" "$ui_reset"
		tail -n 100 "$vm_run/$log" | tr -d '\r'
	done >&2
}

# Turns the relay's word on how the run ended into messages and a status.
conclude() {
	local relay_status=$1 outcome='' detail='' panic
	read -r outcome detail <"$vm_run/outcome" 2>/dev/null || true
	case $outcome in
	exit) return "$detail" ;;
	interrupted) return $((128 + detail)) ;;
	timeout)
		explain_failure console "the command did not end within ${vm_timeout}s, counted from the VM's start" \
			"give it longer with --timeout SECS, or look for what hangs"
		return 124
		;;
	boot-timeout)
		explain_failure "console qemu.log virtiofsd.log" "the guest did not come up within ${vm_boot_timeout}s (accelerator: $vm_accel)" \
			"on a very busy machine set UFUNC_VM_BOOT_TIMEOUT=SECS"
		;;
	lost)
		panic=$(grep -m 1 -o 'Kernel panic - not syncing.*' "$vm_run/console" 2>/dev/null | tr -d '\r') || true
		if [[ $panic ]]; then
			explain_failure console "the guest went down before the command ended: $panic"
		else
			explain_failure "console qemu.log virtiofsd.log" "the guest went down before the command ended"
		fi
		;;
	failed) explain_failure "console qemu.log virtiofsd.log" "$detail" ;;
	*) explain_failure "console qemu.log virtiofsd.log" "the VM's relay ended without a word (status $relay_status)" ;;
	esac
	return 125
}

# run_guest COMMAND…, by the settings vm_timeout, vm_memory, vm_cpus, vm_verbose, vm_tty, vm_extra_env.
run_guest() {
	local status=0 relay_args=(--timeout "$vm_timeout" --boot-timeout "$vm_boot_timeout" --directory "$PWD") name tail_pid=
	[[ $vm_tty ]] && relay_args+=(--tty)
	relay_args+=(--env "PATH=$PATH:$vm_default_path" --env "HOME=$HOME" --env USER=root --env LOGNAME=root
		--env SHELL=/bin/bash --env UFUNC_VM=1)
	for name in "${vm_environment[@]}"; do
		[[ -v $name ]] && relay_args+=(--env "$name=${!name}")
	done
	for name in "${vm_extra_env[@]}"; do
		if [[ $name == *=* ]]; then
			relay_args+=(--env "$name")
		elif [[ -v $name ]]; then
			relay_args+=(--env "$name=${!name}")
		fi
	done

	open_run
	: >"$vm_run/console"
	if [[ $vm_verbose ]]; then
		note "accelerator: $vm_accel; kernel: $(fact "$vm_folder" release)"
		tail -f "$vm_run/console" >&2 7>&- &
		tail_pid=$!
	fi
	export vm_folder vm_guest vm_modules vm_run
	vm_modules=$vm_folder/kernel/lib/modules/$(fact "$vm_folder" release)
	run_enclosed "$vm_scripts/vm.d/launch" "$vm_accel" "$vm_memory" "$vm_cpus" "$vm_verbose" "${relay_args[@]}" -- "$@" || status=$?
	if [[ $tail_pid ]]; then
		sleep 0.3 # tail looks once a while
		kill "$tail_pid" 2>/dev/null || true
	fi
	conclude "$status" || status=$?
	end_run
	return "$status"
}

# Also for traps.
end_run() {
	end_enclosed
	if [[ ${vm_run:-} ]]; then
		rm -rf --one-file-system "$vm_run"
		vm_run=
	fi
}
