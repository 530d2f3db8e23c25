# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
#
# The Rust toolchain and the packages that building takes. To be sourced after packages.sh.

# rust_version: the version that the workspace asks for, which stands in Cargo.toml alone.
rust_version() {
	sed -n 's/^rust-version = "\(.*\)"/\1/p' "$1/Cargo.toml"
}

cargo_is_new_enough() {
	local found
	found=$(cargo --version 2>/dev/null | awk '{ print $2 }')
	[[ $found && $(printf '%s\n%s\n' "$1" "$found" | sort -V | head -n 1) == "$1" ]]
}

# need_rust CHECKOUT: cargo, the machine's own if it is new enough, else Debian's.
need_rust() {
	local wanted
	wanted=$(rust_version "$1")
	if ! cargo_is_new_enough "$wanted"; then
		# Debian keeps a current toolchain in stable releases too, for browsers, under this name.
		if apt-cache show cargo-web >/dev/null 2>&1 || { apt-get update >/dev/null && apt-cache show cargo-web >/dev/null 2>&1; }; then
			need_packages cargo-web rustc-web
		else
			need_packages cargo rustc
		fi
		hash -r
		cargo_is_new_enough "$wanted" ||
			die 125 "cargo $wanted or newer is needed, and neither this machine nor its Debian archive has it" \
				"install it with rustup (https://rustup.rs)"
	fi
}

# has_rust_component NAME: whether cargo fmt or cargo clippy can run, after trying to install it.
has_rust_component() {
	cargo "$1" --version >/dev/null 2>&1 && return
	[[ $1 != fmt ]] || need_packages rustfmt-web
	cargo "$1" --version >/dev/null 2>&1
}

# What building the tools, the hosts and the extensions takes.
need_build_packages() {
	need_packages gcc g++ libc6-dev make pkg-config libelf-dev zlib1g-dev clang llvm bpftool libbpf-dev kmod
}
