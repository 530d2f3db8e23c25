# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# What --help says.

help_all() {
	cat <<-'END'
		A VM with a stock, Rust-enabled Debian kernel, and what builds modules for that kernel.

		usage: scripts/vm COMMAND [OPTIONS]

		  prepare   fetch the kernel, make the build chroot and the prepared kernel tree (once)
		  path      print where something of it is: kdir, vmlinux, kernel, release, root
		  make      run make in the build chroot, with KDIR set
		  run       boot the kernel, run a command as root, return its exit status
		  shell     the same, with an interactive shell
		  clean     remove what prepare made

		Every command prepares by itself what is missing. `scripts/vm COMMAND --help` tells more.

		examples:
		  scripts/vm make                                   build kmod/ufunc.ko for the VM's kernel
		  scripts/vm run -- uname -r                        the kernel it runs
		  scripts/vm run -- sh -c 'insmod kmod/ufunc.ko && dmesg | tail'
		  scripts/vm shell                                  look around by hand
		  scripts/vm run --kernel 6.12 -- uname -r          another stock kernel of Debian's, just to run

		environment:
		  UFUNC_VM_SUITE          trixie-backports (default), sid or kernel-SPEC, where neither --suite nor --kernel is given
		  UFUNC_VM_ACCEL          kvm or tcg; default: kvm if a probe boot works, else tcg
		  UFUNC_VM_BOOT_TIMEOUT   seconds for the guest to come up (default 120)
		  UFUNC_DEBIAN_MIRROR     Debian archive to use; default: the one in this machine's apt sources
		  UFUNC_ALLOW_EXPIRED     1: accept a mirror whose lists are older than the archive allows
		  XDG_CACHE_HOME          the cache is ufunc/vm in it (default: ~/.cache)

		exit status: the command's own for run and make; 2: bad usage; 124: timeout; 125: the VM itself failed
	END
}

help_prepare() {
	cat <<-'END'
		Make everything ready, once; when it is, this returns at once.

		usage: scripts/vm prepare [--suite trixie-backports|sid | --kernel SPEC] [--refresh]

		  --suite S    Debian suite of the kernel and its compilers (default: trixie-backports)
		  --kernel R   just a kernel to boot: the newest (flavour cloud-amd64) whose release is R or begins with it, such as
		               6.12, of trixie, trixie-backports, bookworm, sid or bookworm-backports, the first that has one;
		               half a minute and 250 MB
		  --refresh    make it anew with the newest kernel the mirror has; without it, a ready cache stays as it is

		Takes the newest kernel (flavour cloud-amd64) with CONFIG_RUST=y of which the suite has binary, modules, headers
		and sources in the same version, and whose rustc it still has; says which newer ones it passed over, and why. The
		chroot gets that very rustc: Rust symbols in a module match the kernel's only then.

		Needs root, about 3 GB of disk while it works, half of that after, and a Debian mirror. Missing packages of this
		machine are installed by apt-get. Interrupting is safe: what is half made is never used, and the next call removes it.

		examples:
		  scripts/vm prepare
		  scripts/vm prepare --suite sid
		  UFUNC_DEBIAN_MIRROR=http://mirror.example/debian scripts/vm prepare --refresh
	END
}

help_path() {
	cat <<-'END'
		Print where something is that prepare made.

		usage: scripts/vm path KIND [--suite S | --kernel SPEC]

		  kdir      the prepared kernel tree, for make's KDIR; the same path here, in the chroot and in the guest
		  vmlinux   an ELF file with the kernel's BTF in its .BTF section
		  kernel    a folder with the kernel and its lib/modules, for ufunc-gen ko --kernel-from
		  release   what uname -r says in the guest
		  root      the build chroot

		A kernel alone (--kernel) has no kdir, vmlinux and root.

		example:
		  bpftool btf dump file "$(scripts/vm path vmlinux)" format c >vmlinux.h
	END
}

help_make() {
	cat <<-'END'
		Run make in the build chroot, with KDIR set to the prepared kernel tree.

		usage: scripts/vm make [--suite S] [--dir DIR] [MAKE-ARGS…]

		  --suite S    Debian suite (default: trixie-backports)
		  --dir DIR    where to run it (default: this checkout); it and the checkout are seen under their own paths

		What make writes belongs to DIR's owner. The exit status is make's.

		examples:
		  scripts/vm make
		  scripts/vm make -j2 V=1
		  scripts/vm make --dir /tmp/my-module clean
	END
}

help_run() {
	cat <<-'END'
		Boot the kernel and run a command as root, in this directory.

		usage: scripts/vm run [OPTIONS] -- COMMAND [ARGS…]

		  --suite S            Debian suite (default: trixie-backports)
		  --kernel SPEC        instead: any kernel of Debian's, such as 6.12 (see prepare --help)
		  --timeout SECS       end the run after so long, boot included (default 600; 0: never)
		  --memory MB          the guest's memory (default 2048)
		  --cpus N             its processors (default: as many as this machine has)
		  --env NAME[=VALUE]   also pass this variable; may be repeated
		  --verbose            show the kernel's console as it comes

		The guest sees this machine's files under their own paths, all of them read-only with a layer above that takes the
		guest's writes and is gone afterwards: what a run writes is neither here nor in the next run. /run, /dev, /proc and
		/sys are the guest's own; modprobe finds the kernel's modules; tracefs, debugfs, bpffs and cgroup2 are mounted.
		Standard input is passed on unless it is a terminal. Of the environment PATH, HOME, TERM, LANG, LC_ALL,
		RUST_BACKTRACE, RUST_LOG, NO_COLOR, CARGO_TERM_COLOR and CI are.

		exit status: COMMAND's (128+N: ended by signal N, 127: not found); 124: timeout; 125: the VM failed: the guest did
		not boot, panicked (any oops is a panic) or went away; then the end of its console is shown; 130, 143: interrupted

		examples:
		  scripts/vm run -- uname -a
		  scripts/vm run -- sh -c 'insmod kmod/ufunc.ko && ls /sys/kernel/btf'
		  scripts/vm run --timeout 60 --env RUST_LOG=debug -- target/debug/loader doctor
	END
}

help_shell() {
	cat <<-'END'
		Boot the kernel and open a shell as root, in this directory. Ctrl-C goes to the guest; leaving the shell ends the VM.

		usage: scripts/vm shell [--suite S | --kernel SPEC] [--timeout SECS] [--memory MB] [--cpus N] [--env NAME[=VALUE]] [--verbose]

		The options are those of run. What the shell writes is gone when it ends.
	END
}

help_clean() {
	cat <<-'END'
		Remove what prepare made, of every suite or of one. Refuses when something is mounted there or a VM still runs.

		usage: scripts/vm clean [--suite S | --kernel SPEC]
	END
}
