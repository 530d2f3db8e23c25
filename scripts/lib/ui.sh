# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables shared with the scripts that source this
#
# What scripts say and how: notes, errors, and the progress of long steps. To be sourced. Messages go to stderr, so that
# stdout stays for what a caller asked for.

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	ui_bold=$'\e[1m' ui_dim=$'\e[2m' ui_red=$'\e[31m' ui_green=$'\e[32m' ui_reset=$'\e[0m'
	ui_live=1
else
	ui_bold='' ui_dim='' ui_red='' ui_green='' ui_reset=''
	ui_live=''
fi
: "${ui_name:=${0##*/}}"

note() {
	printf '%s%s:%s %s\n' "$ui_dim" "$ui_name" "$ui_reset" "$*" >&2
}

# error TEXT [HINT…]: each hint is a line of its own: why, and what to do.
error() {
	printf '%s%s: error:%s %s\n' "$ui_red" "$ui_name" "$ui_reset" "$1" >&2
	shift
	local hint
	for hint in "$@"; do
		printf '    %s\n' "$hint" >&2
	done
}

# die STATUS TEXT [HINT…]
die() {
	local status=$1
	shift
	error "$@"
	exit "$status"
}

# run_step N/M TEXT LOG COMMAND…: runs COMMAND in a subshell, its output appended to LOG, with the elapsed time on a live
# line (on a terminal) or a line at the start and one at the end. Upon failure it shows the tail of LOG and exits with 125.
# Not to be called in a condition: bash would then ignore `set -e` inside COMMAND.
run_step() {
	local number=$1 text=$2 log=$3 begin=$SECONDS status=0 pid
	shift 3
	printf '=== [%s] %s\n' "$number" "$text" >>"$log"
	[[ $ui_live ]] || printf '[%s] %s\n' "$number" "$text" >&2
	("$@") >>"$log" 2>&1 </dev/null &
	pid=$!
	while [[ $ui_live ]] && kill -0 "$pid" 2>/dev/null; do
		printf '\r\e[K[%s] %s %s%ds%s' "$number" "$text" "$ui_dim" $((SECONDS - begin)) "$ui_reset" >&2
		sleep 0.2
	done
	wait "$pid" || status=$?
	[[ $ui_live ]] && printf '\r\e[K' >&2
	if ((status == 0)); then
		printf '%s[%s]%s %s: done in %ds\n' "$ui_green" "$number" "$ui_reset" "$text" $((SECONDS - begin)) >&2
		return 0
	fi
	printf '%s[%s]%s %s: failed after %ds\n' "$ui_red" "$number" "$ui_reset" "$text" $((SECONDS - begin)) >&2
	tail -n 25 "$log" | sed 's/^/    /' >&2
	die 125 "failed to ${text}" "the end of its output is above, all of it is in $log"
}
