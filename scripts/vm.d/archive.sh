# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables shared with the scripts that source this
#
# Debian's archive, read by an apt with a state of its own: this machine's package lists and sources stay as they are.
# Signatures are verified as ever. To be sourced after lib/ui.sh and lib/packages.sh.

# The keyring package's file; a file may hold several keys.
archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# archive_sources SUITE MIRROR: the lines of a sources.list.
archive_sources() {
	local options="signed-by=$archive_keyring"
	[[ ${UFUNC_ALLOW_EXPIRED:-} ]] && options+=" check-valid-until=no"
	case $1 in
	trixie-backports) printf 'deb [%s] %s trixie main\n' "$options" "$2" ;;
	esac
	printf 'deb [%s] %s %s main\n' "$options" "$2" "$1"
}

# What this machine's administrator has set for every archive, as options of apt: the way through a proxy, and whether lists
# past their date count.
machine_apt_settings() {
	apt-config dump | grep -Ei '^Acquire::(([a-z]+::)?(Proxy|Timeout|Retries)|[a-z]+::Proxy::[^ ]+|Check-Valid-Until|ForceIPv[46]) ' || true
}

# Says so when the lists of a suite are past the date up to which the archive vouches for them, and were taken all the same.
note_expired_lists() {
	local list until
	for list in "$archive_dir"/state/lists/*_InRelease; do
		until=$(sed -n 's/^Valid-Until: //p' "$list")
		[[ $until && $(date -d "$until" +%s) -lt $(date +%s) ]] || continue
		printf 'the lists of %s were valid until %s; taken all the same, as %s says (signatures are verified)\n' \
			"$(sed -n 's/^Codename: //p' "$list")" "$until" \
			"$([[ ${UFUNC_ALLOW_EXPIRED:-} ]] && echo UFUNC_ALLOW_EXPIRED || echo "this machine's apt configuration")"
	done
}

# Runs an apt tool on the private state in $archive_dir.
archive_apt() {
	local tool=$1
	shift
	# Only sources and state are replaced: the machine's apt.conf.d still counts.
	"$tool" -o Dir::State="$archive_dir/state" -o Dir::State::status="$archive_dir/status" \
		-o Dir::Cache="$archive_dir/cache" -o Dir::Etc::SourceList="$archive_dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Acquire::Languages=none -o Acquire::GzipIndexes=false \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Retries=3 -o APT::Sandbox::User=root \
		-o APT::Architecture=amd64 -o APT::Architectures::=amd64 "$@"
}

# open_archive SUITE MIRROR: fetches the package lists into $archive_dir; says what a refusal of apt means.
open_archive() {
	mkdir -p "$archive_dir"/{state/lists/partial,cache/archives/partial}
	: >"$archive_dir/status"
	archive_sources "$1" "$2" >"$archive_dir/sources.list"
	local output status=0
	output=$(archive_apt apt-get update --error-on=any 2>&1) || status=$?
	printf '%s\n' "$output"
	((status == 0)) && return
	case $output in
	*NO_PUBKEY*)
		echo "the archive is signed by a key that $archive_keyring lacks: upgrade the package debian-archive-keyring" \
			"(apt-get install --only-upgrade debian-archive-keyring)" ;;
	*"is expired"* | *"is not valid yet"*)
		echo "the mirror's lists for $1 are older than the archive allows (or this machine's clock is wrong: $(date -R))." \
			"A mirror that lags may also hold back security fixes. Wait for it, name another with UFUNC_DEBIAN_MIRROR," \
			"or accept the age (signatures are still verified) with UFUNC_ALLOW_EXPIRED=1" ;;
	*) echo "could not read $1 from $2" ;;
	esac
	return 1
}

# Lines "package version filename-of-list" would be more than anyone needs: "package version", for names that match.
# archive_packages SUITE REGEX
archive_packages() {
	local list
	# shellcheck disable=SC2016 # apt's own placeholders
	archive_apt apt-get indextargets --format '$(CODENAME)|$(SUITE)|$(FILENAME)' 'Created-By: Packages' |
		while IFS='|' read -r codename suite list; do
			[[ $1 == any || $1 == "$codename" || $1 == "$suite" ]] && cat "$list"
		done |
		awk -v regex="$2" '
			$1 == "Package:" { package = $2 }
			$1 == "Version:" && package ~ regex { print package, $2 }'
}

# fetch_packages DIR PKG[=VERSION]…: downloads and unpacks; leaves no .deb behind.
fetch_packages() {
	local dir=$1 deb
	shift
	mkdir -p "$dir.debs" "$dir"
	(cd "$dir.debs" && archive_apt apt-get download "$@")
	for deb in "$dir.debs"/*.deb; do
		dpkg-deb --extract "$deb" "$dir"
	done
	rm -rf "$dir.debs"
}
