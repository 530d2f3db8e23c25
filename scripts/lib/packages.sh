# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables shared with the scripts that source this
#
# Debian packages of this machine, and where its archive is. To be sourced after ui.sh.

need_root() {
	((EUID == 0)) || die 125 "$1 needs root" "run it as root, for example with sudo"
}

package_is_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# need_packages PKG…: installs those that are missing, with one line saying so; nothing and no time when none is.
need_packages() {
	local package missing=() log
	command -v dpkg-query >/dev/null ||
		die 125 "cannot check for the packages $*: this is no Debian-like system (no dpkg)" \
			"install by hand what they provide, or use a Debian machine"
	for package in "$@"; do
		package_is_installed "$package" || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	((EUID == 0)) ||
		die 125 "these packages are missing and only root can install them: ${missing[*]}" \
			"as root: apt-get install ${missing[*]}"
	note "installing the packages ${missing[*]}"
	log=$(mktemp)
	if ! apt_install "${missing[@]}" >"$log" 2>&1; then
		# Most often the package lists are missing or name versions that are gone: fetch them once, and try again.
		if ! { apt-get update && apt_install "${missing[@]}"; } >>"$log" 2>&1; then
			tail -n 15 "$log" | sed 's/^/    /' >&2
			rm -f "$log"
			die 125 "apt-get could not install ${missing[*]}" "its last lines are above"
		fi
	fi
	rm -f "$log"
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# The Debian archive that this machine's apt uses (main, not security), or what UFUNC_DEBIAN_MIRROR says.
debian_mirror() {
	local uri
	if [[ ${UFUNC_DEBIAN_MIRROR:-} ]]; then
		printf '%s\n' "${UFUNC_DEBIAN_MIRROR%/}"
		return
	fi
	# Origin and label are known once apt-get update has run; before, the address is all there is.
	uri=$(
		# shellcheck disable=SC2016 # apt's own placeholders
		apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
			awk -F'|' '
				$1 == "Debian" && $2 == "Debian" { print $3; found = 1; exit }
				$1 == "" && $3 ~ /\/debian\/?$/ && !guess { guess = $3 }
				END { if (!found && guess) print guess }'
	)
	[[ $uri ]] ||
		die 125 "no Debian archive found in this machine's apt sources" \
			"set UFUNC_DEBIAN_MIRROR to the address of one (a folder with dists/ and pool/)"
	printf '%s\n' "${uri%/}"
}
